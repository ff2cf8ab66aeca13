"""Products of L-Mul: two codes added as integers (docs/hardware.md, Floating-point products)."""

import numba
import numpy as np

from hwsim.kernels import floating
from hwsim.kernels._jit import bits_to_float32, jit


@jit()
def product(a, b, layout, offset):
    """Code of the product of codes ``a`` and ``b``; layout is (exponent bits, mantissa bits, largest code)."""
    exponent_bits, mantissa_bits, top = layout
    sign = np.int64(1) << (exponent_bits + mantissa_bits)
    x, y = np.int64(a) & (sign - 1), np.int64(b) & (sign - 1)
    normal = np.int64(1) << mantissa_bits
    total = x + y - offset
    if x < normal or y < normal or total < normal:
        return np.int64(0)
    return min(total, np.int64(top)) | ((np.int64(a) ^ np.int64(b)) & sign)


@jit(parallel=True)
def products(a, b, layout, offset):
    """int64[N]: the products of codes int64[N], element by element."""
    out = np.empty(a.size, dtype=np.int64)
    for i in numba.prange(a.size):
        out[i] = product(a[i], b[i], layout, offset)
    return out


# The operands of the products below are codes at the place of a float32's exponent and mantissa, each less half of
# what is subtracted in all. In the first two signs are in bit 31, where they add up to the product's, because
# magnitudes add up to less than that; in the others in bit 0, which is free. ``constants`` are int32 (bits of the
# smallest normal product, of the largest) and what `floating.summing` needs.


@jit()
def operand(code, layout):
    """What stands for a code; layout is int64 (code of the sign, of the smallest normal, shift, addend, sign, zero)."""
    sign_bit, normal, shift, addend, sign, zero = layout
    magnitude = np.int64(code) & (sign_bit - 1)
    made = (magnitude << shift) + addend + (sign if code >= sign_bit else 0)
    return made if magnitude >= normal else zero


operands = floating.standing_for(operand)


@jit()
def plain(a, b, constants):
    """The product as float32, where none is too small or too large: zeros become numbers too small to matter."""
    return bits_to_float32(np.int32(a + b))


NORMAL, NOT_NORMAL, ABOVE = 128 << 23, 64 << 23, 192 << 23
"""Where `flushed` has normal products, and the others: there bit 29 is set, so that one instruction finds them."""


@jit()
def flushed(a, b, constants):
    """The product as float32, where none is too large. The other zero is what compilers add at no cost."""
    bits = np.int32(a + b)
    return bits_to_float32(bits) if np.int32(bits & NOT_NORMAL) == 0 else np.float32(-0.0)


@jit()
def narrow(a, b, constants):
    """Any product as float32."""
    total = np.int32(a + b)
    kept = np.int32(total & -4)
    bits = np.int32(np.int32(min(kept, constants[1])) | np.int32(total << 31))
    return bits_to_float32(bits if kept >= constants[0] else np.int32(0))


@jit()
def wide(a, b, constants):
    """Like `narrow`, of int64 operands: for magnitudes whose sum needs more than 32 bits."""
    total = np.int64(a) + np.int64(b)
    kept = total & np.int64(-4)
    bits = np.int32(min(kept, np.int64(constants[1])) | (total & 1) << 31)
    return bits_to_float32(bits if kept >= constants[0] else np.int32(0))


MATMULS = {
    product.__name__: {total.__name__: floating.summing(product, total) for total in (np.float32, np.int32, np.float64)}
    for product in (plain, flushed, narrow, wide)
}
"""By the product's name and what sums are."""
