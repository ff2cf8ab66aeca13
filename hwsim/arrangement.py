"""The matmul layers of a workload on the arrays of a design: tables that `hwsim.kernels.cost` prices points with."""

import dataclasses
import fnmatch
from collections.abc import Callable, Iterable

import numpy as np

from hwsim.datapath import Array, Datapath
from hwsim.design import Design
from hwsim.engines import ArrayCosts, Engine
from hwsim.errors import DesignError, HwsimError, nearest
from hwsim.kernels import array_cost, cost, tiles
from hwsim.measurement import Measured, Place, Weights, check_support, measure
from hwsim.repetition import Repetition
from hwsim.result import Part
from hwsim.switching.measurement import switching
from hwsim.workload import HostLayer, MatmulLayer, OneBit, Workload

Beat = tuple[int, int]
NO_BEAT: Beat = (0, 0)
"""Where no buffer needs to know how wide a step is."""


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """A matmul layer as the array ``engine`` sees it; its costs are row ``row`` of ``costs``."""

    layer: MatmulLayer
    engine: Engine
    costs: ArrayCosts
    row: int
    peak_macs: float
    repetition: Repetition | None


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """What points of equal datapath, array, overrides and technology share.

    Attributes:
        rows, pe_pj: int64[U, 16] and float64[U, 2] of `hwsim.kernels.cost`.
        order: int64[layers]: the row of each layer of the workload; host operators follow the units.
        beat, beats: width of a step of the default array; of all.
        area_um2, leakage_uw: of its arrays.
        parts: likewise.
        verified: whether the RTL of every datapath that a layer runs on is checked, and its costs are complete.
        area_error, layer_error: why it cannot be, found before and after buffers are looked at.
        units: what the rows stand for.
    """

    rows: np.ndarray
    pe_pj: np.ndarray
    order: np.ndarray
    beat: int
    beats: tuple[int, ...]
    area_um2: float = 0.0
    leakage_uw: float = 0.0
    parts: tuple[Part, ...] = ()
    verified: bool = False
    area_error: HwsimError | None = None
    layer_error: HwsimError | None = None
    units: tuple[Unit, ...] = ()

    @property
    def merging(self) -> bool:
        """Whether the host merges what any layer makes."""
        return any(merged(unit.layer, unit.engine.datapath) for unit in self.units)

    def check_clock(self, clock_mhz: float) -> HwsimError | None:
        """Why a datapath that a layer runs on cannot have this clock."""
        try:
            for datapath in {unit.engine.datapath for unit in self.units}:
                datapath.check_clock(clock_mhz)
        except HwsimError as error:
            return error
        return None


def impossible(
    area_error: HwsimError | None = None, layer_error: HwsimError | None = None, beat: int = 0
) -> Arrangement:
    """An arrangement that cannot be."""
    return Arrangement(
        np.empty((0, cost.UNIT_COLUMNS), np.int64), np.empty((0, 2)), np.empty(0, np.int64), beat, (beat,),
        area_error=area_error, layer_error=layer_error,
    )  # fmt: skip


def needs(workload: Workload, design: Design) -> Iterable[tuple[Weights, Place]]:
    """The weights that must be measured for `arrange`, and on which array: up to a layer that cannot run there."""
    for layer in workload.layers:
        if isinstance(layer, MatmulLayer):
            here = design.layer(layer.name)
            try:
                stored = here.datapath.stored(layer)
            except HwsimError:
                return
            for w in stored.weights:
                yield w, (here.datapath, here.array)


def arrange(
    workload: Workload,
    design: Design,
    engine_of: Callable[[Datapath, Array], Engine],
    beat_of: Callable[[Datapath, Array], int],
) -> Arrangement:
    """``workload`` on the arrays of ``design``; ``beat_of`` numbers the widths of a step."""
    engines, parts = _engines(workload, design, engine_of)
    area_error = next((engine.area_error for engine in engines.values() if engine.area_error), None)
    if area_error:
        return impossible(area_error=area_error)
    try:
        beat = beat_of(design.datapath, design.array)
    except HwsimError as error:
        return impossible(area_error=error)
    try:
        _check_overrides(workload, design)
        chosen, order = _distinct(workload, design)
        for stored, here in chosen:
            check_support(stored, here)
            lacking = engines[here.datapath, here.array].energy_error
            if lacking is not None:
                raise lacking
        units = _units(chosen, engines)
        rows = np.array([_row(unit, beat_of) for unit in units], np.int64).reshape(len(units), cost.UNIT_COLUMNS)
    except HwsimError as error:
        return impossible(layer_error=error, beat=beat)
    area_um2 = leakage_uw = 0.0
    for part in parts:
        area_um2 += part.count * part.area_um2
        leakage_uw += part.leakage_uw
    return Arrangement(
        rows=rows,
        pe_pj=np.array([unit.costs.pj[unit.row] for unit in units]).reshape(len(units), 2),
        order=np.array([row if row >= 0 else len(units) - 1 - row for row in order], np.int64),
        beat=beat, beats=(beat, *rows[:, cost.BEAT].tolist()), area_um2=area_um2, leakage_uw=leakage_uw, parts=parts,
        verified=all(unit.engine.datapath.verified == "rtl" and not unit.engine.datapath.left_out for unit in units),
        units=tuple(units),
    )  # fmt: skip


def _check_overrides(workload: Workload, design: Design) -> None:
    """DesignError naming an override that matches no layer."""
    names = [layer.name for layer in workload.layers if isinstance(layer, MatmulLayer)]
    for override in design.overrides:
        if not fnmatch.filter(names, override.layers):
            raise DesignError(
                f"override {override.layers!r} matches no layer of {workload.name!r}; {nearest(override.layers, names)}"
            )


