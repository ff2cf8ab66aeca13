"""Cycles and energy of a workload on a design: `simulate`."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

import numpy as np

from hwsim import technology
from hwsim.datapath import Array, Datapath
from hwsim.design import Design
from hwsim.errors import DesignError, FormatError, TechnologyError
from hwsim.integer import wide_sums
from hwsim.kernels import mapping as mapping_kernels
from hwsim.kernels import tiles
from hwsim.mapping import Mapping, map_matmul
from hwsim.network import Network
from hwsim.progress import track
from hwsim.qtensor import QTensor
from hwsim.repetition import Repetition
from hwsim.result import EventCount, LayerResult, Part, Result
from hwsim.technology import SramFigures, Technology
from hwsim.weight_source import WeightSource, kept_tensor
from hwsim.workload import HostLayer, MatmulLayer, OneBit, Workload

Figure = TypeVar("Figure")


def simulate(workload: Network | Workload, design: Design, batch: int = 1, *, progress: bool = False) -> Result:
    """Latency, energy and area of ``workload`` on ``design``.

    A Network is taken with ``batch`` inputs at once; a Workload knows its own. Weights that are not in
    memory are made layer by layer and dropped; ``progress`` shows a bar. Compute cycles are exactly those of the
    RTL; the memory side is an approximation (docs/simulation.md). Raises FormatError if a
    datapath cannot take a layer, TechnologyError if a figure is missing.
    """
    if isinstance(workload, Network):
        workload = _workload(workload, batch)
    tech = technology.load(design.technology)
    parts = area_parts(design, workload, tech)
    leakage_uw = sum(part.leakage_uw for part in parts)
    layers = []
    for layer in track(workload.layers, workload.name, progress):
        if isinstance(layer, MatmulLayer):
            layers.append(_simulate_matmul(layer, design.layer(layer.name), tech, leakage_uw))
        elif design.counted.host_operators:
            layers.append(_simulate_host(layer, design, tech, leakage_uw))
    return Result(design=design, workload=workload, layers=tuple(layers), parts=parts)


@functools.lru_cache(maxsize=64)
def _workload(network: Network, batch: int) -> Workload:
    return Workload.from_network(network, batch)


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


_MEASURED: dict[tuple[str, Datapath, Array], Measured] = {}
_MEASURED_LIMIT = 20_000


def measure(w: QTensor | WeightSource, datapath: Datapath, array: Array) -> Measured:
    """What costs depend on, remembered by the weights' hash: weights that are not in memory are made for it."""
    key = (w.hash, datapath, array)
    if key not in _MEASURED:
        if len(_MEASURED) >= _MEASURED_LIMIT:
            _MEASURED.clear()
        made = kept_tensor(w) if isinstance(w, WeightSource) and datapath.needs_values else w
        _MEASURED[key] = _measure(made, datapath, array)
    return _MEASURED[key]


def _measure(w: Any, datapath: Datapath, array: Array) -> Measured:
    known = Measured(group_size=w.group_size, storage_bits=w.storage_bits)
    try:
        datapath.supports(w)
        values = datapath.stats(w, array).values
        peak_macs, repetition = datapath.peak_macs(w, array), datapath.repetition(w, array)
    except FormatError as error:
        return dataclasses.replace(known, refusal=str(error))
    return dataclasses.replace(known, values=values, peak_macs=peak_macs, repetition=repetition)


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


