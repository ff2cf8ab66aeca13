"""Energy per event, area, leakage and delay of a design's parts, from its own RTL in library cells.

The array is synthesized, its netlist fed with tiles (results must be the simulator's), its switching counted without
and with gate delays. A part's energy over all tiles, clock apart, divided by the events that the simulator counts on
the same tiles is the energy of an event. What belongs to which event is in docs/power.md.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.errors import PowerError
from hwsim.power import activity, calculator, delays, feed, liberty, netlist, synthesis, timing
from hwsim.power.activity import Stimulus, Toggles
from hwsim.power.cells import WireLoad
from hwsim.power.netlist import Netlist
from hwsim.power.program import compile_netlist
from hwsim.power.synthesis import Recipe
from hwsim.power.timing import Timing
from rtl import verilog
from rtl.array import RESULTS
from rtl.attribution import Share, part, shares
from rtl.generator import generate
from rtl.stimuli import Matmul, Stimuli, stimuli

TOP = "pe_array"
TIMED_CYCLES = 300
"""Cycles of each stimulus that are run with gate delays; their ratio to zero delay scales the rest."""
UNIFORM = "uniform"
"""A stimulus of this name is for comparison: it is in no mean."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventEnergy:
    """Energy of one action, in pJ: without glitches, with them, and with them per stimulus."""

    component: str
    action: str
    zero_delay_pj: float
    pj: float
    by_stimulus: Mapping[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the array: area, leakage, and the latest arrival at one of its flip-flops."""

    component: str
    parameters: Mapping[str, float | str]
    area_um2: float
    leakage_uw: float
    critical_path_ns: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Characterization:
    """What was measured on one design; ``rtl_hash`` is that of its Verilog."""

    events: tuple[EventEnergy, ...]
    parts: tuple[Part, ...]
    rtl_hash: str
    cycles: int
    gates: int


def characterize(
    datapath: ArrayDatapath,
    array: Array,
    recipe: Recipe,
    tiles: Mapping[str, Sequence[Matmul]],
    wire_load: str | None = None,
    *,
    show_progress: bool = True,
) -> Characterization:
    """Measures ``array`` of ``datapath`` on ``tiles``, the matmuls of each named stimulus.

    ``wire_load`` names a model of the library; None leaves wires without capacitance. PowerError where the netlist's
    results are not the simulator's, and as synthesis, netlist and activity raise it.
    """
    text = verilog.emit(generate(datapath, array), TOP)
    path = synthesis.synthesize(text, TOP, recipe, show_progress=show_progress)
    return _Measurement(datapath, array, path, recipe, wire_load).run(text, tiles)


class _Measurement:
    """One netlist, its parts, and their energies."""

    def __init__(
        self, datapath: ArrayDatapath, array: Array, path: Path, recipe: Recipe, wire_load: str | None
    ) -> None:
        self.datapath, self.array = datapath, array
        library = liberty.read(recipe.liberty)
        self.netlist: Netlist = netlist.read(path, library)
        self.wires: WireLoad | None = None if wire_load is None else library.wire_load(wire_load)
        self.delays: Timing = timing.analyse(self.netlist, self.wires)
        self.program = compile_netlist(self.netlist)
        self.part_of = np.array([part(name) for name in self.netlist.instances])
        self.shares = shares(datapath, array)
        self.components = {component.name: component for component in datapath.components(array)}

    def run(self, text: str, tiles: Mapping[str, Sequence[Matmul]]) -> Characterization:
        """All figures; each stimulus weighs by its events."""
        zero: dict[str, dict[str, float]] = {}
        timed: dict[str, dict[str, float]] = {}
        counts: dict[str, dict[str, int]] = {}
        self.cycles: dict[str, int] = {}
        for name, matmuls in tiles.items():
            jobs = [stimuli(self.datapath, self.array, each) for each in matmuls]
            stimulus = self._feed(jobs, name)
            self.cycles[name] = stimulus.cycles
            zero[name] = self._energies(activity.count(self.netlist, stimulus))
            piece = _first_streams(stimulus, TIMED_CYCLES)
            without = self._energies(activity.count(self.netlist, piece))
            glitches = self._energies(delays.count(self.netlist, piece, self.delays))
            timed[name] = {
                key: zero[name][key] * (glitches[key] / without[key] if without[key] else 1.0) for key in zero[name]
            }
            counts[name] = self._events(matmuls)
        return Characterization(
            events=self._per_event(zero, timed, counts),
            parts=self._parts(),
            rtl_hash=hashlib.sha256(text.encode()).hexdigest()[:16],
            cycles=sum(self.cycles.values()),
            gates=int(self.netlist.gate_net.size),
        )

    def _feed(self, jobs: Sequence[Stimuli], name: str) -> Stimulus:
        inputs = [{key: beats for key, beats in job.streams.items() if key != RESULTS} for job in jobs]
        stimulus, results = feed.feed(self.netlist, inputs, [job.cycles for job in jobs], RESULTS)
        for number, (job, result) in enumerate(zip(jobs, results, strict=True)):
            if not np.array_equal(job.streams[RESULTS], result):
                raise PowerError(f"the netlist's results are not the simulator's on tiles {number} of {name!r}")
        return stimulus

    def _energies(self, counts: Toggles) -> dict[str, float]:
        """pJ over all counted cycles: of every part without its clock, and ``clock <part>``."""
        total = self._pj(counts)
        quiet = np.zeros_like(counts.toggles)
        quiet[self.program.clock] = counts.toggles[self.program.clock]
        internal = self._pj(dataclasses.replace(counts, toggles=quiet))
        clock = internal + self._clock_pins_pj() * counts.cycles
        result = {}
        for name in np.unique(self.part_of):
            chosen = self.part_of == name
            result[str(name)] = float((total - internal)[chosen].sum())
            result[f"clock {name}"] = float(clock[chosen].sum())
        return result

    def _pj(self, counts: Toggles) -> np.ndarray:
        power = calculator.compute(self.netlist, activity.to_activity(self.netlist, counts), self.wires, self.delays)
        return (power.switching_pj_of + power.internal_pj_of) * counts.cycles

    def _clock_pins_pj(self) -> np.ndarray:
        """C V^2 of each instance's clock pins: a rise and a fall per cycle."""
        result = np.zeros(self.netlist.cell_of.size)
        for i in self.netlist.flop_instance:
            cell = self.netlist.cells[self.netlist.cell_of[i]]
            for name, net in self.netlist.pins_of(int(i)).items():
                pin = cell.pins[name]
                if net == self.program.clock:
                    result[i] += (pin.rise_capacitance_ff + pin.fall_capacitance_ff) / 2 * pin.voltage_v**2 * 1e-3
        return result

    def _events(self, matmuls: Sequence[Matmul]) -> dict[str, int]:
        """Counts of the datapath's events, by ``component action``."""
        params = self.datapath.params(self.array)
        total = np.zeros(len(self.datapath.EVENTS), np.int64)
        for each in matmuls:
            counts, features = np.zeros_like(total), np.zeros((total.size, 2))
            stats = self.datapath.stats(each.w, self.array)
            self.datapath.events(each.shape, stats.values, params, np.zeros(2), counts, features)
            total += counts
        return {f"{e.component} {e.action}": int(n) for e, n in zip(self.datapath.EVENTS, total, strict=True)}

    def _per_event(
        self,
        zero: Mapping[str, Mapping[str, float]],
        timed: Mapping[str, Mapping[str, float]],
        counts: Mapping[str, Mapping[str, int]],
    ) -> tuple[EventEnergy, ...]:
        result = []
        for share in self.shares:
            key = share.per or f"{share.component} {share.action}"

            def energy(of: Mapping[str, Mapping[str, float]], names: Sequence[str], key=key, share=share) -> float:
                events = sum(counts[name][key] for name in names)
                return sum(self._share_pj(share, of[name], name, counts[name][key]) for name in names) / max(1, events)

            names = [name for name in counts if name != UNIFORM]
            result.append(
                EventEnergy(
                    component=share.component, action=share.action,
                    zero_delay_pj=energy(zero, names), pj=energy(timed, names),
                    by_stimulus={name: energy(timed, [name]) for name in counts if counts[name][key]},
                )
            )  # fmt: skip
        return tuple(result)

    def _share_pj(self, share: Share, energies: Mapping[str, float], stimulus: str, events: int) -> float:
        """pJ of one stimulus that are a share's."""
        result = sum(energies.get(name, 0.0) for name in share.parts)
        result += sum(energies.get(f"clock {name}", 0.0) for name in share.clocks)
        if share.gated:
            cycles = self.components[share.component].count * self.cycles[stimulus]
            result += sum(energies.get(f"clock {name}", 0.0) for name in share.gated) * events / cycles
        return result

    def _parts(self) -> tuple[Part, ...]:
        rows = calculator.compute(
            self.netlist, activity.to_activity(self.netlist, self._at_rest()), self.wires, self.delays
        ).instances()
        arrival = delays.arrivals(self.netlist, self.delays)
        late = np.zeros(self.netlist.cell_of.size)
        for flop, function in zip(self.netlist.flop_instance, self.netlist.flop_next, strict=True):
            nets = self.netlist.fanin[self.netlist.fanin_start[function] : self.netlist.fanin_start[function + 1]]
            late[flop] = arrival[nets].max(initial=0.0) / 1e3
        home = {part: share.component for share in self.shares for part in (*share.parts, *share.clocks, *share.gated)}
        found = []
        for name in dict.fromkeys(share.component for share in self.shares):
            chosen = np.isin(self.part_of, [part for part, component in home.items() if component == name])
            known = self.components.get(name)
            if not chosen.any() and known is None:
                continue
            count = 1 if known is None else known.count
            found.append(
                Part(
                    component=name, parameters={} if known is None else dict(known.parameters),
                    area_um2=float(rows["area_um2"][chosen].sum()) / count,
                    leakage_uw=float(rows["leakage_uw"][chosen].sum()) / count,
                    critical_path_ns=float(late[chosen].max(initial=0.0)) or None,
                )
            )  # fmt: skip
        return tuple(found)

    def _at_rest(self) -> Toggles:
        """No toggles and every net 1 half of the time: what leakage is stated for."""
        nets = len(self.netlist.nets)
        probability = np.full(nets, 0.5)
        probability[:2] = 0.0, 1.0
        return Toggles(1, np.zeros(nets, np.int64), probability)


def _first_streams(stimulus: Stimulus, cycles: int) -> Stimulus:
    """The first streams that together count so many cycles."""
    bits = np.unpackbits(stimulus.counted.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    before = np.cumsum(bits.sum(axis=0, dtype=np.int64)) - bits.sum(axis=0, dtype=np.int64)
    kept = np.packbits(bits * (before < cycles), axis=1, bitorder="little").view("<u8").astype(np.uint64)
    return Stimulus(stimulus.words, kept)
