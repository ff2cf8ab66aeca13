"""Codes of 1 to 15 bits to bytes and back, eight at a time: eight codes of b bits are b whole bytes."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def pack(codes: np.ndarray, bits: int, packed: np.ndarray) -> None:
    """Into ``packed`` uint8[N, ceil(K * bits / 8)] the low ``bits`` of each of ``codes`` [N, K], LSB first."""
    whole = codes.shape[1] // 8
    rest = codes.shape[1] - 8 * whole
    for n in numba.prange(codes.shape[0]):
        _pack_eights(codes[n], bits, packed[n])
        if rest:
            last, stored = np.zeros(8, codes.dtype), np.empty(bits, np.uint8)
            last[:rest] = codes[n, 8 * whole :]
            _pack_eights(last, bits, stored)
            packed[n, whole * bits :] = stored[: packed.shape[1] - whole * bits]


@jit(parallel=True)
def unpack(packed: np.ndarray, bits: int, codes: np.ndarray) -> None:
    """Into ``codes`` [N, K] what `pack` put into ``packed``."""
    whole = codes.shape[1] // 8
    rest = codes.shape[1] - 8 * whole
    for n in numba.prange(codes.shape[0]):
        _unpack_eights(packed[n], bits, codes[n])
        if rest:
            stored, last = np.zeros(bits, np.uint8), np.empty(8, codes.dtype)
            stored[: packed.shape[1] - whole * bits] = packed[n, whole * bits :]
            _unpack_eights(stored, bits, last)
            codes[n, 8 * whole :] = last[:rest]


@jit()
def _pack_eights(codes: np.ndarray, bits: int, packed: np.ndarray) -> None:
    """As many of ``codes`` as there are whole eights; four of them fit 64 bits."""
    mask, half = np.uint64((1 << bits) - 1), np.uint64(4 * bits)
    for g in range(codes.size // 8):
        low, high = np.uint64(0), np.uint64(0)
        for j in range(4):
            shift = np.uint64(j * bits)
            low |= (np.uint64(codes[8 * g + j]) & mask) << shift
            high |= (np.uint64(codes[8 * g + 4 + j]) & mask) << shift
        first, second = low | high << half, high >> (np.uint64(64) - half)
        for i in range(min(bits, 8)):
            packed[g * bits + i] = first >> np.uint64(8 * i)
        for i in range(8, bits):
            packed[g * bits + i] = second >> np.uint64(8 * (i - 8))


@jit()
def _unpack_eights(packed: np.ndarray, bits: int, codes: np.ndarray) -> None:
    mask, half = np.uint64((1 << bits) - 1), np.uint64(4 * bits)
    for g in range(codes.size // 8):
        first, second = np.uint64(0), np.uint64(0)
        for i in range(min(bits, 8)):
            first |= np.uint64(packed[g * bits + i]) << np.uint64(8 * i)
        for i in range(8, bits):
            second |= np.uint64(packed[g * bits + i]) << np.uint64(8 * (i - 8))
        high = first >> half | second << (np.uint64(64) - half)
        for j in range(4):
            shift = np.uint64(j * bits)
            codes[8 * g + j] = first >> shift & mask
            codes[8 * g + 4 + j] = high >> shift & mask
