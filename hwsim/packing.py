"""Codes in bytes: of 1 to 16 bits, LSB first, each row padded to a byte; ternary ones, five in a byte or by mask."""

import numpy as np

from hwsim.errors import FormatError
from hwsim.kernels import packing as kernel

POWERS_OF_3 = 3 ** np.arange(5)


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """uint8[N, ceil(K * bits / 8)] from uint8 or uint16 [N, K] codes below ``2**bits``."""
    if bits == 8:
        return codes.astype(np.uint8)
    if bits == 16:
        return np.ascontiguousarray(codes, "<u2").view(np.uint8)
    packed = np.empty((len(codes), -(-codes.shape[1] * bits // 8)), np.uint8)
    kernel.pack(np.ascontiguousarray(codes, np.uint8 if bits < 8 else np.uint16), bits, packed)
    return packed


def unpack(packed: np.ndarray, bits: int, k: int) -> np.ndarray:
    """uint8 (above 8 bits uint16) [N, K] codes from what `pack` made; FormatError for another number of bytes."""
    if packed.shape[1] != -(-k * bits // 8):
        raise FormatError(f"{packed.shape[1]} bytes in a row are not {k} codes of {bits} bits")
    if bits == 8:
        return packed
    stored = np.ascontiguousarray(packed)
    if bits == 16:
        return stored.view("<u2").astype(np.uint16)
    codes = np.empty((len(packed), k), np.uint8 if bits < 8 else np.uint16)
    kernel.unpack(stored, bits, codes)
    return codes


def pack_trits(codes: np.ndarray) -> np.ndarray:
    """uint8[ceil(count / 5)]: codes 0, 1, 2 (ternary 0, +1, -1) as digits ``value + 1`` in base 3, lowest first.

    The digits that fill the last byte are 0.
    """
    digits = np.zeros(-(-codes.size // 5) * 5, dtype=np.uint8)
    digits[: codes.size] = (codes.reshape(-1) + 1) % 3
    return (digits.reshape(-1, 5) @ POWERS_OF_3).astype(np.uint8)


def unpack_trits(packed: np.ndarray, count: int) -> np.ndarray:
    """uint8[count]: the codes from what `pack_trits` made; FormatError for other bytes."""
    if packed.dtype != np.uint8 or packed.shape != (-(-count // 5),):
        raise FormatError(f"trits are {packed.dtype}{packed.shape}, expected uint8({-(-count // 5)},)")
    digits = (packed[:, None].astype(np.int64) // POWERS_OF_3 % 3).reshape(-1)
    if (packed >= 243).any() or digits[count:].any():
        raise FormatError("a byte is not five trits, or the trits that fill the last byte are not 0")
    return ((digits[:count] + 2) % 3).astype(np.uint8)


def pack_mask(codes: np.ndarray) -> np.ndarray:
    """uint8: codes 0, 1, 2 (ternary 0, +1, -1) as a bit each, then a bit for each that is not 0, 1 for -1."""
    flat = codes.reshape(-1)
    return np.packbits(np.concatenate([flat > 0, flat[flat > 0] == 2]), bitorder="little")


def unpack_mask(packed: np.ndarray, count: int) -> np.ndarray:
    """uint8[count]: the codes from what `pack_mask` made; FormatError for other bytes."""
    bits = np.unpackbits(packed, bitorder="little")
    used = count + int(bits[:count].sum())
    if len(bits) != -(-used // 8) * 8 or bits[used:].any():
        raise FormatError(f"{len(packed)} bytes do not hold the signs of {used - count} of {count} weights")
    codes = bits[:count].copy()
    codes[codes > 0] += bits[count:used]
    return codes
