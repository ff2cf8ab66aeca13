"""From accumulated integers to the next layer's codes, bit for bit as the hardware does.

The formula is in docs/hardware.md (Order of arithmetic).
"""

import dataclasses
from typing import Self

import numpy as np

from hwsim.errors import NetworkError
from hwsim.kernels import requantize as kernels

INT32 = np.iinfo(np.int32)
IDENTITY = (2, 1)
"""Multiplier and shift that pass a sum unchanged."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Quantizer:
    """Per output channel: bias, dyadic multiplier and shift, or a threshold.

    Attributes:
        bias: int32[N], added to the accumulated sum.
        multiplier: int32[N], 1 .. 2**31-1.
        shift: uint8[N], 1 .. 62.
        invert: bool[N], only with ``threshold``: swaps low and high.
        low, high: bounds of the result; with ``threshold`` the two results.
        threshold: result is ``high if (sum >= 0) != invert else low``.
        sum_shift: 0 .. 62: sums of weights too wide for 32 bits are first divided by ``2**sum_shift`` and
            rounded, ties up; ``bias`` and ``multiplier`` are in units of the quotient.
    """

    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    invert: np.ndarray
    low: int
    high: int
    threshold: bool = False
    sum_shift: int = 0

    def __post_init__(self) -> None:
        n = len(self.bias)
        for name, dtype in (
            ("bias", np.int32),
            ("multiplier", np.int32),
            ("shift", np.uint8),
            ("invert", np.bool_),
        ):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != (n,):
                raise NetworkError(f"quantizer {name} is {array.dtype}{array.shape}, expected {np.dtype(dtype)}({n},)")
        if (self.multiplier < 1).any():
            raise NetworkError("a quantizer multiplier is below 1")
        if not ((self.shift >= 1) & (self.shift <= 62)).all():
            raise NetworkError("a quantizer shift is not in 1..62")
        if not 0 <= self.sum_shift <= 62:
            raise NetworkError(f"quantizer sum_shift {self.sum_shift} is not in 0..62")
        if not INT32.min <= self.low <= self.high <= INT32.max:
            raise NetworkError(f"quantizer bounds {self.low}..{self.high} are not an int32 range")

    @classmethod
    def dyadic(cls, ratio: np.ndarray, bias: np.ndarray, low: int, high: int, sum_shift: int = 0) -> Self:
        """Multiplies by ``ratio`` float64[N], as `dyadic` approximates it."""
        multiplier, shift = dyadic(ratio)
        return cls(
            bias=bias.astype(np.int32), multiplier=multiplier, shift=shift,
            invert=np.zeros(len(bias), dtype=bool), low=low, high=high, sum_shift=sum_shift,
        )  # fmt: skip

    @classmethod
    def sign(cls, bias: np.ndarray, invert: np.ndarray, low: int = -1, high: int = 1, *, sum_shift: int = 0) -> Self:
        """``high`` where ``sum + bias >= 0`` (differs from ``invert``), else ``low``."""
        n = len(bias)
        return cls(
            bias=bias.astype(np.int32), multiplier=np.full(n, IDENTITY[0], np.int32),
            shift=np.full(n, IDENTITY[1], np.uint8), invert=invert.astype(bool), low=low, high=high, threshold=True,
            sum_shift=sum_shift,
        )  # fmt: skip

    @classmethod
    def identity(cls, n: int) -> Self:
        """Passes int32 sums unchanged."""
        return cls.dyadic(np.ones(n), np.zeros(n), int(INT32.min), int(INT32.max))

    def channels(self, chosen: slice | np.ndarray) -> Self:
        """That of the ``chosen`` output channels."""
        names = ("bias", "multiplier", "shift", "invert")
        return dataclasses.replace(self, **{name: getattr(self, name)[chosen] for name in names})


def dyadic(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``ratio ~ multiplier / 2**shift``: int32 and uint8 arrays.

    The multiplier is the mantissa times 2**31 rounded half away from zero, halved where it
    reaches 2**31 (HAWQ-V3, arXiv 2011.10680). Ratios below 2**-31 keep shift 62 at most.
    Raises NetworkError for ratios that are not positive, not finite or 2**30 and more.
    """
    values = np.atleast_1d(np.asarray(ratio, dtype=np.float64))
    if not (np.isfinite(values).all() and (values > 0).all() and (values < 2.0**30).all()):
        raise NetworkError(f"requantization ratios must be in (0, 2**30), got {values.min()} to {values.max()}")
    exponent = np.frexp(values)[1]
    shift = np.minimum(31 - exponent, 62)
    multiplier = np.floor(np.ldexp(values, shift) + 0.5).astype(np.int64)
    overflowed = multiplier >= 1 << 31
    multiplier = np.where(overflowed, multiplier >> 1, multiplier)
    shift = shift - overflowed
    return np.maximum(multiplier, 1).astype(np.int32), shift.astype(np.uint8)


def rounded_shift(x: np.ndarray, shift: int) -> np.ndarray:
    """``x / 2**shift`` rounded, ties up, of int64 ``x`` and a positive ``shift``."""
    return (x >> shift) + ((x >> (shift - 1)) & 1)


def requantize(acc: np.ndarray, quantizer: Quantizer, overflow: str = "wrap") -> np.ndarray:
    """int32 results of whole sums ``acc[..., N]``, int32 once divided by ``2**sum_shift``.

    ``overflow`` is that of the bias addition.
    """
    if quantizer.sum_shift:
        acc = rounded_shift(acc.astype(np.int64), quantizer.sum_shift)
    flat = np.ascontiguousarray(acc, dtype=np.int32).reshape(-1, acc.shape[-1])
    out = kernels.requantize(
        flat, quantizer.bias, quantizer.multiplier, quantizer.shift, quantizer.invert,
        quantizer.low, quantizer.high, quantizer.threshold, overflow == "saturate",
    )  # fmt: skip
    return out.reshape(acc.shape)
