"""The two bits of dual binarization."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def encode(x: np.ndarray, first: np.ndarray, second: np.ndarray, group_size: int, codes: np.ndarray) -> None:
    """Codes[N, K], bit 0 of weight ``first`` and bit 1 of ``second``, both float64[N, G].

    Bit 0 is ``x >= (first + second) / 2``, bit 1 what is left of x ``<= second / 2``.
    """
    for n in numba.prange(x.shape[0]):
        for group in range(first.shape[1]):
            a, b = first[n, group], second[n, group]
            start = group * group_size
            part = x[n, start : min(start + group_size, x.shape[1])]
            out = codes[n, start : start + part.size]
            for i in range(part.size):
                value = np.float64(part[i])
                high = value >= (a + b) / 2
                low = (value - a if high else value) <= b / 2
                out[i] = np.uint8(high) | np.uint8(low) << np.uint8(1)
