"""Many design points at once: `Space`, `sweep`, `pareto`."""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hwsim import datapaths, schema
from hwsim.datapath import Array, Datapath
from hwsim.design import Design, Dram
from hwsim.errors import DesignError, HwsimError, nearest
from hwsim.network import Network
from hwsim.progress import track
from hwsim.result import TOTALS
from hwsim.simulation import simulate
from hwsim.workload import Workload

OBJECTIVES = ("latency_s", "energy_pj", "area_um2")


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """A grid of design points: dotted keys of `Design` and the values of each.

    ``{"datapath.name": ["mac", "bit_serial"], "array.rows": [8, 16]}``. A datapath parameter is
    left out for datapaths that do not have it, as is ``array.accumulator_rows`` where sums stay in the
    PEs; points that become equal count once.
    """

    values: Mapping[str, Sequence[Any]]

    def __post_init__(self) -> None:
        if not self.values:
            raise DesignError("the space is empty: name at least one parameter")
        for key, items in self.values.items():
            if isinstance(items, str) or not isinstance(items, Sequence) or not len(items):
                raise DesignError(f"space key {key!r}: expected a list of values, got {items!r}")

    def designs(self, base: Design | None = None) -> list[Design]:
        """Every distinct point, other parameters as in ``base``; DesignError names a wrong key or value."""
        base = base or Design()
        found: dict[Design, None] = {}
        names = self.values.get("datapath.name", [base.datapath.name()])
        self._check_keys(names, base)
        for choice in itertools.product(*self.values.values()):
            found[_apply(base, dict(zip(self.values, choice, strict=True)))] = None
        return list(found)

    def _check_keys(self, names: Iterable[str], base: Design) -> None:
        known = set(_keys(base.to_plain()))
        for name in names:
            known |= {f"datapath.{field.name}" for field in dataclasses.fields(datapaths.find(name))}
        for key in self.values:
            if key not in known:
                raise DesignError(f"unknown space key {key!r}; {nearest(key, known)}")


