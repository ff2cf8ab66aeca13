"""Binary weights: a sign and one scale per channel."""

import numpy as np

from hwsim.qtensor import QTensor

CODEBOOK = np.array([-1, 1], dtype=np.int64)


def quantize(w: np.ndarray) -> QTensor:
    """``w = scale * sign(w)`` with scale = mean|w| of the channel and sign(0) = +1.

    A multiply-accumulate adds or subtracts the activation; with binary activations it is
    an XNOR and a count. Source: XNOR-Net, Rastegari et al., arXiv 1603.05279, section 3.1.
    """
    flat = w.reshape(w.shape[0], -1).astype(np.float64)
    scale = np.abs(flat).mean(axis=1, keepdims=True)
    return QTensor(
        format="binary", shape=w.shape, codes=(flat >= 0).astype(np.uint8), code_bits=1,
        codebook=CODEBOOK, group_size=flat.shape[1],
        scale=np.where(scale > 0, scale, 1).astype(np.float32),
        channel_scale=np.ones(len(flat), np.float32),
    )  # fmt: skip
