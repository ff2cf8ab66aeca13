"""Cycles and energy of a workload on a design: `simulate`."""

import functools
from collections.abc import Iterator
from typing import Literal

import numpy as np

from hwsim import memory_figures, technology
from hwsim.arrangement import Arrangement, Unit, beat_bits, input_bits
from hwsim.design import Design
from hwsim.errors import DesignError
from hwsim.kernels import cost
from hwsim.mapping import Mapping, map_matmul
from hwsim.measurement import measure
from hwsim.memory_figures import BUFFERS
from hwsim.network import Network
from hwsim.points import Points
from hwsim.pricing import Pricing, Tables
from hwsim.result import EventCount, LayerResult, Part, Result
from hwsim.workload import HostLayer, MatmulLayer, Workload


def simulate(workload: Network | Workload, design: Design, batch: int = 1, *, progress: bool = False) -> Result:
    """Latency, energy and area of ``workload`` on ``design``.

    A Network is taken with ``batch`` inputs at once; a Workload knows its own. Weights that are not in
    memory are made layer by layer and dropped; ``progress`` shows a bar. Compute cycles are exactly those of the
    RTL; the memory side is an approximation (docs/simulation.md). Raises FormatError if a
    datapath cannot take a layer, TechnologyError if a figure is missing, DesignError if an override matches no layer.
    """
    subject = as_workload(workload, batch)
    pricing, points = Pricing(subject), Points.of([design])
    pricing.prepare(points, progress)
    tables = pricing.tables(points)
    if tables.problem[0]:
        raise tables.problems[tables.problem[0] - 1]
    (arrangement,) = tables.arrangements
    rows = len(arrangement.rows) + len(tables.shared[4])
    counts, energy = np.zeros((rows, cost.COUNT_COLUMNS), np.int64), np.zeros((rows, cost.CATEGORIES))
    cycles, picojoules = np.empty(2, np.int64), np.empty(cost.BY_CATEGORY + cost.CATEGORIES)
    cost.point_costs(tables.numbers[0], tables.figures[0], *tables.shared, counts, energy, cycles, picojoules)
    layers = []
    for layer, row in zip(subject.layers, arrangement.order.tolist(), strict=True):
        priced = _Layer(design.layer(layer.name), tables, counts[row].tolist(), tuple(energy[row].tolist()))
        if isinstance(layer, MatmulLayer):
            layers.append(priced.matmul(layer.name, arrangement.units[row]))
        elif design.counted.host_operators:
            layers.append(priced.host(layer))
    return Result(
        design=design, workload=subject, layers=tuple(layers), parts=_parts(design, arrangement),
        area_um2=float(tables.area_um2[0]), picojoules=tuple(picojoules.tolist()),
    )  # fmt: skip


def as_workload(subject: Network | Workload, batch: int) -> Workload:
    """``subject`` with ``batch`` inputs at once; a Workload knows its own."""
    return _workload(subject, batch) if isinstance(subject, Network) else subject


@functools.lru_cache(maxsize=64)
def _workload(network: Network, batch: int) -> Workload:
    return Workload.from_network(network, batch)


def layer_mapping(layer: MatmulLayer, design: Design) -> Mapping:
    """Loop order and DRAM traffic of each matmul of ``layer``."""
    return map_matmul(
        layer.m, layer.n, design.array,
        input_bits=input_bits(layer),
        weight_bits=measure(layer.weights[0], design.datapath, design.array).storage_bits,
        output_bits=layer.m * layer.n * layer.output_bits,
        activation_buffer_bits=design.activation_buffer.bits,
        weight_buffer_bits=design.weight_buffer.bits,
        together=layer.together * len(layer.weights) if design.refetch == "layer" else None,
    )  # fmt: skip