def _keys(plain: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
        yield prefix + key


def _apply(base: Design, choice: dict[str, Any]) -> Design:
    plain = base.to_plain()
    name = choice.get("datapath.name", plain["datapath"]["name"])
    fields = {field.name for field in dataclasses.fields(datapaths.find(name))}
    stationary = choice.get("array.dataflow", base.dataflow) == "weight_stationary"
    plain["datapath"] = {"name": name} | {k: v for k, v in plain["datapath"].items() if k in fields}
    for key, value in choice.items():
        *path, last = key.split(".")
        if path[:1] == ["datapath"] and [*path[1:], last][0] not in fields:
            continue
        if key == "array.accumulator_rows" and not stationary:
            continue
        inner = plain
        for part in path:
            inner = inner[part]
        inner[last] = schema.to_plain(value)
    return Design.from_plain(plain)


Subject = Network | Workload


def sweep(
    subjects: Subject | Sequence[Subject],
    space: Space | Mapping[str, Sequence[Any]] | Iterable[Design],
    *,
    base: Design | None = None,
    batch: int = 1,
    progress: bool = False,
) -> pd.DataFrame:
    """Simulates every network or workload on every design point.

    Returns one row per pair: ``workload``, ``label`` (the design in words), every Design key,
    `Result.totals`, ``batch``, ``design_hash``, ``workload_hash``, ``design`` (JSON) and ``error``: why a
    point is infeasible (its totals are missing then), else "".
    """
    designs = _designs(space, base)
    chosen = [subjects] if isinstance(subjects, (Network, Workload)) else list(subjects)
    pairs = [(subject, design) for subject in chosen for design in designs]
    rows = [_row(subject, design, batch) for subject, design in track(pairs, "sweep", progress)]
    frame = pd.DataFrame(rows)
    return frame.reindex(columns=frame.columns.union(list(TOTALS), sort=False))


def _designs(space: Space | Mapping[str, Sequence[Any]] | Iterable[Design], base: Design | None) -> list[Design]:
    if isinstance(space, Mapping):
        space = Space(space)
    designs = space.designs(base) if isinstance(space, Space) else list(space)
    if not designs:
        raise DesignError("no design points to sweep")
    return designs


def _row(subject: Subject, design: Design, batch: int) -> dict[str, Any]:
    plain = design.to_plain()
    row: dict[str, Any] = {
        "workload": subject.name,
        "label": label(design),
        "batch": _batch(subject, batch),
        "error": "",
    }
    row |= {key: value for key, value in flat(plain)}
    try:
        result = simulate(subject, design, batch)
        row |= result.totals() | {"workload_hash": result.workload.hash}
    except HwsimError as error:
        row["error"] = str(error)
    return row | {"design_hash": design.hash, "design": json.dumps(plain)}


def _batch(subject: Subject, batch: int) -> int:
    """Inputs at once: a Workload was made for a number of its own."""
    return subject.batch if isinstance(subject, Workload) else batch


def flat(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a design's plain data, lists left out."""
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield prefix + key, value


def label(design: Design) -> str:
    """A design in a few words: datapath, array, buffers, clock, what other layers run on."""
    buffers = "/".join(f"{sram.kib:g}" for sram in design.buffers.values())
    extra = "" if design.dram == Dram() else f", {design.dram.type} {design.dram.bandwidth_gb_s:g} GB/s"
    for each in design.overrides:
        extra += f"; {each.layers}: {_array(each.datapath or design.datapath, each.array or design.array)}"
    return f"{_array(design.datapath, design.array)}, {buffers} KiB, {design.clock_mhz:g} MHz{extra}"


def _array(path: Datapath, array: Array) -> str:
    options = [str(getattr(path, name)) for name in ("scheme",) if hasattr(path, name)]
    if hasattr(path, "weight_bits"):
        options.append(f"w{path.weight_bits}")
    if getattr(path, "skip", "none") != "none":
        options.append(f"skip {path.skip}")  # type: ignore[attr-defined]
    options += _chosen(path)
    size = f"{array.rows}x{array.cols}"
    if hasattr(path, "lanes"):
        size += f"x{path.lanes}"
    if array.weight_stationary:
        size += f" weight-stationary {array.accumulator_rows}"
    return f"{' '.join([path.name(), *options])} {size}"


SAID = ("lanes", "scheme", "weight_bits", "skip")
"""Parameters that a label tells in its own way."""


def _chosen(parameters: Any) -> Iterator[str]:
    """The other parameters of a datapath, or of a part of one, that are not the defaults, in words."""
    for field in dataclasses.fields(parameters):
        value = getattr(parameters, field.name)
        if value == field.default or field.name in SAID:
            continue
        if dataclasses.is_dataclass(value):
            parts = list(_chosen(value)) or [
                f"{each.name} {getattr(value, each.name)}" for each in dataclasses.fields(value)
            ]
            value = f"({', '.join(parts)})"
        yield f"{field.name} {value}".replace("_", " ")


def pareto(frame: pd.DataFrame, objectives: Sequence[str] = OBJECTIVES) -> pd.DataFrame:
    """The rows that no other row beats in one objective without losing in another, smaller is better.

    Infeasible rows are left out; equal rows are all kept. Sorted by the first objective.
    """
    for name in objectives:
        if name not in frame:
            raise DesignError(f"unknown objective {name!r}; {nearest(name, map(str, frame.columns))}")
    feasible = frame.dropna(subset=list(objectives))
    values = feasible[list(objectives)].to_numpy(dtype=np.float64)
    keep = np.ones(len(values), dtype=bool)
    for i, point in enumerate(values):
        keep[i] = not ((values <= point).all(axis=1) & (values < point).any(axis=1)).any()
    return feasible[keep].sort_values(objectives[0], kind="stable")
