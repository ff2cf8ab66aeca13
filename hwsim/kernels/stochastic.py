"""Rounding at random to one of the two neighbours in a table."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def encode(
    x: np.ndarray, scale: np.ndarray, group_size: int, grid: np.ndarray, order: np.ndarray, uniform: np.ndarray,
    codes: np.ndarray,
) -> None:  # fmt: skip
    """Codes[N, K]: ``order`` of the neighbour of ``x / scale`` in the ascending ``grid``, scale [N, G].

    The upper one where ``uniform`` [N, K] is less than the part of the way that lies below ``x / scale``.
    """
    inner = grid[1:-1]
    width = grid[1:] - grid[:-1]
    for n in numba.prange(x.shape[0]):
        for group in range(scale.shape[1]):
            for k in range(group * group_size, min((group + 1) * group_size, x.shape[1])):
                value = np.float64(x[n, k]) / scale[n, group]
                below = 0
                for e in range(inner.size):  # every one: a search would branch
                    below += np.int64(inner[e] <= value)
                up = uniform[n, k] < (value - grid[below]) / width[below]
                codes[n, k] = order[below + up]
