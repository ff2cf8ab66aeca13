"""Set bits of whole numbers under the representations that bit-serial schemes count.

Masks are int64 arrays of the shape of the numbers: bit i is set where there is a term of magnitude 2**i.
"""

import numpy as np


def magnitude(values: np.ndarray) -> np.ndarray:
    """Masks of the magnitudes (sign-magnitude without the sign)."""
    return np.abs(values.astype(np.int64))


def sign_magnitude(values: np.ndarray, bits: int) -> np.ndarray:
    """Masks of the magnitudes with the sign at position ``bits``."""
    return magnitude(values) | (values < 0).astype(np.int64) << bits


def twos_complement(values: np.ndarray, bits: int) -> np.ndarray:
    """Masks of the ``bits`` two's complement bits, the top one being negative."""
    return values.astype(np.int64) & ((1 << bits) - 1)


def recoded(values: np.ndarray) -> np.ndarray:
    """Masks of the non-adjacent form (signed digits) where it has fewer terms than the magnitude, else of that."""
    plain = magnitude(values)
    half = plain >> 1
    signed = half ^ (plain + half)
    return np.where(np.bitwise_count(signed) < np.bitwise_count(plain), signed, plain)


def flipped(values: np.ndarray) -> np.ndarray:
    """Masks of the bits that differ from the sign bit: negative numbers are inverted."""
    wide = values.astype(np.int64)
    return wide ^ (wide >> 63)


def length(masks: np.ndarray) -> np.ndarray:
    """int64: position of the highest set bit + 1; 0 for an empty mask (masks below 2**53)."""
    return np.frexp(masks.astype(np.float64))[1].astype(np.int64)


def trailing_zeros(masks: np.ndarray) -> np.ndarray:
    """int64: position of the lowest set bit; 0 for an empty mask."""
    return np.maximum(length(masks & -masks) - 1, 0)
