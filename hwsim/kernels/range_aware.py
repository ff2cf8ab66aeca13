"""The best small whole-number scale of each group."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def scales(values, kept, unit, half, group_size, steps, out):
    """Into ``out`` int64[N, G] the multiple 1..steps of ``unit`` [N] with the least squared error.

    Group g of row i has codes ``-half[i, g] .. half[i, g] - 1``.
    """
    n, k = values.shape
    for i in numba.prange(n):
        for g in range(half.shape[1]):
            best = np.inf
            for step in range(1, steps + 1):
                scale = step * unit[i]
                inverse = 1 / scale
                error = 0.0
                for j in range(g * group_size, min((g + 1) * group_size, k)):
                    if kept[i, j]:
                        q = np.rint(values[i, j] * inverse)
                        q = min(max(q, -half[i, g]), half[i, g] - 1)
                        error += (values[i, j] - q * scale) ** 2
                if error < best:
                    best = error
                    out[i, g] = step


@jit(parallel=True)
def codes(values, scale, unit, half, group_size, out):
    """Into ``out`` uint8[N, K]: RNE(w / (scale * unit)) in two's complement, clipped to its group's width."""
    n, k = values.shape
    for i in numba.prange(n):
        for g in range(half.shape[1]):
            step, high = scale[i, g] * unit[i], half[i, g]
            for j in range(g * group_size, min((g + 1) * group_size, k)):
                q = min(max(np.rint(values[i, j] / step), -high), high - 1)
                out[i, j] = np.int64(q) & (2 * high - 1)
