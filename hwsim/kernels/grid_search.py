"""The error of each candidate grid on each group of weights."""

import numba
import numpy as np

from hwsim.kernels._jit import jit
from hwsim.kernels.nearest import reach


@jit(parallel=True)
def errors(
    x: np.ndarray, largest: np.ndarray, group_size: int, grids: np.ndarray, low: float, high: float,
    scales: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Scales[C, N, G] = largest / max|grid|, clamped; sums[C, N, G] of squared errors on the nearest values.

    Grids [C, E] ascend; a tie goes to the lower value. Largest is max|x| [N, G].
    """
    tables, size = grids.shape
    width = 1
    while width < group_size:
        width *= 2
    for n in numba.prange(x.shape[0]):
        value = np.empty(group_size, x.dtype)
        square = np.zeros(width)
        for group in range(scales.shape[2]):
            start = group * group_size
            part = x[n, start : min(start + group_size, x.shape[1])]
            length = part.size
            for c in range(tables):
                scale = min(max(largest[n, group] / max(-grids[c, 0], grids[c, size - 1]), low), high)
                value[:length] = grids[c, 0]
                for e in range(size - 1):
                    limit = reach((grids[c, e] + grids[c, e + 1]) / 2, scale, x)
                    step = x.dtype.type(grids[c, e + 1] - grids[c, e])
                    for i in range(length):
                        value[i] += step if part[i] > limit else x.dtype.type(0)
                for i in range(length):
                    square[i] = (np.float64(part[i]) - np.float64(value[i]) * scale) ** 2
                square[length:] = 0
                half = width // 2
                while half:  # in pairs, so that the sum takes vector instructions
                    for i in range(half):
                        square[i] += square[half + i]
                    half //= 2
                scales[c, n, group] = scale
                sums[c, n, group] = square[0]
