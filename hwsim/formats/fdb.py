"""DB-LLM's flexible dual binarization: two 0/1 planes, each with its own scales."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, ones, reduce_groups, rows
from hwsim.formats._scales import stored
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
    flat = rows(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    span = np.maximum(reduce_groups(np.maximum, flat, size) / 2, -reduce_groups(np.minimum, flat, size))
    step = stored(span, scale_kind, positive=True)
    like = QTensor(
        format="fdb", shape=w.shape, codes=np.zeros(flat.shape, np.uint8), codebook=PLANES, group_size=size,
        scale=np.ones((1, 1), np.float32), scale_kind=scale_kind, channel_scale=ones(len(flat)),
        plane_weights=stored(np.stack([2 * step.astype(np.float64), -step]), scale_kind), plane_alphabet="01",
    )  # fmt: skip
    return encode(w, like)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Bits by the rule of `quantize`, with the plane weights of ``like``."""
    assert like.plane_weights is not None
    weights = like.plane_weights * (like.scale * like.channel_scale[:, None].astype(np.float64))
    first, second = like.spread(weights)
    flat = rows(w)
    b1 = flat >= (first + second) / 2
    b2 = flat - first * b1 <= second / 2
    return dataclasses.replace(like, codes=(b1 + 2 * b2).astype(np.uint8))


FORMATS = (
    Format(
        name="fdb", quantize=quantize, encode=encode, alphabet="-s, 0, s, 2s, or a1*b1 + a2*b2 once trained",
        mac="two additions, each skipped where its bit is 0", typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
