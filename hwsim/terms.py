"""Weights as sums of signed powers of two: how many terms, and which.

One home for the term schemes, used by the simulator's cycle count and by the stimuli
that the RTL replays. Schemes are defined in docs/hardware.md.
"""

import functools

import numpy as np

from hwsim.kernels import look_up as kernel

SCHEMES = ("booth", "twos_complement")


def per_weight(bits: int, scheme: str) -> int:
    """Terms of a weight of ``bits`` when none is skipped."""
    return -(-bits // 2) if scheme == "booth" else bits


def decompose(value: int, bits: int, scheme: str) -> list[int]:
    """The `per_weight` terms of ``value``, each 0 or +-2**e; their sum is ``value``."""
    code = value & ((1 << bits) - 1)
    if scheme == "twos_complement":
        digits = [(code >> i & 1) << i for i in range(bits)]
        return [*digits[:-1], -digits[-1]]
    result = []
    for i in range(per_weight(bits, scheme)):
        bit = [value >> (2 * i + j) & 1 if 2 * i + j >= 0 else 0 for j in (-1, 0, 1)]
        result.append((bit[0] + bit[1] - 2 * bit[2]) << (2 * i))
    return result


@functools.cache
def _table(bits: int, scheme: str) -> np.ndarray:
    low = -(1 << (bits - 1))
    counts = [sum(t != 0 for t in decompose(low + i, bits, scheme)) for i in range(1 << bits)]
    return np.array(counts, dtype=np.uint8)


def count(values: np.ndarray, bits: int, scheme: str) -> np.ndarray:
    """uint8 array: non-zero terms of each of ``values`` (integers of ``bits``)."""
    counts = np.empty(values.shape, np.uint8)
    kernel.shared(values.reshape(-1), 1 << (bits - 1), _table(bits, scheme), counts.reshape(-1))
    return counts
