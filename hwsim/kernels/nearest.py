"""Real numbers to codes of a small table, and the largest magnitude of each group."""

import numba
import numpy as np

from hwsim.kernels._jit import jit

CHUNK = 256
"""Weights compared at a time: they stay in the nearest cache."""


@jit(parallel=True)
def largest(x: np.ndarray, group_size: int, out: np.ndarray) -> None:
    """Out[N, G]: the largest |x| of each group of a row."""
    for n in numba.prange(x.shape[0]):
        for group in range(out.shape[1]):
            most = abs(x[n, group * group_size])
            for k in range(group * group_size, min((group + 1) * group_size, x.shape[1])):
                most = max(most, abs(x[n, k]))
            out[n, group] = most


@jit(parallel=True)
def encode(
    x: np.ndarray, scale: np.ndarray, group_size: int, select: np.ndarray, thresholds: np.ndarray, order: np.ndarray,
    codes: np.ndarray,
) -> None:  # fmt: skip
    """Codes[N, K]: ``order[t, j]`` where j of ``thresholds[t]`` lie below ``x / scale``, t the group's table.

    Thresholds are [C, E - 1], order [C, E], scale and select [N, G]. Meant for small tables: every
    threshold is compared with every weight, which compilers turn into vector instructions.
    """
    for n in numba.prange(x.shape[0]):
        ratio = np.empty(CHUNK)
        below = np.empty(CHUNK, np.uint8)
        for group in range(scale.shape[1]):
            factor = np.float64(scale[n, group])
            table = select[n, group]
            end = min((group + 1) * group_size, x.shape[1])
            for start in range(group * group_size, end, CHUNK):
                length = min(CHUNK, end - start)
                for i in range(length):
                    ratio[i] = np.float64(x[n, start + i]) / factor
                    below[i] = 0
                for e in range(thresholds.shape[1]):
                    limit = thresholds[table, e]
                    for i in range(length):
                        below[i] += ratio[i] > limit
                for i in range(length):
                    codes[n, start + i] = order[table, below[i]]
