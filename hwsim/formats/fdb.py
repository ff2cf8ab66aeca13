"""DB-LLM's flexible dual binarization: two 0/1 planes, each with its own scales."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats import _group_scales
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, reduce_groups
from hwsim.formats._scales import stored
from hwsim.kernels import dual_binary
from hwsim.qtensor import QTensor

PLANES = Codebook.of(np.zeros(1), 2)


def quantize(
    w: np.ndarray, *, group_size: int | None = 64, pad: bool = False, scale_kind: str = "fp32"
) -> QTensor:  # fmt: skip
    """``w = a1*b1 + a2*b2``, bits in {0, 1}, per group; a1 = 2s and a2 = -s: levels -s, 0, s, 2s.

    ``b1 = H(w - (a1 + a2)/2)``, ``b2 = H(-(w - a1*b1 - a2/2))``, H(0) = 1. s is the smallest for which the
    levels span the group, max(max(w)/2, -min(w)). Both weights are then trained: give them by
    ``dataclasses.replace(q, plane_weights=...)`` and `hwsim.formats.encode`. A multiply-accumulate
    is two additions, each skipped where its bit is 0. Source: DB-LLM, Chen et al., arXiv 2402.11960.
    """
    flat = _group_scales.matrix(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    low, high = (reduce_groups(each, flat, size).astype(np.float64) for each in (np.minimum, np.maximum))
    span = np.maximum(high / 2, -low)
    step = stored(span, scale_kind, positive=True)
    like = QTensor(
        format="fdb", codes=np.zeros(flat.shape, np.uint8), codebook=PLANES, group_size=size,
        scale=np.ones((1, 1), np.float32), scale_kind=scale_kind,
        plane_weights=stored(np.stack([2 * step.astype(np.float64), -step]), scale_kind), plane_alphabet="01",
        **_group_scales.fields(w),
    )  # fmt: skip
    return encode(w, like)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Bits by the rule of `quantize`, with the plane weights of ``like``."""
    assert like.plane_weights is not None
    weights = like.plane_weights * (like.scale * like.channel_scale[:, None].astype(np.float64))
    first, second = (_group_scales.per_group(each, (like.n, like.groups)) for each in weights)
    codes = np.empty((like.n, like.k), np.uint8)
    dual_binary.encode(_group_scales.matrix(w), first, second, like.group_size, codes)
    return dataclasses.replace(like, codes=_group_scales.final(codes))


FORMATS = (
    Format(
        name="fdb", quantize=quantize, encode=encode, alphabet="-s, 0, s, 2s, or a1*b1 + a2*b2 once trained",
        mac="two additions, each skipped where its bit is 0", typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