def layer_mapping(layer: MatmulLayer, design: Design) -> Mapping:
    """Loop order and DRAM traffic of each matmul of ``layer``."""
    return map_matmul(
        layer.m, layer.n, design.array,
        input_bits=-(-layer.input_elements // len(layer.weights)) * layer.activation_bits,
        weight_bits=measure(layer.weights[0], design.datapath, design.array).storage_bits,
        output_bits=layer.m * layer.n * layer.output_bits,
        activation_buffer_bits=design.activation_buffer.bits,
        weight_buffer_bits=design.weight_buffer.bits,
        together=layer.together * len(layer.weights) if design.refetch == "layer" else None,
    )  # fmt: skip


def compute(layer: MatmulLayer, design: Design, m_outer: bool) -> tuple[int, np.ndarray, np.ndarray]:
    """Compute cycles, event counts int64[E] and features float64[E, F] of ``layer``.

    Its matmuls run one after the other; features are averaged by count.
    """
    datapath = design.datapath
    params = datapath.params(design.array)
    activation = np.array(layer.activation)
    width = max([1, *(len(event.features) for event in datapath.EVENTS)])
    total, counts = 0, np.zeros(len(datapath.EVENTS), dtype=np.int64)
    weighted = np.zeros((len(counts), width))
    for w in layer.weights:
        known = measure(w, datapath, design.array)
        shape = np.array([layer.m, layer.n, layer.k, known.group_size, m_outer], dtype=np.int64)
        values = known.values
        part, features = np.zeros_like(counts), np.zeros_like(weighted)
        datapath.events(shape, values, params, activation, part, features)
        total += int(datapath.cycles(shape, values, params))
        counts += part
        weighted += part[:, None] * features
    return total * layer.repeat, counts * layer.repeat, weighted / np.maximum(counts, 1)[:, None]


def _simulate_matmul(layer: MatmulLayer, design: Design, tech: Technology, leakage_uw: float) -> LayerResult:
    split = layer.one_bit
    layer = design.datapath.stored(layer)
    check_support(layer, design)
    design.datapath.check_clock(design.clock_mhz)
    mapping = layer_mapping(layer, design)
    compute_cycles, counts, features = compute(layer, design, mapping.m_outer)
    count = layer.matmuls // mapping.matmuls
    traffic = _buffer_traffic(layer, design, mapping)
    supply = {
        name: int(-(-bits // design.buffers[name].bits_per_cycle)) for (name, action), bits in traffic.items()
        if (name, action) in _SUPPLY
    }  # fmt: skip
    bits_per_cycle = design.dram.bandwidth_gb_s * 8e9 / (design.clock_mhz * 1e6)
    cycles, dram_cycles = mapping_kernels.total_cycles(
        compute_cycles / count, max(supply.values()) / count, mapping.sizes,
        mapping.activation_passes, mapping.weight_passes, bits_per_cycle, design.overlap == "tile",
        design.counted.partial_dram_cycles,
    )  # fmt: skip
    cycles, dram_cycles = int(cycles) * count, int(dram_cycles) * count
    bounds = {"compute": compute_cycles, "dram": dram_cycles, **supply}
    events = [
        *_datapath_events(design, tech, counts, features),
        *_merge_events(design, tech, layer, split),
        *_memory_events(design, tech, traffic, mapping, count),
        *_leakage(leakage_uw, cycles, design),
    ]
    peak = measure(layer.weights[0], design.datapath, design.array).peak_macs
    return LayerResult(
        name=layer.name, kind="matmul", verified=_verified(design), macs=layer.macs,
        shape=(layer.m, layer.n, layer.k), matmuls=layer.matmuls, compute_cycles=compute_cycles,
        memory_cycles=max(dram_cycles, *supply.values()), cycles=cycles,
        bound=max(bounds, key=lambda name: bounds[name]),
        utilization=layer.macs / (peak * cycles), elements=layer.m * layer.n * layer.matmuls,
        dram_bits=count * (mapping.dram_read_bits + mapping.dram_write_bits),
        events=tuple(events), assumed="; ".join(filter(None, (layer.assumed, design.datapath.assumed))),
        repetition=_repetition(layer, design),
    )  # fmt: skip


def _repetition(layer: MatmulLayer, design: Design) -> Repetition | None:
    """What repeats in the weights of ``layer``: the mean of its matrices, which are of one size."""
    found = [measure(w, design.datapath, design.array).repetition for w in layer.weights]
    each = [dataclasses.astuple(one) for one in found if one is not None]
    return Repetition(*np.mean(each, axis=0).tolist()) if each else None


def _verified(design: Design) -> Literal["rtl", "model only"]:
    """Cycles of which something is left out are not the RTL's."""
    return "model only" if design.left_out else design.datapath.verified


_SUPPLY = {("activation_buffer", "read"), ("weight_buffer", "read"), ("output_buffer", "write")}
"""Transfers that the array waits for; the others are the memory side's."""


def _buffer_traffic(layer: MatmulLayer, design: Design, mapping: Mapping) -> dict[tuple[str, str], int]:
    """Bits per (buffer, action): every use reads once, every DRAM transfer passes a buffer once."""
    count = layer.matmuls // mapping.matmuls
    m_tiles, n_tiles = int(mapping.sizes[0]), int(mapping.sizes[1])
    results = count * int(mapping.sizes[4])
    reads = {
        "activation_buffer": layer.matmuls * n_tiles * layer.m * layer.k * layer.activation_bits,
        "weight_buffer": count * m_tiles * int(mapping.sizes[3]),
        "output_buffer": results,
    }
    writes = {
        "activation_buffer": count * mapping.activation_passes * int(mapping.sizes[2]),
        "weight_buffer": count * mapping.weight_passes * int(mapping.sizes[3]),
        "output_buffer": 0,
    }
    writes[design.result_buffer] += results
    for name, sram in design.buffers.items():
        if sram.width_bits is None:
            reads[name] = _beats(layer, design) * m_tiles * n_tiles * layer.matmuls * _width_bits(name, design)
    return {
        (name, action): bits[name]
        for name in design.buffers
        for action, bits in (("write", writes), ("read", reads))
    }  # fmt: skip


def _beats(layer: MatmulLayer, design: Design) -> int:
    """Steps of one tile."""
    group_size = measure(layer.weights[0], design.datapath, design.array).group_size
    return int(tiles.steps(layer.k, group_size, design.datapath.lanes))  # type: ignore[attr-defined]


def _width_bits(name: str, design: Design) -> int:
    """Bits of one access to a bank of a buffer."""
    width = design.buffers[name].width_bits
    if width is None:
        activations, weights = design.datapath.beat_bits(design.array)
        return activations if name == "activation_buffer" else weights
    return width


def _datapath_events(
    design: Design, tech: Technology, counts: np.ndarray, features: np.ndarray
) -> Iterator[EventCount]:
    parameters = {part.name: part.parameters for part in design.datapath.components(design.array)}
    for event, count, values in zip(design.datapath.EVENTS, counts, features, strict=True):
        if not count and event.component not in parameters:  # a part of another dataflow
            continue
        named = dict(zip(event.features, map(float, values), strict=False))
        energy = _figure(
            design.datapath, tech.energy, event.component, event.action, parameters[event.component], event.features
        )
        yield EventCount(
            "pe", event.component, event.action, int(count), energy.per_action_pj(named), energy.row, named
        )


def _figure(datapath: Datapath, look_up: Callable[..., Figure], *arguments: object) -> Figure:
    """``look_up(*arguments)``; nothing can measure what a cost-only rule lacks, so its error names no command."""
    try:
        return look_up(*arguments)
    except TechnologyError as error:
        if datapath.verified == "rtl":
            raise
        missing = str(error).partition(";")[0]
        raise TechnologyError(
            f"{missing}; {datapath.name()} is a cost-only rule without RTL to measure: only published figures, given "
            "as rows of the table, tell its energy and area (hwsim rules counts its cycles without them)"
        ) from None


def _merge_events(design: Design, tech: Technology, layer: MatmulLayer, split: OneBit | None) -> Iterator[EventCount]:
    """The host merges the bits of a split layer unless the array does; it does so while the array computes."""
    if split is not None and split != OneBit() and not design.datapath.merges and design.counted.host_operators:
        energy = tech.energy("vector_unit", "element", {"lanes": design.vector_lanes})
        elements = layer.m * layer.n * layer.matmuls
        yield EventCount("host", "vector_unit", "element", elements, energy.e0_pj, energy.row)


def _memory_events(
    design: Design, tech: Technology, traffic: dict[tuple[str, str], int], mapping: Mapping, count: int
) -> Iterator[EventCount]:
    for (name, action), bits in traffic.items():
        yield _buffer_event(design, name, action, bits, tech)
    for action, bits in (("read", mapping.dram_read_bits), ("write", mapping.dram_write_bits)):
        energy = tech.energy("dram", action, {"type": design.dram.type})
        yield EventCount("dram", "dram", f"{action} bit", bits * count, energy.e0_pj, energy.row)


def _sram(design: Design, name: str, tech: Technology) -> SramFigures:
    """Figures of one bank of a buffer."""
    sram = design.buffers[name]
    return tech.sram(sram.kib * 1024 / sram.banks, _width_bits(name, design))


def _buffer_event(design: Design, name: str, action: str, bits: int, tech: Technology) -> EventCount:
    figures = _sram(design, name, tech)
    per_access = figures.read_pj if action == "read" else figures.write_pj
    return EventCount("buffers", name, action, -(-bits // _width_bits(name, design)), per_access, figures.row)


def _leakage(leakage_uw: float, cycles: int, design: Design) -> Iterator[EventCount]:
    if design.counted.leakage:
        yield EventCount("leakage", "leakage", "cycle", cycles, leakage_uw / design.clock_mhz, None)


def _simulate_host(layer: HostLayer, design: Design, tech: Technology, leakage_uw: float) -> LayerResult:
    cycles = -(-layer.elements // design.vector_lanes) * layer.repeat
    elements = layer.elements * layer.repeat
    energy = tech.energy("vector_unit", "element", {"lanes": design.vector_lanes})
    events = (
        EventCount("host", "vector_unit", "element", elements, energy.e0_pj, energy.row),
        _buffer_event(design, "activation_buffer", "read", layer.read_bits * layer.repeat, tech),
        _buffer_event(design, design.result_buffer, "write", layer.write_bits * layer.repeat, tech),
        *_leakage(leakage_uw, cycles, design),
    )
    return LayerResult(
        name=layer.name, kind="host", verified="model only", macs=0, shape=(), matmuls=0, compute_cycles=cycles,
        memory_cycles=0, cycles=cycles, bound="host", utilization=0.0, elements=elements, dram_bits=0,
        events=events, assumed="",
    )  # fmt: skip


def area_parts(design: Design, workload: Workload, tech: Technology) -> tuple[Part, ...]:
    """Parts of the chip: every distinct array that a layer runs on, buffers, vector unit."""
    arrays = {(design.datapath, design.array, "")} if not design.datapath.resident else set()
    for layer in workload.layers:
        if isinstance(layer, MatmulLayer):
            here = design.layer(layer.name)
            arrays.add((here.datapath, here.array, layer.name if here.datapath.resident else ""))
    parts = []
    for datapath, array, _ in sorted(arrays, key=repr):
        datapath.check_array(array)
        for part in datapath.components(array):
            area = _figure(datapath, tech.area, part.name, part.parameters)
            parts.append(
                Part(
                    part.name,
                    part.count,
                    area.area_um2,
                    area.leakage_uw * part.count,
                    area.critical_path_ns,
                    area.row,
                )
            )
    if design.counted.host_operators:
        vector = tech.area("vector_unit", {"lanes": design.vector_lanes})
        parts.append(Part("vector_unit", 1, vector.area_um2, vector.leakage_uw, None, vector.row))
    for name, sram in design.buffers.items():
        figures = _sram(design, name, tech)
        parts.append(Part(name, sram.banks, figures.area_um2, figures.leakage_uw * sram.banks, None, figures.row))
    if not parts:
        raise DesignError("the design has no parts")
    return tuple(parts)
