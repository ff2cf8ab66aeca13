"""What a simulation found: per layer, per event, per part, and in total."""

import dataclasses
import functools
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from hwsim import technology
from hwsim.design import Design
from hwsim.kernels import cost
from hwsim.repetition import Repetition
from hwsim.technology.rows import AreaRow, EnergyRow
from hwsim.workload import Workload

CATEGORIES = ("pe", "buffers", "dram", "host", "leakage")
"""Energy is reported in these components."""


TOTALS = (
    "cycles", "latency_s", "energy_pj", "area_um2", "edp_js", "tops", "tops_per_w", "array_cycles", "array_energy_pj",
    "macs", "verified", *(f"{name}_energy_pj" for name in CATEGORIES),
)  # fmt: skip
"""Keys of `Result.totals`."""


Number = TypeVar("Number", float, np.ndarray)


def latency_s(cycles: Number, clock_mhz: Number) -> Number:
    """Seconds of so many cycles."""
    return cycles / (clock_mhz * 1e6)


def edp_js(energy_pj: Number, latency_s: Number) -> Number:
    """Energy-delay product in joule-seconds."""
    return energy_pj * 1e-12 * latency_s


def tops(macs: int, latency_s: Number) -> Number:
    """10^12 operations per second; a multiply-accumulate is two."""
    return 2 * macs / latency_s * 1e-12


def tops_per_w(macs: int, energy_pj: Number) -> Number:
    """10^12 operations per joule."""
    return 2 * macs / energy_pj


@dataclasses.dataclass(frozen=True)
class EventCount:
    """How often one action happened and what it cost; ``row`` is its source in the technology."""

    category: str
    component: str
    action: str
    count: int
    per_action_pj: float
    row: EnergyRow | AreaRow | None
    features: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def energy_pj(self) -> float:
        """Count times energy per action."""
        return self.count * self.per_action_pj

    @property
    def zero_delay_pj(self) -> float:
        """The same without glitches, where the source tells how much they are; else all of it."""
        fraction = self.row.zero_delay_fraction if isinstance(self.row, EnergyRow) else None
        return self.energy_pj if fraction is None else self.energy_pj * fraction


