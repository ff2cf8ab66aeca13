"""What costs depend on of weights: statistics of a matrix on an array, taken once and kept, in memory and on disk."""

import dataclasses
import functools
import hashlib
import inspect
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import hwsim
from hwsim import schema
from hwsim.blob_cache import BlobCache
from hwsim.datapath import Array, Datapath
from hwsim.design import Design
from hwsim.errors import FormatError
from hwsim.integer import wide_sums
from hwsim.progress import track
from hwsim.qtensor import QTensor
from hwsim.repetition import Repetition
from hwsim.weight_source import WeightSource, kept_tensor
from hwsim.workload import MatmulLayer

Weights = QTensor | WeightSource
Place = tuple[Datapath, Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What costs depend on of one weight matrix on one array, or why the datapath refuses it.

    Attributes:
        group_size, storage_bits: of the tensor.
        refusal: empty if the datapath takes the tensor, which the rest supposes.
        values: as `Stats.values`.
        peak_macs: as `Datapath.peak_macs`.
        repetition: as `Datapath.repetition`.
    """

    group_size: int
    storage_bits: int
    refusal: str = ""
    values: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    peak_macs: float = 0.0
    repetition: Repetition | None = None

    def to_bytes(self) -> bytes:
        """One line of JSON, and the statistics."""
        repeats = None if self.repetition is None else dataclasses.astuple(self.repetition)
        head = [self.group_size, self.storage_bits, self.refusal, self.peak_macs, repeats]
        return json.dumps(head).encode() + b"\n" + np.ascontiguousarray(self.values, dtype="<i8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Measured":
        """The inverse of `to_bytes`."""
        head, _, values = data.partition(b"\n")
        group_size, storage_bits, refusal, peak_macs, repeats = json.loads(head)
        return cls(
            group_size=group_size, storage_bits=storage_bits, refusal=refusal, peak_macs=peak_macs,
            values=np.frombuffer(values, dtype="<i8").astype(np.int64),
            repetition=None if repeats is None else Repetition(*repeats),
        )  # fmt: skip


_MEASURED: dict[tuple[str, Datapath, Array], Measured] = {}
_MEASURED_LIMIT = 20_000


def measure(w: Weights, datapath: Datapath, array: Array) -> Measured:
    """What costs depend on, remembered by the weights' hash: weights that are not in memory are made for it."""
    return measure_on(w, [(datapath, array)])[0]


def measure_on(w: Weights, places: Sequence[Place]) -> list[Measured]:
    """`measure` on several arrays: weights that are not in memory are made at most once, statistics taken once.

    What was measured before is read from the cache on disk, if the very same code measured it.
    """
    missing = list(dict.fromkeys(place for place in places if (w.hash, *place) not in _MEASURED))
    if missing:
        if len(_MEASURED) + len(missing) > _MEASURED_LIMIT:
            kept = [_MEASURED.get((w.hash, *place)) for place in places]
            _MEASURED.clear()
            _MEASURED.update({(w.hash, *place): known for place, known in zip(places, kept, strict=True) if known})
        _MEASURED.update({(w.hash, *place): found for place, found in _measure_new(w, missing).items()})
    return [_MEASURED[(w.hash, *place)] for place in places]


def _measure_new(w: Weights, places: Sequence[Place]) -> dict[Place, Measured]:
    keys = {place: cache_key(w, *place) for place in places}
    cache = BlobCache("weights", code_hash())
    known = cache.read(keys.values())
    found = {place: Measured.from_bytes(known[key]) for place, key in keys.items() if key in known}
    fresh: dict[Place, Measured] = {}
    taken: dict[Any, np.ndarray] = {}
    for datapath, array in places:
        if (datapath, array) not in found:
            fresh[datapath, array] = _measure(w, datapath, array, taken)
    if fresh:
        cache.write({keys[place]: measured.to_bytes() for place, measured in fresh.items()})
    return found | fresh


def _measure(w: Weights, datapath: Datapath, array: Array, taken: dict[Any, np.ndarray]) -> Measured:
    """``taken``: statistics of ``w`` by what they depend on."""
    made: Any = kept_tensor(w) if isinstance(w, WeightSource) and datapath.needs_values else w
    known = Measured(group_size=made.group_size, storage_bits=made.storage_bits)
    key = type(datapath), datapath.stats_key(array)
    try:
        datapath.supports(made)
        if key not in taken:
            taken[key] = datapath.stats(made, array).values
    except FormatError as error:
        return dataclasses.replace(known, refusal=str(error))
    peak_macs, repetition = datapath.peak_macs(made, array), datapath.repetition(made, array)
    return dataclasses.replace(known, values=taken[key], peak_macs=peak_macs, repetition=repetition)


def check_support(layer: MatmulLayer, design: Design) -> None:
    """FormatError naming the layer unless the datapath takes its weights and activations."""
    datapath = design.datapath
    problem = next(filter(None, (measure(w, datapath, design.array).refusal for w in layer.weights)), "")
    problem = problem or wide_sums(layer.sum_shift, datapath)
    limit = getattr(datapath, "activation_bits", None)
    if not problem and limit is not None and layer.activation_bits > limit:
        problem = (
            f"{datapath.name()} takes activations of {limit} bits, these need {layer.activation_bits}; "
            f"use activation_bits={layer.activation_bits}"
        )
    if problem:
        raise FormatError(f"layer {layer.name!r}: {problem}")


def cache_key(w: Weights, datapath: Datapath, array: Array) -> str:
    """Of the cache on disk; a datapath that does not ship with the package is known by its source as well."""
    plain = {
        "weights": w.hash,
        "datapath": _plain(datapath),
        "array": _plain(array),
        "source": source_hash(type(datapath)),
    }
    return schema.content_hash(plain)


@functools.lru_cache(maxsize=1 << 14)
def _plain(value: Any) -> Any:
    return schema.to_plain(value)


@functools.cache
def source_hash(datapath: type[Datapath]) -> str:
    """16 hex digits over the file that defines a datapath."""
    return hashlib.sha256(Path(inspect.getfile(datapath)).read_bytes()).hexdigest()[:16]


@functools.cache
def code_hash() -> str:
    """16 hex digits over the package's Python files: results of other code may differ."""
    folder = Path(hwsim.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def version() -> str:
    """hwsim's version and, since results depend on every line, a hash of its code."""
    return f"{hwsim.__version__}+{code_hash()[:8]}"


def measure_all(weights: Iterable[tuple[Weights, Place]], *, progress: bool = False) -> None:
    """Measures weight by weight, so that each is in memory once, whatever the order of the pairs."""
    by_weight: dict[str, tuple[Weights, list[Place]]] = {}
    for w, place in weights:
        by_weight.setdefault(w.hash, (w, []))[1].append(place)
    for w, places in track(list(by_weight.values()), "weights", progress):
        measure_on(w, places)
