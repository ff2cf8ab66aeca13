"""Named roundings of a right shift, and the requantizers that other software is known for.

All in exact integers; docs/hardware.md says which one the hardware uses.
"""

import numpy as np

from hwsim.errors import FormatError, nearest

MODES = ("even", "away", "up", "floor", "truncate")
"""To nearest with ties to even, away from zero or toward +infinity; down; toward zero."""


def shift_right(value: np.ndarray, shift: int, mode: str) -> np.ndarray:
    """int64: ``value / 2**shift``, ``shift`` in 0..62, rounded as ``mode`` of `MODES` says."""
    if mode not in MODES:
        raise FormatError(f"unknown rounding {mode!r}; {nearest(mode, MODES)}")
    if not 0 <= shift <= 62:
        raise FormatError(f"a shift of {shift} is not in 0..62")
    values = np.asarray(value, dtype=np.int64)
    floor = values >> shift
    rest = values - (floor << shift)
    half = (1 << shift) >> 1
    tie, above = (rest == half) & (shift > 0), rest > half
    return (
        floor
        + {
            "even": above | (tie & (floor & 1 == 1)),
            "away": above | (tie & (values >= 0)),
            "up": above | tie,
            "floor": np.zeros_like(tie),
            "truncate": (rest > 0) & (values < 0),
        }[mode]
    )


def dyadic_requantize(acc: np.ndarray, multiplier: int, shift: int, bits: int = 8, mode: str = "even") -> np.ndarray:
    """int64: ``clip(round(acc * multiplier / 2**shift))`` to signed ``bits`` (HAWQ-V3, arXiv 2011.10680)."""
    return saturate(shift_right(np.asarray(acc, dtype=np.int64) * multiplier, shift, mode), bits)


def high_multiply(a: np.ndarray, b: int) -> np.ndarray:
    """gemmlowp's SaturatingRoundingDoublingHighMul of int32: ``a * b / 2**31``, ties toward +infinity."""
    product = np.asarray(a, dtype=np.int64) * b
    return np.minimum(shift_right(product, 31, "up"), (1 << 31) - 1)


def gemmlowp_requantize(acc: np.ndarray, multiplier: int, shift: int, bits: int = 8) -> np.ndarray:
    """gemmlowp: `high_multiply`, then a right shift with ties away from zero; two roundings.

    Shifts below 31 (ratios of 1 and more) shift the accumulator left first, saturating at int32.
    """
    values = saturate(np.asarray(acc, dtype=np.int64) << max(31 - shift, 0), 32)
    return saturate(shift_right(high_multiply(values, multiplier), max(shift - 31, 0), "away"), bits)


def saturate(values: np.ndarray, bits: int) -> np.ndarray:
    """``values`` clamped to signed ``bits``."""
    return np.clip(values, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def wrap(values: np.ndarray, bits: int) -> np.ndarray:
    """``values`` modulo 2**bits, as signed ``bits``: an accumulator that does not saturate."""
    half = 1 << (bits - 1)
    return ((np.asarray(values, dtype=np.int64) + half) & ((1 << bits) - 1)) - half


def saturating_sum(terms: np.ndarray, bits: int) -> int:
    """The sum from left to right of an accumulator that saturates at signed ``bits`` after each term."""
    total = 0
    for term in np.asarray(terms).tolist():
        total = int(saturate(total + term, bits))
    return total
