"""Affine integers, int2 to int8: symmetric, or with a zero point."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hwsim import affine
from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, code_array, encode_nearest, ones, reduce_groups, rows
from hwsim.formats._params import check_choice, stored_scale
from hwsim.qtensor import QTensor


def codebook(bits: int) -> Codebook:
    """Two's complement, so that a code is the bits that hardware stores."""
    codes = np.arange(1 << bits)
    return Codebook.of(np.where(codes < 1 << (bits - 1), codes, codes - (1 << bits)), bits)


def quantizer(bits: int) -> Callable[..., QTensor]:
    """The function that quantizes to integers of ``bits``."""

    def quantize(
        w: np.ndarray, *, group_size: int | None = None, pad: bool = False, symmetric: bool = True,
        per: str = "channel", scale_kind: str = "fp32",
    ) -> QTensor:  # fmt: skip
        """Symmetric ``w = scale * q`` or, with ``symmetric=False``, ``w = scale * (q - z)``.

        Symmetric: q = RNE(w / scale) in -(2^(bits-1)-1) .. 2^(bits-1)-1, scale = max|w| /
        (2^(bits-1)-1). Asymmetric: q = RNE(w / scale) + z in 0 .. 2^bits-1, scale = (max - min) /
        (2^bits-1) of the range widened to hold 0, z = RNE(-min / scale). The range is that of the
        channel, with ``group_size`` of so many consecutive weights (with ``pad`` the last group of
        a row may be shorter), with ``per="tensor"`` of everything. Scales are kept as ``scale_kind``.
        One multiply-accumulate is an integer multiplication, scaled once per group; a zero
        point adds ``-z`` times the sum of the group's activations, which all channels share.
        Source: Krishnamoorthi, arXiv 1806.08342, section 2.
        """
        check_choice("per", per, ("channel", "tensor"))
        check_choice("symmetric", symmetric, (True, False))
        flat = rows(w)
        if per == "tensor" and group_size is not None:
            raise FormatError("per='tensor' and group_size exclude each other")
        size = check_group_size(flat.shape[1], group_size, pad)
        low, high = (
            (ufunc.reduce(flat, axis=None, keepdims=True) if per == "tensor" else reduce_groups(ufunc, flat, size))
            for ufunc in (np.minimum, np.maximum)
        )
        zero = None
        if symmetric:
            limit = (1 << (bits - 1)) - 1
            exact = np.maximum(-low, high) / limit
        else:
            limit = (1 << bits) - 1
            exact, point = affine.parameters(low, high, bits)
            zero = point.astype(np.uint16)
        grid = QTensor(
            format=f"int{bits}", shape=w.shape, codes=code_array(np.zeros(flat.shape), bits),
            codebook=codebook(bits) if symmetric else Codebook.of(np.arange(1 << bits), bits), group_size=size,
            scale=stored_scale(exact, scale_kind, limit), scale_kind=scale_kind, zero_point=zero,
            channel_scale=ones(len(flat)),
        )  # fmt: skip
        return encode(w, grid)

    return quantize


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest value on the grid of ``like``, ties of ``w / scale`` to even."""
    if like.lowered:
        return encode_nearest(w, like)
    bits = like.code_bits
    flat = rows(w) / like.channel_scale.astype(np.float64)[:, None]
    scale = like.spread(like.scale).astype(np.float64)
    if like.zero_point is not None:
        codes = affine.codes(flat, scale, like.spread(like.zero_point), bits)
    else:
        limit = (1 << (bits - 1)) - 1
        codes = np.clip(np.rint(flat / scale), -limit, limit).astype(np.int64) & ((1 << bits) - 1)
    return dataclasses.replace(like, codes=code_array(codes, bits))


FORMATS = tuple(
    Format(
        name=f"int{bits}", quantize=quantizer(bits), encode=encode,
        alphabet=f"-{(1 << (bits - 1)) - 1} .. {(1 << (bits - 1)) - 1}, or 0 .. {(1 << bits) - 1} less a zero point",
        mac="an integer multiplication, scaled once per group; a zero point adds its sum of activations",
        typical={"scale_kind": "fp16"},
    )
    for bits in range(2, 9)
)  # fmt: skip
