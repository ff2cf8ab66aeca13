"""PLUM: signed binary, each filter either {0, +1} or {0, -1}."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._format import Format
from hwsim.formats._nearest import ones, rows
from hwsim.formats._scales import check_number
from hwsim.qtensor import QTensor

CODEBOOK = Codebook.of(np.array([0, 1]), 1)


def quantize(w: np.ndarray, *, delta: float = 0.05) -> QTensor:
    """``w = sign(filter) * bit``: the first floor(N/2) filters have sign +1, the others -1.

    The bit is 1 where ``sign * w >= delta * max|w|`` of the filter (equality included), and 0 in
    a filter of zeros. The scale is 1: a batch norm behind the layer takes it over. A
    multiply-accumulate adds or skips; filters of sign -1 are negated once at the end.
    Globally ternary, locally binary, 1 bit per weight and 1 per filter. Source: PLUM, Kuhar et
    al., arXiv 2312.01581.
    """
    check_number("plum: delta", delta, 0, 1)
    n, k = w.shape[0], int(np.prod(w.shape[1:]))
    sign = np.where(np.arange(n) < n // 2, 1, -1).astype(np.float32)[:, None]
    return QTensor(
        format="plum", shape=w.shape, codes=_codes(rows(w), sign, delta), codebook=CODEBOOK, group_size=k,
        scale=sign, scale_kind="sign", channel_scale=ones(n),
    )  # fmt: skip


def encode(w: np.ndarray, like: QTensor, delta: float = 0.05) -> QTensor:
    """Bits by the threshold rule of `quantize`, with the region signs of ``like``."""
    return dataclasses.replace(like, codes=_codes(rows(w), like.scale, delta))


def thresholds(w: np.ndarray, delta: float = 0.05) -> np.ndarray:
    """float64[N]: ``delta * max|w|`` of each filter."""
    return delta * np.abs(rows(w)).max(axis=1)


def _codes(flat: np.ndarray, sign: np.ndarray, delta: float) -> np.ndarray:
    nonzero = (flat != 0).any(axis=1, keepdims=True)
    return ((sign * flat >= thresholds(flat, delta)[:, None]) & nonzero).astype(np.uint8)


FORMATS = (
    Format(
        name="plum", quantize=quantize, encode=encode, alphabet="0, +1 or 0, -1 by filter",
        mac="an addition or nothing; filters of sign -1 are negated at the end",
        greedy="bits are set above a threshold relative to the filter's largest weight, not by nearest value",
    ),
)  # fmt: skip
