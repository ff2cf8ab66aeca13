"""A matmul's exact whole sums, whatever the width of its weights: what datapaths are held to."""

import numpy as np

from hwsim.errors import FormatError
from hwsim.integer import worst_case
from hwsim.qtensor import QTensor

SUM_LIMIT = 1 << 62
"""Sums of any weights stay below it."""


def matmul(x: np.ndarray, w: QTensor, activation_bits: int) -> np.ndarray:
    """int64[M, N]: sums of activations int[M, K] within signed ``activation_bits`` with lowered weights [N, K].

    Weights are taken apart into digits so small that float64 sums of them are exact. FormatError if a sum could
    reach 2**62.
    """
    _, total = worst_case(w, activation_bits)
    if total >= SUM_LIMIT:
        raise FormatError(f"format {w.format!r}: a sum over K={w.k} can reach {total}, beyond 62 bits")
    rest = w.integers.astype(np.int64) * w.scale[:, w.group_index]
    if w.offset is not None:
        rest += w.offset[:, w.group_index]
    a = x.astype(np.float64)
    bits = 53 - activation_bits - w.k.bit_length()
    result = np.zeros((len(x), w.n), dtype=np.int64)
    place = 0
    while rest.any():
        fits = np.abs(rest).max() < 1 << bits
        digits = rest if fits else rest & ((1 << bits) - 1)
        result += (a @ digits.T.astype(np.float64)).astype(np.int64) << place
        rest = (rest - digits) >> bits
        place += bits
    return result