def _engines(
    workload: Workload, design: Design, engine_of: Callable[[Datapath, Array], Engine]
) -> tuple[dict[Place, Engine], tuple[Part, ...]]:
    """The arrays that layers run on, and the parts of them all: an array that keeps its weights is one layer's."""
    arrays = {(design.datapath, design.array, "")} if not design.datapath.resident else set()
    for layer in workload.layers:
        if isinstance(layer, MatmulLayer):
            here = design.layer(layer.name)
            arrays.add((here.datapath, here.array, layer.name if here.datapath.resident else ""))
    ordered = [engine_of(datapath, array) for datapath, array, _ in sorted(arrays, key=repr)]
    engines = {(engine.datapath, engine.array): engine for engine in ordered}
    return engines, tuple(part for engine in ordered for part in engine.parts)


def _distinct(workload: Workload, design: Design) -> tuple[list[tuple[MatmulLayer, Design]], list[int]]:
    """Matmul layers that differ, as they are stored, with their arrays; and which one each layer is, hosts from -1."""
    known: dict[tuple, int] = {}
    chosen: list[tuple[MatmulLayer, Design]] = []
    order, hosts = [], 0
    for layer in workload.layers:
        if isinstance(layer, HostLayer):
            hosts += 1
            order.append(-hosts)
            continue
        here = design.layer(layer.name)
        stored = here.datapath.stored(layer)
        key = (here.datapath, here.array, *_cost_fields(stored))
        if key not in known:
            known[key] = len(chosen)
            chosen.append((stored, here))
        order.append(known[key])
    return chosen, order


def _cost_fields(layer: MatmulLayer) -> tuple:
    """Everything that costs of a layer depend on, its array aside."""
    return (
        layer.m, layer.n, layer.k, layer.input_elements, layer.activation_bits, layer.output_bits,
        layer.operands.hash, layer.sum_shift, layer.one_bit, layer.repeat, layer.together,
        *(w.hash for w in layer.weights),
    )  # fmt: skip


def _units(chosen: list[tuple[MatmulLayer, Design]], engines: dict[Place, Engine]) -> list[Unit]:
    """The layers with what their arrays cost, array by array."""
    units: dict[int, Unit] = {}
    for place, engine in engines.items():
        here = [i for i, (_, design) in enumerate(chosen) if (design.datapath, design.array) == place]
        layers = [chosen[i][0] for i in here]
        if not layers:
            continue
        costs, measured = _array_costs(engine, layers)
        for row, i in enumerate(here):
            units[i] = Unit(layers[row], engine, costs, row, measured[row].peak_macs, _repetition(layers[row], engine))
    return [units[i] for i in range(len(chosen))]


def _repetition(layer: MatmulLayer, engine: Engine) -> Repetition | None:
    """What repeats in the weights of ``layer``: the mean of its matrices, which are of one size."""
    found = [measure(w, engine.datapath, engine.array).repetition for w in layer.weights]
    each = [dataclasses.astuple(one) for one in found if one is not None]
    return Repetition(*np.mean(each, axis=0).tolist()) if each else None


def _array_costs(engine: Engine, layers: list[MatmulLayer]) -> tuple[ArrayCosts, list[Measured]]:
    table = np.empty((len(layers), array_cost.LAYER_COLUMNS), np.int64)
    weights: list[tuple[int, int, int]] = []
    stats, firsts, stop = [], [], 0
    for i, layer in enumerate(layers):
        table[i] = layer.m, layer.n, layer.k, len(weights), len(layer.weights), layer.repeat
        for w in layer.weights:
            known = measure(w, engine.datapath, engine.array)
            stats.append(known.values)
            weights.append((stop, stop + len(known.values), known.group_size))
            stop += len(known.values)
        firsts.append(measure(layer.weights[0], engine.datapath, engine.array))
    switched = switching(layers, engine.datapath, engine.array)
    table_of_weights = np.array(weights, np.int64).reshape(-1, array_cost.WEIGHT_COLUMNS)
    return engine.costs(table, table_of_weights, switched, np.concatenate(stats)), firsts


def _row(unit: Unit, beat_of: Callable[[Datapath, Array], int]) -> list[int]:
    layer, engine = unit.layer, unit.engine
    known = measure(layer.weights[0], engine.datapath, engine.array)
    lanes = getattr(engine.datapath, "lanes", None)
    steps = 0 if lanes is None else int(tiles.steps(layer.k, known.group_size, lanes))
    return [
        layer.m, layer.n, layer.k, engine.array.tile_rows, engine.array.cols, steps, input_bits(layer),
        known.storage_bits, layer.m * layer.n * layer.output_bits, layer.activation_bits, layer.matmuls,
        layer.together * len(layer.weights), beat_of(engine.datapath, engine.array), merged(layer, engine.datapath),
        *unit.costs.cycles[unit.row],
    ]  # fmt: skip


def merged(layer: MatmulLayer, datapath: Datapath) -> int:
    """Elements of a split layer whose bits the host merges while the array computes: none if the array merges them."""
    split = layer.one_bit is not None and layer.one_bit != OneBit()
    return layer.m * layer.n * layer.matmuls if split and not datapath.merges else 0


def input_bits(layer: MatmulLayer) -> int:
    """Bits of the distinct activations of each matmul of ``layer``."""
    return -(-layer.input_elements // len(layer.weights)) * layer.activation_bits


def beat_bits(datapath: Datapath, array: Array) -> Beat:
    """See `Datapath.beat_bits`; DesignError unless the datapath's steps have ``lanes`` k."""
    if not hasattr(datapath, "lanes"):
        raise DesignError(f"{datapath.name()} has no lanes: buffers need width_bits")
    return datapath.beat_bits(array)
