"""Codes of 1 to 16 bits in bytes: LSB first, each row padded to a byte."""

import numpy as np


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """uint8[N, ceil(K * bits / 8)] from uint8 or uint16 [N, K] codes below ``2**bits``."""
    if bits == 8:
        return codes.astype(np.uint8)
    stored = np.ascontiguousarray(codes).astype("<u2" if bits > 8 else np.uint8)[:, :, None].view(np.uint8)
    planes = np.unpackbits(stored, axis=2, bitorder="little")[:, :, :bits]
    return np.packbits(planes.reshape(len(codes), -1), axis=1, bitorder="little")


def unpack(packed: np.ndarray, bits: int, k: int) -> np.ndarray:
    """uint8 (above 8 bits uint16) [N, K] codes from what `pack` made."""
    if bits == 8:
        return packed
    planes = np.unpackbits(packed, axis=1, bitorder="little")[:, : k * bits].reshape(len(packed), k, bits)
    stored = np.packbits(planes, axis=2, bitorder="little")
    return stored[:, :, 0] if bits < 8 else stored.view("<u2")[:, :, 0].astype(np.uint16)
