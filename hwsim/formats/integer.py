"""Symmetric integers: int2 to int8, one scale per channel or group."""

from collections.abc import Callable

import numpy as np

from hwsim.errors import FormatError
from hwsim.qtensor import QTensor


def codebook(bits: int) -> np.ndarray:
    """int64[2**bits]: two's complement, so that a code is the bits that hardware stores."""
    codes = np.arange(1 << bits, dtype=np.int64)
    return np.where(codes < 1 << (bits - 1), codes, codes - (1 << bits))


def quantizer(bits: int) -> Callable[..., QTensor]:
    """The function that quantizes to symmetric integers of ``bits``."""

    def quantize(w: np.ndarray, *, group_size: int | None = None, pad: bool = False) -> QTensor:
        """``w = scale * q``, q = RNE(w / scale) in -(2^(bits-1)-1) .. 2^(bits-1)-1.

        The scale is max|w| / (2^(bits-1)-1) of the channel, or of each ``group_size``
        consecutive weights; with ``pad`` the last group of a row may be shorter. One
        multiply-accumulate is an integer multiplication, scaled once per group.
        Source: symmetric affine quantization, Krishnamoorthi, arXiv 1806.08342, section 2.
        """
        flat = w.reshape(w.shape[0], -1).astype(np.float64)
        size = check_group_size(flat.shape[1], group_size, pad)
        limit = (1 << (bits - 1)) - 1
        exact = group_max(flat, size) / limit
        scale = np.where(exact > 0, np.maximum(exact, np.finfo(np.float32).tiny), 1).astype(np.float32)
        index = np.arange(flat.shape[1]) // size
        q = np.rint(flat / scale[:, index].astype(np.float64)).astype(np.int64)
        return QTensor(
            format=f"int{bits}", shape=w.shape, codes=(q & ((1 << bits) - 1)).astype(np.uint8),
            code_bits=bits, codebook=codebook(bits), group_size=size, scale=scale,
            channel_scale=np.ones(len(flat), np.float32),
        )  # fmt: skip

    return quantize


def check_group_size(k: int, group_size: int | None, pad: bool) -> int:
    """The group size for rows of ``k``; FormatError if it does not divide and ``pad`` is off."""
    if group_size is None:
        return k
    if not isinstance(group_size, int) or group_size < 1:
        raise FormatError(f"group_size {group_size!r} is not a positive whole number")
    if k % group_size and not pad:
        raise FormatError(f"group_size {group_size} does not divide rows of {k}; choose a divisor or pad=True")
    return min(group_size, k)


def group_max(flat: np.ndarray, group_size: int) -> np.ndarray:
    """[N, G]: largest magnitude of each group of [N, K]."""
    return np.maximum.reduceat(np.abs(flat), np.arange(0, flat.shape[1], group_size), axis=1)
