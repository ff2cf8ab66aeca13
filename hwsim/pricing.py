"""Costs of a workload on many design points: what they share is looked up once, the rest is one compiled function."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from hwsim import memory_figures, technology
from hwsim.arrangement import NO_BEAT, Arrangement, Beat, arrange, beat_bits, impossible, needs
from hwsim.datapath import Array, Datapath
from hwsim.design import Counted, Design
from hwsim.engines import Engine
from hwsim.errors import HwsimError, TechnologyError
from hwsim.kernels import cost
from hwsim.measurement import Place, Weights, measure_all
from hwsim.memory_figures import BUFFERS, Figures
from hwsim.points import ARRAYS, Points
from hwsim.workload import HostLayer, Workload

REMEMBERED = 20_000
"""Arrangements, and arrays, that are kept."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """What `hwsim.kernels.cost` reads of P points.

    Attributes:
        numbers, figures: of each point: int64[P, 10], float64[P, 5].
        shared: what points refer to: the other arguments of `hwsim.kernels.cost.price` before the results.
        area_um2, verified: of every point.
        problem: int32[P]: 0, or which of ``problems``, counted from 1, a point has.
        arrangements: what the first of ``shared`` stands for.
    """

    numbers: np.ndarray
    figures: np.ndarray
    shared: tuple[np.ndarray, ...]
    area_um2: np.ndarray
    verified: np.ndarray
    problem: np.ndarray
    problems: Sequence[HwsimError]
    arrangements: Sequence[Arrangement]


@dataclasses.dataclass(frozen=True, eq=False)
class Prices:
    """Costs of P points; those of a point with a problem (see `Tables`) mean nothing.

    Attributes:
        cycles: int64[P, 2], of all layers and of matmuls.
        picojoules: float64[P, 7], of all layers, of matmuls, and of each category of `hwsim.result.CATEGORIES`.
    """

    cycles: np.ndarray
    picojoules: np.ndarray
    tables: Tables


class Pricing:
    """Prices points for one workload, and remembers what they share."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        hosts = [layer for layer in workload.layers if isinstance(layer, HostLayer)]
        rows = [(layer.elements, layer.read_bits, layer.write_bits, layer.repeat) for layer in hosts]
        self._hosts = np.array(rows, np.int64).reshape(-1, cost.HOST_COLUMNS)
        self._arrangements: dict[tuple, Arrangement] = {}
        self._engines: dict[tuple[Datapath, Array, str], Engine] = {}
        self._beats: dict[Beat, int] = {NO_BEAT: 0}

    def prepare(self, points: Points, progress: bool = False) -> None:
        """Measures all weights that ``points`` need, each once (``progress`` shows a bar); nothing if they are many."""
        if len(points) <= REMEMBERED:
            self._arranged(points, progress)

    def price(self, points: Points) -> Prices:
        """Costs of every point."""
        tables = self.tables(points)
        cycles = np.empty((len(points), 2), np.int64)
        picojoules = np.empty((len(points), cost.BY_CATEGORY + cost.CATEGORIES))
        cost.price(tables.numbers, tables.figures, *tables.shared, cycles, picojoules)
        return Prices(cycles, picojoules, tables)

    def tables(self, points: Points) -> Tables:
        """Looks up everything that costs of ``points`` depend on."""
        gathered = _Gathered(points)
        found, which = self._arranged(points)
        gathered.numbers[:, cost.ARRANGEMENT] = which
        gathered.problem([each.area_error for each in found], which)
        gathered.size([(each.area_um2, each.leakage_uw) for each in found], which)
        keys, at = points.distinct("vector_lanes", "counted", "technology")
        used = len(self._hosts) > 0 or any(each.merging for each in found)
        units = [memory_figures.vector_unit(*key, used) for key in keys]
        gathered.part(units, at)
        gathered.figures[:, cost.VECTOR_PJ] = np.array([each.pj[0] for each in units])[at]
        buffers = self._buffers(gathered, found, which)
        gathered.problem([each.layer_error for each in found], which)
        clocks, at = points.values["clock_mhz"], points.codes["clock_mhz"]
        late = [each.check_clock(clock) for each in found for clock in clocks]
        gathered.problem(late, which * len(clocks) + at)
        keys, at = points.distinct("dram", "technology")
        drams = [memory_figures.dram(*key) for key in keys]
        gathered.part(drams, at)
        gathered.figures[:, [cost.DRAM_READ_PJ, cost.DRAM_WRITE_PJ]] = np.array([each.pj for each in drams])[at]
        gathered.settings()
        verified = np.array([each.verified for each in found])[which]
        if len(self._hosts) < len(self.workload.layers):
            verified &= points.column("counted", lambda counted: counted == Counted())
        return Tables(
            gathered.numbers, gathered.figures, (*_joined(found), self._hosts, *buffers), gathered.area_um2,
            verified, gathered.codes, gathered.problems, found,
        )  # fmt: skip

    def _buffers(
        self, gathered: "_Gathered", found: Sequence[Arrangement], which: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The buffers' numbers and picojoules, [S, B, 4] and [S, B, 2], for every width B of a step."""
        points, beats = gathered.points, list(self._beats)
        own = np.array([each.beat for each in found])[which]
        rows: list[list[Figures]] = []
        for name, column in zip(BUFFERS, (cost.ACTIVATION, cost.WEIGHT, cost.OUTPUT), strict=True):
            keys, at = points.distinct(name, "technology")
            known = [[memory_figures.buffer(name, *key, beat) for beat in beats] for key in keys]
            for beat in range(len(beats)):
                uses = np.array([beat in each.beats for each in found])[which]
                gathered.problem([row[beat].error for row in known], at, uses)
            gathered.size([(each.area_um2, each.leakage_uw) for row in known for each in row], at * len(beats) + own)
            absent = points.column(name, lambda sram: sram is None)
            gathered.numbers[:, column] = np.where(absent, -1, len(rows) + at)
            rows += known
        return (
            np.array([[each.numbers for each in row] for row in rows], np.int64),
            np.array([[each.pj for each in row] for row in rows]),
        )

    def _arranged(self, points: Points, progress: bool = False) -> tuple[list[Arrangement], np.ndarray]:
        """The arrangements of ``points`` and which each has; what is missing is measured, weight by weight."""
        stepwise = np.zeros(len(points), bool)
        for name in BUFFERS:
            stepwise |= points.column(name, lambda sram: sram is not None and sram.width_bits is None)
        keys, which = points.distinct(*ARRAYS, more=stepwise)
        missing = [key for key in keys if key not in self._arrangements]
        if len(self._arrangements) + len(missing) > REMEMBERED:
            self._arrangements.clear()
            self._engines.clear()
            missing = keys
        designs = [_design(*key[:4]) for key in missing]
        measure_all((need for design in designs for need in self._needs(design)), progress=progress)
        for key, design in zip(missing, designs, strict=True):
            self._arrangements[key] = self._arrange(design, key[4])
        return [self._arrangements[key] for key in keys], which

    def _needs(self, design: Design) -> Iterable[tuple[Weights, Place]]:
        try:
            technology.load(design.technology)
        except TechnologyError:  # `_arrange` says so
            return ()
        return needs(self.workload, design)

    def _arrange(self, design: Design, stepwise: bool) -> Arrangement:
        def engine_of(datapath: Datapath, array: Array) -> Engine:
            key = datapath, array, design.technology
            if key not in self._engines:
                self._engines[key] = Engine.of(datapath, array, technology.load(design.technology))
            return self._engines[key]

        def beat_of(datapath: Datapath, array: Array) -> int:
            beat = beat_bits(datapath, array) if stepwise else NO_BEAT
            return self._beats.setdefault(beat, len(self._beats))

        try:
            technology.load(design.technology)
        except TechnologyError as error:
            return impossible(area_error=error)
        return arrange(self.workload, design, engine_of, beat_of)


def _design(tech: str, datapath: Datapath, array: Array, overrides: tuple) -> Design:
    return Design(technology=tech, datapath=datapath, array=array, overrides=overrides)


def _joined(found: Sequence[Arrangement]) -> tuple[np.ndarray, ...]:
    """Where each arrangement's rows are, its rows, picojoules and order: those of all, one after the other."""
    units = np.array([len(each.rows) for each in found])
    layers = np.array([len(each.order) for each in found])
    beats = np.array([each.beat for each in found])
    spans = np.stack([np.cumsum(units) - units, units, np.cumsum(layers) - layers, layers, beats], axis=1)
    rows, pe_pj, order = (
        np.concatenate([getattr(each, name) for each in found]) for name in ("rows", "pe_pj", "order")
    )  # fmt: skip
    return spans.astype(np.int64), rows, pe_pj, order


class _Gathered:
    """Columns of points as they are filled in, part by part."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self.numbers = np.zeros((len(points), cost.POINT_COLUMNS), np.int64)
        self.figures = np.zeros((len(points), cost.FIGURE_COLUMNS))
        self.area_um2 = np.zeros(len(points))
        self.leakage_uw = np.zeros(len(points))
        self.codes = np.zeros(len(points), np.int32)
        self.problems: list[HwsimError] = []

    def part(self, figures: Sequence[Figures], which: np.ndarray) -> None:
        """Adds a part, or the problem with it, to each point: ``which`` of ``figures``."""
        self.problem([each.error for each in figures], which)
        self.size([(each.area_um2, each.leakage_uw) for each in figures], which)

    def size(self, sizes: Sequence[tuple[float, float]], which: np.ndarray) -> None:
        """Adds area and leakage."""
        area, leakage = np.array(sizes).T
        self.area_um2 += area[which]
        self.leakage_uw += leakage[which]

    def problem(self, errors: Sequence[HwsimError | None], which: np.ndarray, where: np.ndarray | bool = True) -> None:
        """The first problem that a point has is the one told."""
        codes = np.zeros(len(errors), np.int32)
        for i, error in enumerate(errors):
            if error is not None:
                self.problems.append(error)
                codes[i] = len(self.problems)
        self.codes = np.where((self.codes == 0) & where, codes[which], self.codes).astype(np.int32)

    def settings(self) -> None:
        """Everything that needs no looking up."""
        column = self.points.column
        clock_mhz = column("clock_mhz")
        self.figures[:, cost.DRAM_BITS_PER_CYCLE] = (
            column("dram", lambda dram: dram.bandwidth_gb_s) * 8e9 / (clock_mhz * 1e6)
        )
        self.figures[:, cost.LEAKAGE_PJ] = self.leakage_uw / clock_mhz
        self.numbers[:, cost.PER_TILE] = column("overlap") == "tile"
        self.numbers[:, cost.PER_BUFFER] = column("refetch") == "layer"
        self.numbers[:, cost.PARTIAL_DRAM] = column("counted", lambda counted: counted.partial_dram_cycles)
        self.numbers[:, cost.LEAKS] = column("counted", lambda counted: counted.leakage)
        self.numbers[:, cost.HOST_COUNTS] = column("counted", lambda counted: counted.host_operators)
        self.numbers[:, cost.LANES] = column("vector_lanes")
