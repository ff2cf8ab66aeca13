"""Energy per clock cycle and leakage of a netlist, from its activity and the library's tables.

Switching is charged to the cell that drives a net: half C V^2 per toggle. Internal power of an output is its
toggles times the mean of its rise and fall energies, averaged over the groups of the related pins with the weights
toggles x probability that the output follows the pin, and summed over supplies. Internal power of an input is its
toggles times the mean energy in the states of each group. See docs/power.md.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hwsim.errors import PowerError
from hwsim.power import timing
from hwsim.power.cell_states import on_states
from hwsim.power.cells import Cell, InternalPower, Leakage, Pin, WireLoad
from hwsim.power.expression import Expression
from hwsim.power.netlist import ABSENT, Netlist
from hwsim.power.timing import FALL, RISE, TablePool, Timing
from hwsim.power.waveforms import Activity

_FJ_PER_PJ = 1e3
_NW_PER_UW = 1e3


@dataclass(frozen=True, eq=False)
class Power:
    """Power of a netlist: energies per clock cycle and leakage, of every instance (float64[I]) and in total.

    ``input_nets_pj`` is what drivers outside spend on the nets of input ports, the clock among them: it is in no total.
    """

    netlist: Netlist
    cycles: float
    switching_pj_of: np.ndarray
    internal_pj_of: np.ndarray
    leakage_uw_of: np.ndarray
    input_nets_pj: float
    joint_states: bool

    @property
    def switching_pj(self) -> float:
        """Energy of the nets that cells drive, per cycle."""
        return float(self.switching_pj_of.sum())

    @property
    def internal_pj(self) -> float:
        """Energy inside cells, per cycle."""
        return float(self.internal_pj_of.sum())

    @property
    def total_pj(self) -> float:
        """Switching and internal energy per cycle; leakage is apart."""
        return self.switching_pj + self.internal_pj

    @property
    def leakage_uw(self) -> float:
        """Leakage power."""
        return float(self.leakage_uw_of.sum())

    def instances(self) -> pd.DataFrame:
        """One row per instance: instance, cell, kind (sequential or combinational), energies, leakage, area."""
        cells = [self.netlist.cells[number] for number in self.netlist.cell_of]
        return pd.DataFrame(
            {
                "instance": self.netlist.instances,
                "cell": [cell.name for cell in cells],
                "kind": ["sequential" if cell.flip_flop is not None else "combinational" for cell in cells],
                "switching_pj": self.switching_pj_of,
                "internal_pj": self.internal_pj_of,
                "total_pj": self.switching_pj_of + self.internal_pj_of,
                "leakage_uw": self.leakage_uw_of,
                "area_um2": [cell.area_um2 for cell in cells],
            }
        )

    def by(self, key: str | Callable[[str], str]) -> pd.DataFrame:
        """Sums per group, largest total first: ``cell``, ``kind``, or a function of the instance name."""
        rows = self.instances()
        groups = rows[key] if isinstance(key, str) else rows["instance"].map(key).rename("group")
        sums = rows.groupby(groups).sum(numeric_only=True)
        sums.insert(0, "instances", rows.groupby(groups).size())
        return sums.sort_values("total_pj", ascending=False, kind="stable").reset_index()


def compute(
    netlist: Netlist, activity: Activity, wire_load: WireLoad | None = None, delays: Timing | None = None
) -> Power:
    """The power of a netlist under an activity, its wires by a wire-load model or (None) without capacitance.

    ``delays``: what `timing.analyse` says of them, if it is known already. PowerError if a cell has no
    internal-power tables.
    """
    delays = delays or timing.analyse(netlist, wire_load)
    switching, internal = energies_fj(netlist, activity, delays)
    leakage = np.zeros(netlist.cell_of.size)
    for group in _groups(netlist, delays):
        leakage[group.instances] = group.leakage_nw()
    ports = np.unique(netlist.inputs)
    volts = {pin.voltage_v for cell in netlist.cells for pin in cell.inputs}
    outside = 0.5 * delays.load_ff[ports].max(axis=1, initial=0) * activity.toggles[ports]
    scale = 1 / (activity.cycles * _FJ_PER_PJ)
    return Power(
        netlist=netlist,
        cycles=activity.cycles,
        switching_pj_of=switching * scale,
        internal_pj_of=internal * scale,
        leakage_uw_of=leakage / _NW_PER_UW,
        input_nets_pj=float(outside.sum()) * max(volts, default=0.0) ** 2 * scale,
        joint_states=activity.joint_states,
    )


def energies_fj(netlist: Netlist, activity: Activity, delays: Timing) -> tuple[np.ndarray, np.ndarray]:
    """Switching and internal energy of each instance over all cycles of an activity, float64[I] each; else `compute`.

    PowerError if a cell has no internal-power tables.
    """
    switching, internal = np.zeros(netlist.cell_of.size), np.zeros(netlist.cell_of.size)
    for group in _groups(netlist, delays):
        group.take(activity)
        switching[group.instances] = group.switching_fj()
        internal[group.instances] = group.internal_fj()
    return switching, internal


@functools.lru_cache(maxsize=2)
def _groups(netlist: Netlist, delays: Timing) -> "tuple[_Group, ...]":
    """The cells of a netlist, with what no activity changes: kept, as one netlist sees many activities."""
    for cell in netlist.cells:
        if cell.inputs and cell.outputs and not any(pin.internal_power for pin in cell.pins.values()):
            raise PowerError(f"cell {cell.name!r} of {cell.library} has no internal_power tables")
    return tuple(_Group(netlist, number, delays) for number in range(len(netlist.cells)))


class _Group:
    """All instances of one cell; energies of each over the whole of the activity taken last: float64[n]."""

    def __init__(self, netlist: Netlist, number: int, delays: Timing) -> None:
        self.cell: Cell = netlist.cells[number]
        self.instances = np.flatnonzero(netlist.cell_of == number)
        self.pins = list(self.cell.pins)
        self.nets = netlist.pin_net[netlist.pin_start[self.instances][:, None] + np.arange(len(self.pins))]
        connected = self.nets != ABSENT
        self.load = np.where(connected, delays.load_ff[self.nets].max(axis=2), 0.0)
        self.slew = np.where(connected[:, :, None], delays.slew_ps[self.nets], 0.0)
        self._energies: dict[tuple[int, int], np.ndarray] = {}
        self._on: dict[Expression, np.ndarray] = {}
        self._following: dict[tuple[Expression, str], np.ndarray] = {}

    def take(self, activity: Activity) -> None:
        """What the following energies are of."""
        places = activity.state_start[self.instances][:, None] + np.arange(1 << len(self.pins))
        self.states = activity.states[places]
        self.toggles = np.where(self.nets != ABSENT, activity.toggles[self.nets], 0.0)
        self.joint = activity.joint_states

    def _on_states(self, expression: Expression) -> np.ndarray:
        """States in which an expression of pins is true: bool[2^pins]."""
        if expression not in self._on:
            self._on[expression] = on_states(self.cell, expression)
        return self._on[expression]

    def _where(self, states: np.ndarray) -> np.ndarray:
        """Probability of a set of states (bool[2^pins])."""
        return self.states @ states.astype(float)

    def _mean_energy(self, k: int, power: InternalPower) -> np.ndarray:
        """Mean of the rise and fall energies of a group of pin k at each instance's slews and load."""
        if (k, id(power)) not in self._energies:
            pin = self.cell.pins[self.pins[k]]
            if pin.direction == "input":
                load, slew = np.zeros(len(self.instances)), (self.slew[:, k, RISE], self.slew[:, k, FALL])
            else:
                load, slew = self.load[:, k], self._causing_slews(pin, power)
            pool = TablePool()
            rise = pool.look_up(np.full(load.shape, pool.number(power.rise), np.int64), slew[RISE], load)
            fall = pool.look_up(np.full(load.shape, pool.number(power.fall), np.int64), slew[FALL], load)
            self._energies[k, id(power)] = (rise + fall) / 2
        return self._energies[k, id(power)]

    def switching_fj(self) -> np.ndarray:
        """Half C V^2 per toggle of every output."""
        total = np.zeros(len(self.instances))
        for k, pin in enumerate(self.cell.pins.values()):
            if pin.direction == "output":
                total += 0.5 * self.load[:, k] * pin.voltage_v**2 * self.toggles[:, k]
        return total

    def internal_fj(self) -> np.ndarray:
        """Energies of the internal_power groups of all pins."""
        total = np.zeros(len(self.instances))
        for k, pin in enumerate(self.cell.pins.values()):
            if not self.toggles[:, k].any():
                continue
            if pin.direction == "input":
                total += self._input_fj(k, pin)
            else:
                for rail in _rails(pin.internal_power):
                    total += self._output_fj(k, pin, [p for p in pin.internal_power if p.related_pg_pin == rail])
        return total

    def _input_fj(self, k: int, pin: Pin) -> np.ndarray:
        total = np.zeros(len(self.instances))
        for rail in _rails(pin.internal_power):
            powers = [power for power in pin.internal_power if power.related_pg_pin == rail]
            states = self._states_of(powers, lambda power: self._hidden_states(pin, power))
            for power, where in zip(powers, states, strict=True):
                total += self.toggles[:, k] * self._where(where) * self._mean_energy(k, power)
        return total

    def _states_of(
        self, powers: Sequence[InternalPower], states: Callable[[InternalPower], np.ndarray]
    ) -> list[np.ndarray]:
        """States in which each group applies, bool[2^pins]; one without ``when`` applies where no other does."""
        found = [None if power.when is None else states(power) for power in powers]
        others = ~np.any(
            [np.zeros(1 << len(self.pins), bool)] + [where for where in found if where is not None], axis=0
        )
        return [others if where is None else where for where in found]

    def _hidden_states(self, pin: Pin, power: InternalPower) -> np.ndarray:
        """States in which a group of an input applies.

        A condition on an output is no set of independent pins: then it counts as the states in which that output
        follows the input (OpenSTA's rule).
        """
        when = _condition(power)
        if not self.joint:
            for name in when.inputs:
                function = self.cell.pins[name].function if name in self.cell.pins else None
                if function is not None:
                    if pin.name in function.inputs:
                        return self._follows(function, pin.name)
                    break
        return self._on_states(when)

    def _output_fj(self, k: int, pin: Pin, powers: Sequence[InternalPower]) -> np.ndarray:
        weights = self._weights(pin, powers)
        energies = [self._mean_energy(k, power) for power in powers]
        weights[:, weights.sum(axis=0) == 0] = 1.0
        return self.toggles[:, k] * (weights * np.array(energies)).sum(axis=0) / weights.sum(axis=0)

    def _weights(self, pin: Pin, powers: Sequence[InternalPower]) -> np.ndarray:
        """Per group the toggles of its related pin times the probability that the output follows it: float64[P, n].

        With joint states also times that of its condition; else the groups of one pin count alike (OpenSTA's rule).
        """
        weights = np.zeros((len(powers), len(self.instances)))
        for related in sorted({power.related_pin or "" for power in powers} & set(self.pins)):
            rows = [row for row, power in enumerate(powers) if power.related_pin == related]
            toggles = self.toggles[:, self.pins.index(related)]
            groups = [powers[row] for row in rows]
            conditions = self._states_of(groups, lambda power: self._on_states(_condition(power)))
            for row, condition in zip(rows, conditions, strict=True):
                if pin.function is not None and related in pin.function.inputs:
                    follows = self._follows(pin.function, related)
                    weights[row] = toggles * self._where(follows & condition if self.joint else follows)
                elif powers[row].when is not None or self.joint:
                    weights[row] = toggles * self._where(condition)
                else:
                    weights[row] = toggles * 0.5
        return weights

    def _follows(self, function: Expression, pin: str) -> np.ndarray:
        """States in which an output follows a pin; all of them where that depends on a flip-flop's state."""
        if (function, pin) not in self._following:
            difference = function.difference(pin)
            known = set(difference.inputs) <= set(self.pins)
            self._following[function, pin] = (
                self._on_states(difference) if known else np.ones(1 << len(self.pins), bool)
            )
        return self._following[function, pin]

    def _causing_slews(self, pin: Pin, power: InternalPower) -> tuple[np.ndarray, np.ndarray]:
        """Slews of the related pin at the edges that make the output rise and fall."""
        if power.related_pin not in self.cell.pins:
            return np.zeros(len(self.instances)), np.zeros(len(self.instances))
        slew = self.slew[:, self.pins.index(power.related_pin)]
        sense = next((arc.sense for arc in pin.arcs if arc.related_pin == power.related_pin), "positive_unate")
        inverting = sense == "negative_unate"
        return slew[:, FALL if inverting else RISE], slew[:, RISE if inverting else FALL]

    def leakage_nw(self) -> np.ndarray:
        """Leakage in the states of the groups; elsewhere that of the cell.

        A group without states counts where no other applies; with independent pins only if there is no other
        (OpenSTA's rule).
        """
        total = np.zeros(len(self.instances))
        named = np.zeros(1 << len(self.pins), bool)
        for rail in _rails(self.cell.leakage):
            entries = [entry for entry in self.cell.leakage if entry.related_pg_pin == rail]
            here = np.zeros(1 << len(self.pins), bool)
            for entry in entries:
                if entry.when is not None:
                    states = self._on_states(entry.when)
                    total += self._where(states) * entry.power_nw
                    here |= states
            for entry in entries:
                if entry.when is None and (self.joint or not here.any()):
                    total += self._where(~here) * entry.power_nw
                    here = np.ones_like(here)
            named |= here
        if self.cell.leakage_nw is not None:
            total += self._where(~named) * self.cell.leakage_nw
        return total


def _condition(power: InternalPower) -> Expression:
    assert power.when is not None
    return power.when


def _rails(entries: Sequence[InternalPower] | Sequence[Leakage]) -> list[str | None]:
    """The supplies that groups name, in order: None where they name none."""
    return list(dict.fromkeys(entry.related_pg_pin for entry in entries))
