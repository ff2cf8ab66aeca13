"""Real numbers to codes of a small table, and the largest magnitude of each group."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


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

    Thresholds [C, 2**p - 1] ascend. Scale is [N, G], select [1|N, 1|G].
    """
    first = (thresholds.shape[1] + 1) // 2
    for n in numba.prange(x.shape[0]):
        for group in range(scale.shape[1]):
            factor = np.float64(scale[n, group])
            table = select[n if select.shape[0] > 1 else np.int64(0), group if select.shape[1] > 1 else 0]
            limits = thresholds[table]
            for k in range(group * group_size, min((group + 1) * group_size, x.shape[1])):
                v = np.float64(x[n, k]) / factor
                j = 0
                half = first
                while half:
                    j += half if v > limits[j + half - 1] else 0
                    half >>= 1
                codes[n, k] = order[table, j]
