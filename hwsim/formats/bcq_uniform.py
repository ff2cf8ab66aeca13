"""Uniform integers as binary coding: what LUT-GEMM runs an affine checkpoint as."""

import numpy as np

from hwsim import affine
from hwsim.codebook import Codebook
from hwsim.formats import _group_scales, _uniform
from hwsim.formats._bcq import encode
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, ones, reduce_groups
from hwsim.formats._scales import check_number, stored
from hwsim.qtensor import QTensor


def quantize(
    w: np.ndarray, *, bits: int = 4, group_size: int | None = 128, pad: bool = False, scale_kind: str = "fp32"
) -> QTensor:
    """``w = s * (code - zero)`` of 1..4 bits per group, kept as planes of +-1 with an offset: see `from_affine`.

    s = (max - min) / (2**bits - 1) of the range widened to hold 0, code = clip(RNE((w - e) / s) + zero), where e is
    what rounding to ``scale_kind`` adds to the offset: the nearest of the values that planes and offset stand for. A
    multiply-accumulate is, per plane, an addition or subtraction or part of a table reading; the offset is multiplied
    by the group's sum of activations. Source: LUT-GEMM, Park et al., arXiv 2206.09557.
    """
    check_number("bcq_uniform: bits", bits, 1, 4, whole=True)
    flat = _group_scales.matrix(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    low, high = reduce_groups(np.minimum, flat, size), reduce_groups(np.maximum, flat, size)
    scale, zero = affine.parameters(low, high, bits)
    scale = 2.0 * stored(scale / 2, scale_kind, positive=True)  # the lowest plane's weight is half a step
    exact = _offset(scale, zero, bits)
    added = stored(exact, scale_kind) - exact
    codes = _uniform.codes(flat, scale, size, 0, (1 << bits) - 1, zero, added)
    return from_affine(codes.reshape(w.shape), scale, zero, bits, group_size=size, scale_kind=scale_kind)


def from_affine(
    codes: np.ndarray, scale: np.ndarray, zero: np.ndarray, bits: int, *, group_size: int, scale_kind: str = "fp32"
) -> QTensor:
    """The values ``scale * (codes - zero)``, with scale and zero [N, G], as planes.

    Plane weights a_i = s * 2**(i-1), offset s * ((2**bits - 1)/2 - zero); bit i of a code is plane i. The planes are
    exact, the offset up to rounding to ``scale_kind``.
    """
    powers = 2.0 ** (np.arange(bits) - 1)
    offset = stored(_offset(scale, zero, bits), scale_kind)
    flat = codes.reshape(len(codes), -1).astype(np.uint8, copy=False)
    return QTensor(
        format="bcq_uniform", shape=codes.shape, codes=flat, codebook=Codebook.of(np.zeros(1), bits),
        group_size=group_size, scale=np.ones((1, 1), np.float32), scale_kind=scale_kind, channel_scale=ones(len(flat)),
        plane_weights=stored(powers[:, None, None] * scale, scale_kind), offset=offset, offset_kind=scale_kind,
    )  # fmt: skip


def _offset(scale: np.ndarray, zero: np.ndarray, bits: int) -> np.ndarray:
    """The middle of a group's values: float64[N, G]."""
    return np.asarray(scale, np.float64) * (((1 << bits) - 1) / 2 - zero)


FORMATS = (
    Format(
        name="bcq_uniform", quantize=quantize, encode=encode, alphabet="s * (0 .. 2**bits - 1, less zero), as planes",
        mac="per plane an addition or subtraction, or a reading of a table of signed sums; offset times sum(x)",
        typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
