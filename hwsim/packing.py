"""Codes of 1 to 8 bits in bytes: LSB first, each row padded to a byte."""

import numpy as np


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """uint8[N, ceil(K * bits / 8)] from uint8[N, K] codes below ``2**bits``."""
    planes = np.unpackbits(codes[:, :, None], axis=2, bitorder="little")[:, :, :bits]
    return np.packbits(planes.reshape(len(codes), -1), axis=1, bitorder="little")


def unpack(packed: np.ndarray, bits: int, k: int) -> np.ndarray:
    """uint8[N, K] codes from what `pack` made."""
    planes = np.unpackbits(packed, axis=1, bitorder="little")[:, : k * bits]
    return np.packbits(planes.reshape(len(packed), k, bits), axis=2, bitorder="little")[:, :, 0]
