"""Symmetric integers: int2 to int8, one scale per channel or group."""

from collections.abc import Callable

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, reduce_groups
from hwsim.qtensor import QTensor


def codebook(bits: int) -> Codebook:
    """Two's complement, so that a code is the bits that hardware stores."""
    codes = np.arange(1 << bits)
    return Codebook.of(np.where(codes < 1 << (bits - 1), codes, codes - (1 << bits)), bits)


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
        scale = (reduce_groups(np.maximum, np.abs(flat), size) / limit).astype(np.float32)
        scale[scale == 0] = 1
        index = np.arange(flat.shape[1]) // size
        exact = np.rint(flat / scale[:, index].astype(np.float64))
        q = np.clip(exact, -limit, limit).astype(np.int64)  # a subnormal scale is a coarse one
        return QTensor(
            format=f"int{bits}", shape=w.shape, codes=(q & ((1 << bits) - 1)).astype(np.uint8),
            codebook=codebook(bits), group_size=size, scale=scale,
            channel_scale=np.ones(len(flat), np.float32),
        )  # fmt: skip

    return quantize


FORMATS = tuple(
    Format(
        name=f"int{bits}", quantize=quantizer(bits), alphabet=f"-{(1 << (bits - 1)) - 1} .. {(1 << (bits - 1)) - 1}",
        mac="an integer multiplication, scaled once per group",
    )
    for bits in range(2, 9)
)  # fmt: skip
