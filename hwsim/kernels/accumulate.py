"""Accumulation in the hardware's stated order, for sums that may saturate."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit()
def saturate(value, bits):
    """``value`` clamped to signed ``bits``."""
    high = (np.int64(1) << (bits - 1)) - 1
    return min(max(value, -high - 1), high)


@jit(parallel=True)
def saturating_matmul(x, v, scale, offset, group_size, lanes, acc_bits, group_bits, scale_stage):
    """int32[M, N] of x int32[M, K] and v int32[N, K], saturating after each step, ascending k."""
    m, k = x.shape
    n = v.shape[0]
    out = np.zeros((m, n), dtype=np.int32)
    for i in numba.prange(m):
        for j in range(n):
            acc = np.int64(0)
            for g in range(scale.shape[1]):
                start, stop = g * group_size, min((g + 1) * group_size, k)
                gacc, gsum = np.int64(0), np.int64(0)
                for low in range(start, stop, lanes):
                    step = np.int64(0)
                    for t in range(low, min(low + lanes, stop)):
                        step += np.int64(x[i, t]) * v[j, t]
                        gsum += x[i, t]
                    if scale_stage:
                        gacc = saturate(gacc + step, group_bits)
                    else:
                        acc = saturate(acc + step, acc_bits)
                if scale_stage:
                    acc = saturate(acc + scale[j, g] * gacc + offset[j, g] * gsum, acc_bits)
            out[i, j] = acc
    return out
