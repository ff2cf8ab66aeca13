"""Real numbers to minifloat codes."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def encode(
    x: np.ndarray, scale: np.ndarray, group_size: int, layout: tuple[int, int, int], top: int, away: bool,
    signed_zero: bool, codes: np.ndarray,
) -> None:  # fmt: skip
    """Codes[N, K] of ``x[n, k] / scale[n, k // group_size]``, rounded to nearest.

    Layout is (exponent bits, mantissa bits, bias); ``top`` is the code of the largest magnitude. Ties
    go to the even code or, with ``away``, away from zero.
    """
    exponent_bits, mantissa_bits, bias = layout
    lowest = 1 - bias
    sign_bit = 1 << (exponent_bits + mantissa_bits)
    for n in numba.prange(x.shape[0]):
        for group in range(scale.shape[1]):
            factor = np.float64(scale[n, group])
            part = x[n, group * group_size : min((group + 1) * group_size, x.shape[1])]
            for i in range(part.size):
                bits = np.float64(np.float64(part[i]) / factor).view(np.int64)
                magnitude = np.float64(min(np.int64(bits & 0x7FFFFFFFFFFFFFFF).view(np.float64), 2.0**512))
                # The exponent field of a float64 picks the step; adding 2**52 steps rounds to it.
                exponent = max((magnitude.view(np.int64) >> 52) - 1023, lowest)
                anchor_bits = np.int64((exponent - mantissa_bits + 52 + 1023) << 52)
                anchor = anchor_bits.view(np.float64)
                rounded = np.float64(magnitude + anchor)
                steps = rounded.view(np.int64) - anchor_bits
                code = steps + ((exponent - lowest) << mantissa_bits)
                if away:
                    code += magnitude - (rounded - anchor) == anchor * 2.0**-53
                elif mantissa_bits == 0:  # the even one is then the even exponent
                    code -= (code & 1) and (rounded - anchor) - magnitude == anchor * 2.0**-53
                code = min(code, top)
                negative = bits < 0 and (signed_zero or code != 0)
                codes[n, group * group_size + i] = code | (sign_bit if negative else 0)
