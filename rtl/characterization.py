"""Energy per event, area, leakage and delay of a design's parts, from its own RTL in library cells.

The array is synthesized, its netlist fed with tiles (results must be the simulator's), its switching counted without
and with gate delays. A part's energy during a stimulus, clock apart, stands beside the events and the changing bits
that the simulator counts on the same tiles. What belongs to which event is in docs/power.md.
"""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from hwsim.power.waveforms import Activity
from hwsim.progress import track
from hwsim.switching import features
from hwsim.technology.samples import SIZES, Sample, identity, rounded
from rtl import verilog
from rtl.array import RESULTS
from rtl.attribution import Share, part, shares
from rtl.generator import generate
from rtl.stimuli import Matmul, Stimuli, stimuli

TOP = "pe_array"


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
    """What was measured on one design; samples name it as they were told to."""

    samples: tuple[Sample, ...]
    parts: tuple[Part, ...]
    rtl_hash: str
    gates: int


def characterize(
    datapath: ArrayDatapath,
    array: Array,
    recipe: Recipe,
    tiles: Mapping[str, Sequence[Matmul]],
    wire_load: str | None = None,
    *,
    name: str = "",
    show_progress: bool = True,
) -> Characterization:
    """Measures ``array`` of ``datapath`` on ``tiles``, the matmuls of each stimulus (see `Sample.stimulus`).

    Samples are of the design ``name``. ``wire_load`` names a model of the library; None leaves wires without
    capacitance. PowerError where the netlist's results are not the simulator's, and as synthesis, netlist and activity
    raise it.
    """
    text = verilog.emit(generate(datapath, array), TOP)
    path = synthesis.synthesize(text, TOP, recipe, show_progress=show_progress)
    return _Measurement(datapath, array, path, recipe, wire_load).run(name, text, tiles, show_progress)


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

    def run(self, name: str, text: str, tiles: Mapping[str, Sequence[Matmul]], show_progress: bool) -> Characterization:
        """All samples and parts."""
        rtl_hash = hashlib.sha256(text.encode()).hexdigest()[:16]
        about: dict[str, Any] = {
            "design": name, "datapath": self.datapath.name(), "dataflow": self.array.dataflow, "rtl": rtl_hash,
        }  # fmt: skip
        samples = [
            Sample(**about, stimulus=stimulus, component=share.component, action=share.action, **measured)
            for stimulus, matmuls in track(list(tiles.items()), name, show_progress)
            for share, measured in self._sampled(stimulus, matmuls)
            if share.component in self.components
        ]
        return Characterization(
            samples=tuple(samples), parts=self._parts(), rtl_hash=rtl_hash, gates=int(self.netlist.gate_net.size)
        )

    def _sampled(self, name: str, matmuls: Sequence[Matmul]) -> Iterator[tuple[Share, dict[str, Any]]]:
        """What belongs to each share during a stimulus."""
        fed = self._feed([stimuli(self.datapath, self.array, each) for each in matmuls], name)
        counts = activity.count(self.netlist, fed)
        at_rest = activity.to_activity(self.netlist, counts)  # what nets settle to is the same with delays
        zero = self._energies(at_rest, counts)
        timed = self._energies(at_rest, delays.count(self.netlist, fed, self.delays))
        events, toggles = self._events(matmuls), self._toggles(matmuls)
        named = {f"{event.component} {event.action}": event.features for event in self.datapath.EVENTS}
        for share in self.shares:
            key = share.per or f"{share.component} {share.action}"
            part, changes = self.components.get(share.component), named.get(key, ())
            yield (
                share,
                {
                    "parameters": {} if part is None else identity(share.component, part.parameters),
                    "clocked": bool(share.clocks or share.gated),
                    "count": events[key],
                    "pj": rounded(self._share_pj(share, timed, fed.cycles, events[key])),
                    "zero_delay_pj": rounded(self._share_pj(share, zero, fed.cycles, events[key])),
                    "features": {feature: toggles.get(feature, 0) for feature in changes}
                    | self._sizes(share, events[key]),
                },
            )

    def _sizes(self, share: Share, events: int) -> dict[str, float]:
        """The size of a part that differs from others in nothing else, as a feature of its events."""
        name = SIZES.get(share.component)
        return {name: float(self.components[share.component].parameters[name]) * events} if name else {}

    def _toggles(self, matmuls: Sequence[Matmul]) -> dict[str, int]:
        """Bits that change, by feature."""
        found: dict[str, int] = {}
        for each in matmuls:
            for feature, changes in features.totals(self.datapath, self.array, each.x, each.w, each.quantizer).items():
                found[feature] = found.get(feature, 0) + changes
        return found

    def _feed(self, jobs: Sequence[Stimuli], name: str) -> Stimulus:
        inputs = [{key: beats for key, beats in job.streams.items() if key != RESULTS} for job in jobs]
        stimulus, results = feed.feed(self.netlist, inputs, [job.cycles for job in jobs], RESULTS)
        for number, (job, result) in enumerate(zip(jobs, results, strict=True)):
            if not np.array_equal(job.streams[RESULTS], result):
                raise PowerError(f"the netlist's results are not the simulator's on tiles {number} of {name!r}")
        return stimulus

    def _energies(self, states: Activity, counts: Toggles) -> dict[str, float]:
        """pJ over all counted cycles: of every part without its clock, and ``clock <part>``."""
        total = self._pj(states, counts.toggles)
        quiet = np.zeros_like(counts.toggles)
        quiet[self.program.clock] = counts.toggles[self.program.clock]
        internal = self._pj(states, quiet)
        clock = internal + self._clock_pins_pj() * counts.cycles
        result = {}
        for name in np.unique(self.part_of):
            chosen = self.part_of == name
            result[str(name)] = float((total - internal)[chosen].sum())
            result[f"clock {name}"] = float(clock[chosen].sum())
        return result

    def _pj(self, states: Activity, toggles: np.ndarray) -> np.ndarray:
        """pJ of every instance: float64[I]."""
        changing = dataclasses.replace(states, toggles=toggles.astype(float))
        return np.sum(calculator.energies_fj(self.netlist, changing, self.delays), axis=0) * 1e-3

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
        total = np.sum([features.counts(self.datapath, self.array, each.shape, each.w) for each in matmuls], axis=0)
        return {f"{e.component} {e.action}": int(n) for e, n in zip(self.datapath.EVENTS, total, strict=True)}

    def _share_pj(self, share: Share, energies: Mapping[str, float], counted: int, events: int) -> float:
        """pJ of one stimulus that are a share's."""
        result = sum(energies.get(name, 0.0) for name in share.parts)
        result += sum(energies.get(f"clock {name}", 0.0) for name in share.clocks)
        if share.gated:
            cycles = self.components[share.component].count * counted
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
