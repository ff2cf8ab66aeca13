"""What each number format costs and which datapaths take it."""

import dataclasses
import inspect
import itertools
from collections.abc import Mapping

import numpy as np

from hwsim import datapaths
from hwsim.datapath import Datapath, Rule
from hwsim.decoding import planes
from hwsim.errors import DesignError, FormatError
from hwsim.formats import Format, quantize
from hwsim.lowering import lower
from hwsim.qtensor import QTensor

SEED = 0
WIDER: dict[str, tuple[object, ...]] = {
    "scale_bits": (16, 24), "offset_bits": (16,), "plane_scales": (True,), "weight_bits": (8, 16, 20),
    "format": ("e5m2", "bf16", "fp16"),
}  # fmt: skip
"""Parameters of datapaths that a format may need other than their defaults, and values that are tried."""
MOST_TERMS_OF = 1 << 8
"""Codebooks larger than this are not searched for terms: a multiplier takes them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """One format at its typical parameters.

    Attributes:
        bits_per_weight: stored, metadata included.
        planes: bit planes, None if its values are not sums of them.
        max_terms: signed powers of two of its costliest value, None where there is no such sum.
        datapaths: those that compute its values (a cost-only rule computes none; it takes any lowered format of at most
            8 bits), each with the parameters that must be other than their defaults.
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
    q = _sample(chosen)
    found = _takers(q, datapaths.available())
    return Summary(
        name=chosen.name, alphabet=chosen.alphabet, bits_per_weight=q.bits_per_weight, planes=_planes(q),
        max_terms=_max_terms(q),
        datapaths=tuple(
            f"{name} ({', '.join(needed)})" if needed else name for name, needed in found.items() if needed is not None
        ), greedy=chosen.greedy, mac=chosen.mac,
        definition=inspect.getdoc(chosen.quantize) or "",
    )  # fmt: skip


def takers(chosen: Format, paths: Mapping[str, type[Datapath]]) -> dict[str, tuple[str, ...] | None]:
    """Of each of ``paths``: parameters that must be other than their defaults for a format, None if it takes none."""
    return _takers(_sample(chosen), paths)


def _sample(chosen: Format) -> QTensor:
    """Random weights of the format's typical shape and parameters."""
    rng = np.random.default_rng(SEED)
    w = rng.standard_normal(chosen.typical_shape, dtype=np.float32)
    return quantize(w + 1j * rng.standard_normal(w.shape) if chosen.complex else w, chosen.name, **chosen.typical)


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


def _takers(q: QTensor, paths: Mapping[str, type[Datapath]]) -> dict[str, tuple[str, ...] | None]:
    try:
        lowered = lower(q)
    except FormatError:
        return dict.fromkeys(paths)
    return {name: None if issubclass(cls, Rule) else _parameters(cls, lowered) for name, cls in paths.items()}


def _parameters(cls: type[Datapath], lowered: QTensor) -> tuple[str, ...] | None:
    """The fewest of `WIDER` with which the datapath takes the tensor; None if it does not with any."""
    own = {field.name for field in dataclasses.fields(cls)}
    wider = [name for name in WIDER if name in own]
    for count in range(len(wider) + 1):
        for chosen in itertools.combinations(wider, count):
            values = itertools.product(*(WIDER[name] for name in chosen))
            if any(_takes(cls, lowered, dict(zip(chosen, each, strict=True))) for each in values):
                return chosen
    return None


def _takes(cls: type[Datapath], lowered: QTensor, parameters: dict[str, object]) -> bool:
    try:
        cls(**parameters).supports(lowered)
    except (FormatError, DesignError):
        return False
    return True
