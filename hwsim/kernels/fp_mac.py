"""Products of minifloats, correctly rounded to the same minifloat (docs/hardware.md, Floating-point products)."""

import numba
import numpy as np

from hwsim.kernels import floating
from hwsim.kernels._jit import bits_to_float64, float64_to_bits, jit


@jit()
def product(a, b, constants):
    """``a * b * constants[3]`` (exact in float64), rounded to nearest even and clamped, as float32.

    ``constants`` are float64 (mantissa bits, exponent of the smallest normal, largest value, power of
    two) and what `floating.summing` needs.
    """
    exact = np.float64(a) * np.float64(b) * constants[3]
    field = (float64_to_bits(exact) >> 52) & 0x7FF
    exponent = max(field - 1023, np.int64(constants[1]))
    # One and a half times 2**52 steps: adding them rounds to a whole number of steps.
    anchor = bits_to_float64((exponent - np.int64(constants[0]) + 52 + 1023) << 52 | np.int64(1) << 51)
    rounded = (exact + anchor) - anchor
    return np.float32(min(max(rounded, -constants[2]), constants[2]))


@jit(parallel=True)
def products(a, b, constants):
    """float32[N]: the products of values float32[N], element by element."""
    out = np.empty(a.size, dtype=np.float32)
    for i in numba.prange(a.size):
        out[i] = product(a[i], b[i], constants)
    return out


@jit()
def operand(code, values):
    """The value of a code."""
    return values[code]


operands = floating.standing_for(operand)
MATMULS = {total.__name__: floating.summing(product, total) for total in (np.float32, np.int32, np.float64)}
"""By what sums are."""