@dataclasses.dataclass(frozen=True)
class Part:
    """``count`` equal parts of the chip, the area of each, the leakage of all."""

    name: str
    count: int
    area_um2: float
    leakage_uw: float
    critical_path_ns: float | None
    row: AreaRow


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerResult:
    """One layer. ``cycles`` are with memory, ``compute_cycles`` those of the array alone."""

    name: str
    kind: Literal["matmul", "host"]
    verified: str
    macs: int
    shape: tuple[int, ...]
    matmuls: int
    compute_cycles: int
    memory_cycles: int
    cycles: int
    bound: str
    utilization: float
    elements: int
    dram_bits: int
    events: tuple[EventCount, ...]
    picojoules: tuple[float, ...]
    """Per category of `CATEGORIES`: what the events cost."""
    assumed: str
    repetition: Repetition | None = None

    def energy_pj(self, category: str | None = None) -> float:
        """Energy of one category, or of all."""
        if category is None:
            return float(cost.layer_energy(np.array(self.picojoules)))
        return self.picojoules[CATEGORIES.index(category)]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """A design's cost on a workload.

    Totals include host operators; those whose name starts with ``array_`` leave them out.
    """

    design: Design
    workload: Workload
    layers: tuple[LayerResult, ...]
    parts: tuple[Part, ...]
    area_um2: float
    """Square micrometres of all parts."""
    picojoules: tuple[float, ...]
    """Of all layers, of matmuls, and per category of `CATEGORIES`."""

    @property
    def verified(self) -> str:
        """ "rtl" if every matmul ran on a datapath whose RTL is checked, else "model only"."""
        kinds = {layer.verified for layer in self.layers if layer.kind == "matmul"}
        return "rtl" if kinds <= {"rtl"} else "model only"

    @functools.cached_property
    def cycles(self) -> int:
        """Clock cycles of all layers, one after the other."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def latency_s(self) -> float:
        """Seconds of all layers."""
        return latency_s(self.cycles, self.design.clock_mhz)

    @property
    def energy_pj(self) -> float:
        """Picojoules of all layers and components."""
        return self.picojoules[0]

    @property
    def zero_delay_pj(self) -> float:
        """Picojoules without glitches; memories, leakage and figures that do not tell count in full."""
        return sum(event.zero_delay_pj for layer in self.layers for event in layer.events)

    @property
    def edp_js(self) -> float:
        """Energy-delay product in joule-seconds."""
        return edp_js(self.energy_pj, self.latency_s)

    @property
    def tops(self) -> float:
        """10^12 operations per second; a multiply-accumulate is two."""
        return tops(self.workload.macs, self.latency_s)

    @property
    def tops_per_w(self) -> float:
        """10^12 operations per joule."""
        return tops_per_w(self.workload.macs, self.energy_pj)

    def totals(self) -> dict[str, float | int | str]:
        """All totals, units in the names."""
        energy_pj, array_energy_pj = self.picojoules[:2]
        array_cycles = sum(layer.cycles for layer in self.layers if layer.kind == "matmul")
        values: tuple[float | int | str, ...] = (
            self.cycles, self.latency_s, energy_pj, self.area_um2, self.edp_js, self.tops, self.tops_per_w,
            array_cycles, array_energy_pj, self.workload.macs, self.verified, *self.picojoules[2:],
        )  # fmt: skip
        return dict(zip(TOTALS, values, strict=True))

    def energy_by_component(self) -> dict[str, float]:
        """Picojoules per category of `CATEGORIES`."""
        return dict(zip(CATEGORIES, self.picojoules[2:], strict=True))

    def frame(self) -> pd.DataFrame:
        """One row per layer."""
        return pd.DataFrame(
            [
                {
                    "layer": layer.name, "kind": layer.kind, "shape": "x".join(map(str, layer.shape)),
                    "matmuls": layer.matmuls, "macs": layer.macs, "compute_cycles": layer.compute_cycles,
                    "memory_cycles": layer.memory_cycles, "cycles": layer.cycles, "bound": layer.bound,
                    "utilization": layer.utilization, "elements": layer.elements,
                    "dram_bytes": layer.dram_bits // 8, "energy_pj": layer.energy_pj(),
                    **{f"{name}_energy_pj": layer.energy_pj(name) for name in CATEGORIES},
                    "verified": layer.verified, "assumed": layer.assumed,
                }
                for layer in self.layers
            ]
        )  # fmt: skip

    def events(self) -> pd.DataFrame:
        """One row per layer and event: count, picojoules per action, total, source and its status."""
        return pd.DataFrame(
            [
                {
                    "layer": layer.name, "category": event.category, "component": event.component,
                    "action": event.action, "count": event.count, "per_action_pj": event.per_action_pj,
                    "energy_pj": event.energy_pj, "zero_delay_pj": event.zero_delay_pj, "features": event.features,
                    "status": event.row.status if event.row else "", "source": event.row.source if event.row else "",
                }
                for layer in self.layers
                for event in layer.events
            ]
        )  # fmt: skip

    def repetition(self) -> pd.DataFrame:
        """One row per layer whose datapath makes use of weights that repeat: see `hwsim.repetition.Repetition`."""
        return pd.DataFrame(
            [
                {"layer": layer.name, **dataclasses.asdict(layer.repetition)}
                for layer in self.layers
                if layer.repetition is not None
            ]
        )

    def area(self) -> pd.DataFrame:
        """One row per part: count, area of each and of all, leakage, source and its status."""
        return pd.DataFrame(
            [
                {
                    "component": part.name, "count": part.count, "area_um2_each": part.area_um2,
                    "area_um2": part.count * part.area_um2, "leakage_uw": part.leakage_uw,
                    "status": part.row.status, "source": part.row.source,
                }
                for part in self.parts
            ]
        )  # fmt: skip

    def assumptions(self) -> list[str]:
        """What the reader must know before trusting a figure, one sentence each."""
        assumed: dict[str, list[str]] = {}
        for layer in self.layers:
            if layer.assumed:
                assumed.setdefault(layer.assumed, []).append(layer.name)
        notes = [f"{', '.join(names)}: assumed {text}" for text, names in assumed.items()]
        conditions = technology.load(self.design.technology).conditions
        notes += [f"{self.design.technology}, {name}: {text}" for name, text in conditions.items()]
        if self.zero_delay_pj < self.energy_pj:
            share = self.zero_delay_pj / self.energy_pj
            notes.append(
                f"without glitches (at zero delay) the energy is {self.zero_delay_pj:.5g} pJ, {share:.1%} of it"
            )
        if self.design.left_out:
            notes.append(f"left out: {', '.join(self.design.left_out)}")
        for part in self.parts:
            if part.critical_path_ns and part.critical_path_ns * self.design.clock_mhz > 1000:
                notes.append(
                    f"clock of {self.design.clock_mhz:g} MHz exceeds {part.name}'s critical path of "
                    f"{part.critical_path_ns:g} ns"
                )
        for status in ("assumed", "scaled"):
            names = sorted(
                {event.component for layer in self.layers for event in layer.events
                 if event.row and event.row.status == status}
            )  # fmt: skip
            if names:
                notes.append(f"energies with status {status!r}: {', '.join(names)}")
        guessed = [part.name for part in self.parts if part.row.status == "assumed"]
        if guessed:
            notes.append(f"areas with status 'assumed': {', '.join(guessed)}")
        rows = [event.row for layer in self.layers for event in layer.events if event.row]
        nodes = {row.node for row in [*rows, *(part.row for part in self.parts)] if row.node}
        if len(nodes) > 1:
            notes.append(f"figures of {' and '.join(sorted(nodes))} nm are added as published, not scaled to one node")
        return notes

    def to_plain(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "design": self.design.to_plain(),
            "design_hash": self.design.hash,
            "workload": self.workload.name,
            "workload_hash": self.workload.hash,
            "batch": self.workload.batch,
            "totals": self.totals(),
            "layers": self.frame().to_dict("records"),
            "events": self.events().to_dict("records"),
            "area": self.area().to_dict("records"),
            "repetition": self.repetition().to_dict("records"),
            "assumptions": self.assumptions(),
        }
