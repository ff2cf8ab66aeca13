"""Binary weights: a sign and one scale per channel."""

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.qtensor import QTensor

CODEBOOK = Codebook.of(np.array([-1, 1]), 1)


def quantize(w: np.ndarray, *, scale: str = "mean") -> QTensor:
    """``w = scale * sign(w)`` with sign(0) = +1.

    The scale is mean|w| of the channel, or 1 with ``scale="one"``: sums of such layers are
    plain integers that add exactly, and a batch norm behind them takes the scale over.
    A multiply-accumulate adds or subtracts the activation; with binary activations it is
    an XNOR and a count. Source: XNOR-Net, Rastegari et al., arXiv 1603.05279, section 3.1.
    """
    if scale not in ("mean", "one"):
        raise FormatError(f"binary: scale must be 'mean' or 'one', not {scale!r}")
    flat = w.reshape(w.shape[0], -1).astype(np.float64)
    mean = np.abs(flat).mean(axis=1, keepdims=True).astype(np.float32)
    mean = np.maximum(mean, np.finfo(np.float32).tiny)
    return QTensor(
        format="binary", shape=w.shape, codes=(flat >= 0).astype(np.uint8),
        codebook=CODEBOOK, group_size=flat.shape[1],
        scale=mean if scale == "mean" else np.ones_like(mean),
        channel_scale=np.ones(len(flat), np.float32),
    )  # fmt: skip


FORMATS = (
    Format(
        name="binary", quantize=quantize, alphabet="-1, +1",
        mac="an addition or subtraction; with binary activations XNOR and a count",
    ),
)  # fmt: skip
