"""Affine integers, int2 to int8: symmetric, or with a zero point."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hwsim import affine
from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _uniform
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, encode_nearest, reduce_groups
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
        flat = _group_scales.matrix(w)
        if per == "tensor" and group_size is not None:
            raise FormatError("per='tensor' and group_size exclude each other")
        size = check_group_size(flat.shape[1], group_size, pad)
        zero = None
        if symmetric:
            limit = (1 << (bits - 1)) - 1
            largest = _group_scales.largest(flat, size)
            exact = (largest.max(keepdims=True) if per == "tensor" else largest) / limit
        else:
            limit = (1 << bits) - 1
            low, high = (
                (ufunc.reduce(flat, axis=None, keepdims=True) if per == "tensor" else reduce_groups(ufunc, flat, size))
                for ufunc in (np.minimum, np.maximum)
            )
            exact, point = affine.parameters(low, high, bits)
            zero = point.astype(np.uint16)
        scale = stored_scale(exact, scale_kind, limit)
        return QTensor(
            format=f"int{bits}", codes=_codes(flat, scale, zero, size, bits),
            codebook=codebook(bits) if symmetric else Codebook.of(np.arange(1 << bits), bits), group_size=size,
            scale=scale, scale_kind=scale_kind, zero_point=zero, **_group_scales.fields(w),
        )  # fmt: skip

    return quantize


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest value on the grid of ``like``, ties of ``w / scale`` to even."""
    if like.lowered:
        return encode_nearest(w, like)
    flat = _group_scales.matrix(w)
    if (like.channel_scale != 1).any():
        flat = flat / like.channel_scale.astype(np.float64)[:, None]
    return dataclasses.replace(like, codes=_codes(flat, like.scale, like.zero_point, like.group_size, like.code_bits))


def _codes(flat: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, group_size: int, bits: int) -> np.ndarray:
    limit = (1 << (bits - 1)) - 1
    low, high = (-limit, limit) if zero is None else (0, (1 << bits) - 1)
    return _uniform.codes(flat, scale, group_size, low, high, zero)


FORMATS = tuple(
    Format(
        name=f"int{bits}", quantize=quantizer(bits), encode=encode,
        alphabet=f"-{(1 << (bits - 1)) - 1} .. {(1 << (bits - 1)) - 1}, or 0 .. {(1 << bits) - 1} less a zero point",
        mac="an integer multiplication, scaled once per group; a zero point adds its sum of activations",
        typical={"scale_kind": "fp16"},
    )
    for bits in range(2, 9)
)  # fmt: skip
