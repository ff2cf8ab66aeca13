"""The error of each candidate grid on each group of weights."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def errors(
    x: np.ndarray, group_size: int, grids: np.ndarray, low: float, high: float, scales: np.ndarray, sums: np.ndarray
) -> None:
    """Scales[C, N, G] = max|x| / max|grid|, clamped; sums[C, N, G] of squared errors on the nearest values.

    Grids [C, E] ascend; a tie goes to the lower value.
    """
    tables, size = grids.shape
    for n in numba.prange(x.shape[0]):
        ratio = np.empty(group_size)
        value = np.empty(group_size)
        previous = 0.0
        for group in range(scales.shape[2]):
            start = group * group_size
            length = min(group_size, x.shape[1] - start)
            most = 0.0
            for i in range(length):
                most = max(most, np.float64(abs(x[n, start + i])))
            for c in range(tables):
                scale = min(max(most / max(-grids[c, 0], grids[c, size - 1]), low), high)
                if c == 0 or scale != previous:
                    for i in range(length):
                        ratio[i] = np.float64(x[n, start + i]) / scale
                previous = scale
                value[:length] = grids[c, 0]
                for e in range(size - 1):
                    middle = (grids[c, e] + grids[c, e + 1]) / 2
                    step = grids[c, e + 1] - grids[c, e]
                    for i in range(length):
                        value[i] += step if ratio[i] > middle else 0.0
                total = 0.0
                for i in range(length):
                    total += (np.float64(x[n, start + i]) - value[i] * scale) ** 2
                scales[c, n, group] = scale
                sums[c, n, group] = total
