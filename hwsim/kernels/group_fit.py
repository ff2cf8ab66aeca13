"""Scale and offset of each group, fitted to weights that snap to whole numbers."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit()
def code(value, scale, offset, half):
    """``floor((value - offset) / scale + 1/2)`` clipped to -half .. half-1."""
    return min(max(np.floor((value - offset) / scale + 0.5), -half), half - 1)


@jit(parallel=True)
def fit(values, weight, scale, offset, group_size, half, iterations):
    """Improves ``scale`` and ``offset`` float64[N, G] in place.

    Alternates nearest codes and least squares, weighted by ``weight`` float64[K], and keeps the
    best; a group ends where a step makes it no better.
    """
    n, k = values.shape
    for i in numba.prange(n):
        for g in range(scale.shape[1]):
            low, high = g * group_size, min((g + 1) * group_size, k)
            s, z = scale[i, g], offset[i, g]
            best = np.inf
            for _ in range(iterations + 1):
                error, total, sum_q, sum_w, sum_qq, sum_qw = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for j in range(low, high):
                    q = code(values[i, j], s, z, half)
                    rest = values[i, j] - (s * q + z)
                    error += weight[j] * rest * rest
                    total += weight[j]
                    sum_q += weight[j] * q
                    sum_w += weight[j] * values[i, j]
                if not error < best:
                    break
                best, scale[i, g], offset[i, g] = error, s, z
                mean_q, mean_w = sum_q / total, sum_w / total
                for j in range(low, high):
                    q = code(values[i, j], s, z, half) - mean_q
                    sum_qq += weight[j] * q * q
                    sum_qw += weight[j] * q * (values[i, j] - mean_w)
                if sum_qq > 0 and sum_qw > 0:
                    s = sum_qw / sum_qq
                z = mean_w - s * mean_q


@jit(parallel=True)
def codes(values, scale, offset, channel, group_size, half, out):
    """Into ``out`` uint8[N, K] the two's complement codes, on scale and offset float64[1|N, 1|G]."""
    n, k = values.shape
    mask = 2 * half - 1
    for i in numba.prange(n):
        row = np.int64(i) if scale.shape[0] > 1 else np.int64(0)
        for j in range(k):
            group = min(j // group_size, scale.shape[1] - 1)
            q = code(values[i, j] / channel[i], scale[row, group], offset[row, group], half)
            out[i, j] = np.int64(q) & mask
