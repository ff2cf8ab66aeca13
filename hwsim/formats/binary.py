"""Binary weights: a sign and one scale per channel."""

import functools

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import encode_nearest, ones, rows
from hwsim.formats._scales import stored
from hwsim.formats._signs import SIGNS, sign_codes
from hwsim.qtensor import QTensor


def quantize(w: np.ndarray, *, scale: str = "mean", scale_kind: str = "fp32") -> QTensor:
    """``w = scale * sign(w)`` with sign(0) = +1.

    The scale is mean|w| of the channel, or 1 with ``scale="one"``: sums of such layers are
    plain integers that add exactly, and a batch norm behind them takes the scale over.
    A multiply-accumulate adds or subtracts the activation; with binary activations it is
    an XNOR and a count. Source: XNOR-Net, Rastegari et al., arXiv 1603.05279, section 3.1.
    """
    if scale not in ("mean", "one"):
        raise FormatError(f"binary: scale must be 'mean' or 'one', not {scale!r}")
    flat = rows(w)
    mean = stored(np.abs(flat).mean(axis=1, keepdims=True), scale_kind, positive=True)
    return QTensor(
        format="binary", shape=w.shape, codes=sign_codes(flat), codebook=SIGNS, group_size=flat.shape[1],
        scale=mean if scale == "mean" else np.ones_like(mean), scale_kind=scale_kind, channel_scale=ones(len(flat)),
    )  # fmt: skip


FORMATS = (
    Format(
        name="binary", quantize=quantize, encode=functools.partial(encode_nearest, ties="larger"), alphabet="-1, +1",
        mac="an addition or subtraction; with binary activations XNOR and a count",
        typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
