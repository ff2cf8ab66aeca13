"""AdaBin: two values per channel, not symmetric about zero."""

import dataclasses

import numpy as np

from hwsim.formats._format import Format
from hwsim.formats._nearest import ones, rows
from hwsim.formats._scales import stored
from hwsim.formats._signs import SIGNS
from hwsim.qtensor import QTensor


def quantize(w: np.ndarray, *, scale_kind: str = "fp32") -> QTensor:
    """``w`` in {b - a, b + a}: b is the channel's mean, a its standard deviation.

    With activations in {c - d, c + d} a dot product of length n is ``a*d*xnor + a*c*sum(w) +
    d*b*sum(x) + n*c*b`` over the signs w and x: an XNOR and a count per multiply-accumulate, and
    two sums of which that of the weights is a constant. Source: AdaBin, Tu et al., arXiv
    2208.08084.
    """
    flat = rows(w)
    mean = flat.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.square(flat - mean).mean(axis=1, keepdims=True))
    like = QTensor(
        format="adabin", shape=w.shape, codes=np.zeros(flat.shape, np.uint8), codebook=SIGNS,
        group_size=flat.shape[1], scale=stored(deviation, scale_kind, positive=True), scale_kind=scale_kind,
        offset=stored(mean, scale_kind), offset_kind=scale_kind, channel_scale=ones(len(flat)),
    )  # fmt: skip
    return encode(w, like)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """+1 where ``w >= b``; everywhere in a channel so even that ``b - a`` rounds to ``b`` in float32."""
    assert like.offset is not None
    offset = like.offset.astype(np.float64)
    even = (offset - like.scale).astype(np.float32) >= like.offset
    unit = like.channel_scale[:, None].astype(np.float64)
    return dataclasses.replace(like, codes=((rows(w) >= offset * unit) | even).astype(np.uint8))


FORMATS = (
    Format(
        name="adabin", quantize=quantize, encode=encode, alphabet="b - a, b + a",
        mac="an XNOR and a count, plus a * c * sum(w) and d * b * sum(x) per dot product",
        typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
