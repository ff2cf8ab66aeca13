"""What each number format costs and which datapaths take it."""

import dataclasses
import inspect

import numpy as np

from hwsim import datapaths
from hwsim.datapath import Rule
from hwsim.decoding import planes
from hwsim.errors import DesignError, FormatError
from hwsim.formats import Format, quantize
from hwsim.lowering import lower
from hwsim.qtensor import QTensor

SEED = 0
MOST_TERMS_OF = 1 << 8
"""Codebooks larger than this are not searched for terms: a multiplier takes them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """One format at its typical parameters.

    Attributes:
        bits_per_weight: stored, metadata included.
        planes: bit planes, None if its values are not sums of them.
        max_terms: signed powers of two of its costliest value, None where there is no such sum.
        datapaths: those that take it as they are, with no parameter changed, and compute its values (a
            cost-only rule computes none; it takes any lowered format of at most 8 bits).
    """

    name: str
    alphabet: str
    bits_per_weight: float
    planes: int | None
    max_terms: int | None
    datapaths: tuple[str, ...]
    greedy: str
    mac: str
    definition: str


def summarize(chosen: Format) -> Summary:
    """The summary of a format, from random weights of its typical shape and parameters."""
    rng = np.random.default_rng(SEED)
    w = rng.standard_normal(chosen.typical_shape, dtype=np.float32)
    q = quantize(w + 1j * rng.standard_normal(w.shape) if chosen.complex else w, chosen.name, **chosen.typical)
    return Summary(
        name=chosen.name, alphabet=chosen.alphabet, bits_per_weight=q.bits_per_weight, planes=_planes(q),
        max_terms=_max_terms(q), datapaths=_datapaths(q), greedy=chosen.greedy, mac=chosen.mac,
        definition=inspect.getdoc(chosen.quantize) or "",
    )  # fmt: skip


def _planes(q: QTensor) -> int | None:
    try:
        return len(planes(q)[0])
    except FormatError:
        return None


def _max_terms(q: QTensor) -> int | None:
    special = q.plane_weights is not None or q.envelope is not None
    if special or q.codebook.mantissas.shape[1] > MOST_TERMS_OF or q.codebook.entry_bits:
        return None
    return max(len(terms) for table in q.codebook.terms() for terms in table)


def _datapaths(q: QTensor) -> tuple[str, ...]:
    try:
        lowered = lower(q)
    except FormatError:
        return ()
    return tuple(
        name for name, cls in datapaths.available().items() if not issubclass(cls, Rule) and _takes(cls, lowered)
    )


def _takes(cls: type, lowered: QTensor) -> bool:
    try:
        cls().supports(lowered)
    except (FormatError, DesignError):
        return False
    return True
