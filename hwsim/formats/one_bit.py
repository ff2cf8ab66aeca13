"""One-bit unrolling: signs on the links that a mask leaves, and three ways to count their bits."""

import dataclasses
import math

import numpy as np

from hwsim.formats._format import Format
from hwsim.formats._nearest import ones, rows
from hwsim.formats._scales import check_number, stored
from hwsim.formats._signs import TERNARY, ternary_codes
from hwsim.qtensor import QTensor


def quantize(w: np.ndarray, *, threshold: float = 0.0, scale_kind: str = "fp32") -> QTensor:
    """``w = scale * sign(w)`` on links with |w| above ``threshold``, no link elsewhere; one scale per tensor.

    The scale is mean|w| of the links. Stored as a mask of one bit per weight and a sign per link. A
    multiply-accumulate adds, subtracts or, without a link, does not happen. Source: one-bit weights of unrolled
    solvers, arXiv 2502.01908; the three ways of counting are this module's functions.
    """
    check_number("one_bit: threshold", threshold, 0, np.finfo(np.float64).max)
    flat = rows(w)
    cut = np.where(np.abs(flat) > threshold, flat, 0)
    links = np.count_nonzero(cut)
    mean = np.abs(cut).sum(keepdims=True) / max(links, 1)
    return QTensor(
        format="one_bit", shape=w.shape, codes=ternary_codes(np.sign(cut)), codebook=TERNARY,
        group_size=flat.shape[1], scale=stored(mean, scale_kind, positive=True), scale_kind=scale_kind,
        channel_scale=ones(len(flat)), transport="mask",
    )  # fmt: skip


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Signs of ``w``, a link where it is not 0, with the scale of ``like``."""
    return dataclasses.replace(like, codes=ternary_codes(np.sign(rows(w))))


def signs_only(links: int, nonzero: int) -> float:
    """Bits per link of the dense layer, counting signs alone: the density d."""
    return nonzero / links


def with_mask(links: int, nonzero: int) -> float:
    """Bits per link with a mask: 1 + d, what a QTensor stores."""
    return 1 + nonzero / links


def entropy_floor(links: int, nonzero: int) -> float:
    """Bits per link with an ideally coded mask: H(d) + d."""
    shares = (nonzero / links, 1 - nonzero / links)
    return nonzero / links - sum(share * math.log2(share) for share in shares if share > 0)


def coordinates(links: int, nonzero: int, index_bits: int | None = None) -> float:
    """Bits per link with the position of each nonzero: d * (index bits + 1), by default ceil(log2(links)) of them."""
    bits = math.ceil(math.log2(links)) if index_bits is None else index_bits
    return nonzero / links * (bits + 1)


FORMATS = (
    Format(
        name="one_bit", quantize=quantize, encode=encode, alphabet="-1, +1 on links, 0 elsewhere",
        mac="an addition or subtraction on links, nothing elsewhere",
        typical={"threshold": 0.954, "scale_kind": "fp16"},
        greedy="links are cut at a threshold, the others keep their sign",
    ),
)  # fmt: skip
