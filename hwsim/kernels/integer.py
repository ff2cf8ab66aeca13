"""Real numbers to whole numbers of a uniform grid."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def encode(
    x: np.ndarray,
    base: np.ndarray,
    scale: np.ndarray,
    zero: np.ndarray,
    group_size: int,
    low: int,
    high: int,
    codes: np.ndarray,
) -> None:
    """Codes uint8[N, K]: ``clip(RNE((x - base) / scale) + zero, low, high)``, negative ones in two's complement.

    Base, scale and zero are float64[N, G]; where ``low`` is negative, ``high`` is 2**(bits-1) - 1.
    The quotient is that of float64, ties go to even.
    """
    least, most = np.float64(low), np.float64(high)
    mask = 255 if low >= 0 else 2 * high + 1
    for n in numba.prange(x.shape[0]):
        for group in range(scale.shape[1]):
            origin, factor, shift = base[n, group], scale[n, group], zero[n, group]
            start = group * group_size
            part = x[n, start : min(start + group_size, x.shape[1])]
            out = codes[n, start : start + part.size]
            for i in range(part.size):
                whole = np.rint((np.float64(part[i]) - origin) / factor) + shift
                out[i] = np.int32(min(max(whole, least), most)) & mask