class _Layer:
    """Figures of one layer on ``design``, in the words of a `Result`."""

    def __init__(self, design: Design, tables: Tables, counts: list[int], energy: tuple[float, ...]) -> None:
        self.design, self.counts, self.energy = design, counts, energy
        self.figures = tables.figures[0].tolist()
        self.tech = technology.load(design.technology)

    def matmul(self, name: str, unit: Unit) -> LayerResult:
        """A layer on an array."""
        counts, layer, datapath = self.counts, unit.layer, unit.engine.datapath
        supplies = dict(zip(BUFFERS, counts[cost.ACTIVATION_SUPPLY :], strict=False))
        bounds = {"compute": counts[cost.COMPUTE_CYCLES], "dram": counts[cost.DRAM_CYCLES]}
        bounds |= {buffer: supplies[buffer] for buffer in self.design.buffers}
        return LayerResult(
            name=name, kind="matmul", verified=_verified(self.design), macs=layer.macs,
            shape=(layer.m, layer.n, layer.k), matmuls=layer.matmuls, compute_cycles=counts[cost.COMPUTE_CYCLES],
            memory_cycles=max(cycles for bound, cycles in bounds.items() if bound != "compute"),
            cycles=counts[cost.TOTAL_CYCLES], bound=max(bounds, key=lambda bound: bounds[bound]),
            utilization=layer.macs / (unit.peak_macs * counts[cost.TOTAL_CYCLES]),
            elements=layer.m * layer.n * layer.matmuls,
            dram_bits=counts[cost.DRAM_READ] + counts[cost.DRAM_WRITE],
            events=(*self._datapath(unit), *self._merging(), *self._buffers(BUFFERS), *self._dram(), *self._leakage()),
            picojoules=self.energy, assumed="; ".join(filter(None, (layer.assumed, datapath.assumed))),
            repetition=unit.repetition,
        )  # fmt: skip

    def host(self, layer: HostLayer) -> LayerResult:
        """A layer on the unit for host operators."""
        cycles, elements = self.counts[cost.TOTAL_CYCLES], self.counts[cost.HOST]
        return LayerResult(
            name=layer.name, kind="host", verified="model only", macs=0, shape=(), matmuls=0, compute_cycles=cycles,
            memory_cycles=0, cycles=cycles, bound="host", utilization=0.0, elements=elements, dram_bits=0,
            events=(self._vector_unit(), *self._host_buffers(), *self._leakage()), picojoules=self.energy, assumed="",
        )  # fmt: skip

    def _datapath(self, unit: Unit) -> Iterator[EventCount]:
        place = unit.row, self.counts[cost.M_OUTER]
        counts, features, each_pj = (getattr(unit.costs, name)[place] for name in ("counts", "features", "each_pj"))
        for i, event in enumerate(unit.engine.datapath.EVENTS):
            if unit.engine.present[i]:  # else a part of another dataflow
                named = dict(zip(event.features, features[i].tolist(), strict=False))
                yield EventCount(
                    "pe", event.component, event.action, int(counts[i]), float(each_pj[i]), unit.engine.rows[i], named
                )

    def _merging(self) -> Iterator[EventCount]:
        """The host merges the bits of a split layer while the array computes, unless the array does."""
        if self.counts[cost.HOST]:
            yield self._vector_unit()

    def _vector_unit(self) -> EventCount:
        row = self.tech.energy("vector_unit", "element", {"lanes": self.design.vector_lanes}).row
        elements, each_pj = self.counts[cost.HOST], self.figures[cost.VECTOR_PJ]
        return EventCount("host", "vector_unit", "element", elements, each_pj, row)

    def _buffers(self, names: tuple[str, ...]) -> Iterator[EventCount]:
        accesses = iter(self.counts[cost.ACTIVATION_WRITES :])
        for name in names:
            for action in ("write", "read"):
                count = next(accesses)
                if name in self.design.buffers:
                    yield self._buffer(name, action, count)

    def _host_buffers(self) -> Iterator[EventCount]:
        yield self._buffer("activation_buffer", "read", self.counts[cost.ACTIVATION_READS])
        written = cost.ACTIVATION_WRITES if self.design.output_buffer is None else cost.OUTPUT_WRITES
        yield self._buffer(self.design.result_buffer, "write", self.counts[written])

    def _buffer(self, name: str, action: str, count: int) -> EventCount:
        bank = _bank(self.design, name)
        return EventCount("buffers", name, action, count, bank.read_pj if action == "read" else bank.write_pj, bank.row)

    def _dram(self) -> Iterator[EventCount]:
        for action, bits, pj in (
            ("read", cost.DRAM_READ, cost.DRAM_READ_PJ), ("write", cost.DRAM_WRITE, cost.DRAM_WRITE_PJ)
        ):  # fmt: skip
            row = self.tech.energy("dram", action, {"type": self.design.dram.type}).row
            yield EventCount("dram", "dram", f"{action} bit", self.counts[bits], self.figures[pj], row)

    def _leakage(self) -> Iterator[EventCount]:
        if self.design.counted.leakage:
            each_pj = self.figures[cost.LEAKAGE_PJ]
            yield EventCount("leakage", "leakage", "cycle", self.counts[cost.TOTAL_CYCLES], each_pj, None)


def _verified(design: Design) -> Literal["rtl", "model only"]:
    """Cycles of which something is left out are not the RTL's."""
    return "model only" if design.left_out else design.datapath.verified


def _bank(design: Design, name: str) -> technology.SramFigures:
    """Figures of one bank of a buffer."""
    sram = design.buffers[name]
    beat = beat_bits(design.datapath, design.array) if sram.width_bits is None else (0, 0)
    return memory_figures.bank(sram, design.technology, memory_figures.width_bits(name, sram, beat))


def _parts(design: Design, arrangement: Arrangement) -> tuple[Part, ...]:
    """Parts of the chip: every distinct array that a layer runs on, vector unit, buffers."""
    parts = list(arrangement.parts)
    if design.counted.host_operators:
        vector = technology.load(design.technology).area("vector_unit", {"lanes": design.vector_lanes})
        parts.append(Part("vector_unit", 1, vector.area_um2, vector.leakage_uw, None, vector.row))
    for name, sram in design.buffers.items():
        bank = _bank(design, name)
        parts.append(Part(name, sram.banks, bank.area_um2, bank.leakage_uw * sram.banks, None, bank.row))
    if not parts:
        raise DesignError("the design has no parts")
    return tuple(parts)
