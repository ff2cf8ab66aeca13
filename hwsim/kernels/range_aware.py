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
        scale = np.arange(1, steps + 1) * unit[i]
        inverse = 1 / scale
        error = np.empty(steps)
        for g in range(half.shape[1]):
            low, high = np.float64(-half[i, g]), np.float64(half[i, g] - 1)
            error[:] = 0
            for j in range(g * group_size, min((g + 1) * group_size, k)):
                if kept[i, j]:
                    value = values[i, j]
                    for s in range(steps):  # all sums at once, in vector instructions
                        q = min(max(np.rint(value * inverse[s]), low), high)
                        error[s] += (value - q * scale[s]) ** 2
            best = np.inf
            for s in range(steps):
                if error[s] < best:
                    best = error[s]
                    out[i, g] = s + 1


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
