"""The output requantizer, element by element (docs/hardware.md)."""

import numba
import numpy as np

from hwsim.kernels._jit import jit
from hwsim.kernels.accumulate import saturate


@jit(parallel=True)
def requantize(acc, bias, multiplier, shift, invert, low, high, threshold, saturates):
    """int32[M, N] results of int32[M, N] sums."""
    m, n = acc.shape
    out = np.empty((m, n), dtype=np.int32)
    for i in numba.prange(m):
        for j in range(n):
            total = np.int64(acc[i, j]) + bias[j]
            total = saturate(total, 32) if saturates else np.int64(np.int32(total))
            if threshold:
                value = high if (total >= 0) != invert[j] else low
            else:
                value = scaled(total, multiplier[j], shift[j])
                value = min(max(value, low), high)
            out[i, j] = value
    return out


@jit()
def scaled(total, multiplier, shift):
    """``total * multiplier / 2**shift``, ties toward +infinity."""
    c = np.int64(shift)
    return (np.int64(total) * np.int64(multiplier) + (np.int64(1) << (c - 1))) >> c
