"""Weights as sums of signed powers of two: how many terms, and which.

One home for the term schemes, used by the simulator's cycle count and by the stimuli
that the RTL replays. Schemes are defined in docs/hardware.md.
"""

import functools
from typing import Literal, get_args

import numpy as np

from hwsim.codebook import frozen, signed_digits
from hwsim.kernels import look_up as kernel
from hwsim.qtensor import QTensor

Scheme = Literal["booth", "twos_complement", "naf"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

WIDEST_TABLE = 12
"""Widths up to this are counted by look-up."""


def per_weight(bits: int, scheme: Scheme) -> int:
    """The most terms that a weight of ``bits`` can have."""
    return bits if scheme == "twos_complement" else -(-bits // 2)


def per_step(w: QTensor, scheme: Scheme) -> int:
    """Terms that a step of ``w`` takes if none is skipped.

    Those of the tensor's width; for naf, where terms have no positions of their own, the
    most that any value of its codebook has (of its weights, for planes).
    """
    if scheme != "naf":
        return per_weight(w.integer_bits, scheme)
    values = w.codebook.integers if w.plane_weights is None else w.integers
    return max(1, int(count(values, w.integer_bits, scheme).max()))


def decompose(value: int, bits: int, scheme: Scheme) -> list[int]:
    """``value`` as `per_weight` terms, each 0 or +-2**e, lowest first; their sum is ``value``."""
    if scheme == "naf":
        digits = [sign << exponent for sign, exponent in signed_digits(value)]
        return digits + [0] * (per_weight(bits, scheme) - len(digits))
    code = value & ((1 << bits) - 1)
    if scheme == "twos_complement":
        digits = [(code >> i & 1) << i for i in range(bits)]
        return [*digits[:-1], -digits[-1]]
    result = []
    for i in range(per_weight(bits, scheme)):
        bit = [value >> (2 * i + j) & 1 if 2 * i + j >= 0 else 0 for j in (-1, 0, 1)]
        result.append((bit[0] + bit[1] - 2 * bit[2]) << (2 * i))
    return result


def _count(values: np.ndarray, bits: int, scheme: Scheme) -> np.ndarray:
    """uint8 array: see `count`, by the bits of int64 ``values``."""
    if scheme == "twos_complement":
        nonzero = values & ((1 << bits) - 1)
    elif scheme == "booth":
        changes = values ^ values << 1
        nonzero = (changes | changes >> 1) & 0x5555555555555555 & ((1 << 2 * per_weight(bits, scheme)) - 1)
    else:
        nonzero = (values ^ 3 * values) >> 1 & ((1 << bits) - 1)
    return np.bitwise_count(nonzero).astype(np.uint8)


@functools.cache
def _table(bits: int, scheme: Scheme) -> np.ndarray:
    """uint8[2**bits]: non-zero terms of every value, the lowest first."""
    return _count(np.arange(-(1 << (bits - 1)), 1 << (bits - 1)), bits, scheme)


def count(values: np.ndarray, bits: int, scheme: Scheme) -> np.ndarray:
    """uint8 array: non-zero terms of each of ``values`` (integers of ``bits`` <= 61)."""
    if bits > WIDEST_TABLE:
        return _count(values.astype(np.int64), bits, scheme)
    counts = np.empty(values.shape, np.uint8)
    kernel.shared(values.reshape(-1), 1 << (bits - 1), _table(bits, scheme), counts.reshape(-1))
    return counts


def of_codes(w: QTensor, scheme: Scheme) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes [N, K], non-zero terms of each code uint8[C, E], and each group's table of these [1|N, 1|G].

    Where a weight is not what a table says of its code alone (planes, pairs), its count is its code.
    """
    if w.lowered and not w.pairs and w.plane_weights is None:
        tables = count(w.codebook.integers, w.integer_bits, scheme)
        return w.codes, tables, _FIRST_TABLE if w.select is None else w.select
    counts = count(w.integers, w.integer_bits, scheme)
    counts.flags.writeable = False
    return counts, np.arange(int(counts.max()) + 1, dtype=np.uint8)[None], _FIRST_TABLE


_FIRST_TABLE = frozen(np.zeros((1, 1), np.uint16))
