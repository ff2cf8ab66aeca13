"""Tiled Bit Networks: one tile of signs repeated through the layer."""

import dataclasses

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import ones
from hwsim.formats._scales import check_number, stored
from hwsim.formats._signs import SIGNS
from hwsim.qtensor import QTensor

ALPHAS = ("multiple", "single")


def quantize(
    w: np.ndarray, *, p: int = 4, alpha: str = "multiple", min_size: int = 0, scale_kind: str = "fp32"
) -> QTensor:
    """Tile of Q = N*K / p signs repeated ``p`` times in flat order, with a scale per repeat or one.

    The flattened weights are cut into ``p`` slices and summed; the tile is +1 where the sum is
    positive, else -1 (0 gives -1). ``alpha="multiple"``: scale i is mean|w| of slice i; "single":
    mean|w| of the layer. Layers with fewer than ``min_size`` weights keep p = 1. A
    multiply-accumulate adds or subtracts, the sign read at flat index mod Q; where Q is a multiple
    of K whole dot products repeat. 1/p + 32p / (N*K) bits per weight. Source: Tiled Bit Networks,
    Gorbett et al., arXiv 2407.12075.
    """
    check_number("tbn: p", p, 1, w.size, whole=True)
    check_number("tbn: min_size", min_size, 0, 1 << 62, whole=True)
    if alpha not in ALPHAS:
        raise FormatError(f"tbn: alpha must be one of {', '.join(ALPHAS)}, not {alpha!r}")
    p = int(p) if w.size >= min_size else 1
    if w.size % p:
        raise FormatError(f"tbn: p={p} does not divide {w.size} weights")
    slices = np.abs(w.reshape(p, -1).astype(np.float64))
    scale = slices.mean(axis=1) if alpha == "multiple" else slices.mean(keepdims=True)[0]
    stored_shape = (w.size // p,) if p > 1 else (w.shape[0], w.size // w.shape[0])
    like = QTensor(
        format="tbn", shape=w.shape, codes=np.zeros(stored_shape, np.uint8), codebook=SIGNS,
        group_size=w.size // scale.size, flat_groups=True, scale=stored(scale[None], scale_kind, positive=True),
        scale_kind=scale_kind, channel_scale=ones(w.shape[0]), tile=p,
    )  # fmt: skip
    return encode(w, like)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The tile of `aggregate`, with the scales of ``like``."""
    tile = (aggregate(w, like.tile) > 0).astype(np.uint8)
    return dataclasses.replace(like, codes=tile.reshape(like.codes.shape))


def aggregate(w: np.ndarray, p: int) -> np.ndarray:
    """float64[Q]: the sum of the ``p`` slices of the flattened weights; its sign is the tile."""
    return w.reshape(p, -1).astype(np.float64).sum(axis=0)


FORMATS = (
    Format(
        name="tbn", quantize=quantize, encode=encode, alphabet="-alpha, +alpha, signs repeated p times",
        mac="an addition or subtraction, the sign at flat index mod Q; alpha once per tile segment",
        typical={"p": 4}, greedy="a sign is shared by p weights: that of their sum",
    ),
)  # fmt: skip
