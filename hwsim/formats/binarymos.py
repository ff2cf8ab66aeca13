"""BinaryMoS: signs, with input and output scales mixed anew for each token."""

import dataclasses

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._low_rank import leading
from hwsim.formats._nearest import ones, rows
from hwsim.formats._scales import check_number, stored
from hwsim.formats._signs import SIGNS, sign_codes
from hwsim.qtensor import QTensor, TokenScale


def quantize(w: np.ndarray, *, experts: int = 4, router: np.ndarray | None = None) -> QTensor:
    """``y = ((x * s_in) @ sign(w).T) * s_out`` with scales that the token x chooses; sign(0) = +1.

    ``gates = softmax(router @ x)`` mix the ``experts`` rows of the tables ``s_in`` and ``s_out``. Both start as
    the rank-1 approximation of |w|, copied to every expert, and are then trained, as is ``router`` [experts,
    K] (zeros if not given; one expert needs none, which is OneBit). All three are stored in
    fp16. A multiply-accumulate adds or subtracts a scaled activation, which an integer array needs
    requantized first; per token come the router, a softmax and the mixing of scales. Source:
    BinaryMoS, Jo et al., arXiv 2406.12311.
    """
    check_number("binarymos: experts", experts, 1, 256, whole=True)
    flat = rows(w)
    if router is None:
        router = np.zeros((experts if experts > 1 else 0, flat.shape[1]))
    elif np.shape(router) != (experts, flat.shape[1]) or not np.isfinite(router).all():
        raise FormatError(f"binarymos: router of shape {np.shape(router)}, expected {(experts, flat.shape[1])}, finite")
    u, v = leading(np.abs(flat), 1)
    token = TokenScale(
        router=stored(router, "fp16"), s_in=np.tile(stored(v, "fp16"), (experts, 1)),
        s_out=np.tile(stored(u.T, "fp16"), (experts, 1)),
    )  # fmt: skip
    return QTensor(
        format="binarymos", shape=w.shape, codes=sign_codes(flat), codebook=SIGNS, group_size=flat.shape[1],
        scale=np.ones((1, 1), np.float32), scale_kind="none", channel_scale=ones(len(flat)), token=token,
    )  # fmt: skip


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The signs of ``w``, with the token scales of ``like``."""
    return dataclasses.replace(like, codes=sign_codes(rows(w)))


def gates(token: TokenScale, x: np.ndarray) -> np.ndarray:
    """float64[..., experts]: how much of each expert tokens ``x`` [..., K] take; 1 without a router."""
    if not len(token.router):
        return np.ones((*x.shape[:-1], 1))
    logits = x @ token.router.astype(np.float64).T
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def mixed_scales(token: TokenScale, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64[..., K] and [..., N]: input and output scales of tokens ``x`` [..., K]."""
    mix = gates(token, x)
    return mix @ token.s_in, mix @ token.s_out


def multiply(x: np.ndarray, q: QTensor) -> np.ndarray:
    """float64[..., N]: the layer's output for tokens ``x`` [..., K]."""
    if q.token is None:
        raise FormatError(f"format {q.format!r} has no token scales")
    s_in, s_out = mixed_scales(q.token, x)
    return ((x * s_in) @ q.dequantize().reshape(q.n, q.k).T.astype(np.float64)) * s_out


FORMATS = (
    Format(
        name="binarymos", quantize=quantize, encode=encode, alphabet="-1, +1, times scales of the token",
        mac="an addition or subtraction of a scaled activation; router, softmax and mixing once per token",
        typical_shape=(4096, 4096), greedy="scales depend on the token and are trained; signs are those of the weights",
    ),
)  # fmt: skip
