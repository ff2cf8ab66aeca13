"""Switching activity from a dump: toggles and probabilities of nets, and of the states of cells.

The states of a cell follow from the probabilities of its pins, taken as independent: what SAIF
can give, and the convention of common power calculators. A VCD dump can also tell them exactly
(joint states), as the time that the pins spent together in each state.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.errors import PowerError
from hwsim.power import cell_states, saif, vcd
from hwsim.power.matching import Matching, match
from hwsim.power.netlist import ABSENT, Netlist


@dataclass(frozen=True, eq=False)
class Activity:
    """What a netlist did over ``cycles`` clock cycles.

    ``toggles`` float64[nets] over the whole time (a change to or from x is half a toggle) and ``probability`` of 1,
    float64[nets]. State s of instance i (bit k: value of pin k in the order of ``cell.pins``) has the probability
    ``states[state_start[i] + s]``, float64. ``joint_states`` is False where pins were taken as independent.
    """

    cycles: float
    toggles: np.ndarray
    probability: np.ndarray
    state_start: np.ndarray
    states: np.ndarray
    joint_states: bool


def read(path: Path, netlist: Netlist, period_ns: float, *, joint_states: bool = False) -> Activity:
    """The activity in a VCD (``.vcd``, ``.vcd.gz``) or SAIF (``.saif``, ``.saif.gz``) file of this netlist.

    ``period_ns`` is the clock period by which the dump's duration counts as cycles; ``joint_states`` needs a
    VCD file. PowerError, naming file and nets, for damaged files and for nets that the dump lacks.
    """
    if not (np.isfinite(period_ns) and period_ns > 0):
        raise PowerError(f"a period of {period_ns:g} ns: expected a positive number")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    if kind == ".vcd":
        return _from_vcd(path, netlist, period_ns, joint_states)
    if kind == ".saif":
        if joint_states:
            raise PowerError(f"{path.name}: SAIF has no joint states of pins; accepted: .vcd, .vcd.gz")
        return _from_saif(path, netlist, period_ns)
    raise PowerError(f"activity file {path.name!r}: accepted: .vcd, .vcd.gz, .saif, .saif.gz")


def _state_start(netlist: Netlist) -> np.ndarray:
    sizes = np.array([1 << len(cell.pins) for cell in netlist.cells], np.int64)
    return np.concatenate([[0], np.cumsum(sizes[netlist.cell_of])]).astype(np.int64)


def _from_vcd(path: Path, netlist: Netlist, period_ns: float, joint_states: bool) -> Activity:
    dump = vcd.open_dump(path)
    matching = match(netlist, dump.scopes, path.name)
    state_start = _state_start(netlist)
    sinks = _sinks(netlist, matching, dump.signals) if joint_states else _no_sinks(dump.signals)
    counts = dump.count(*sinks, state_start if joint_states else np.zeros(1, np.int64))
    used = matching.signal[matching.signal != ABSENT]
    silent = used[counts.toggles[used] < 0]
    if silent.size:
        net = netlist.nets[int(np.flatnonzero(matching.signal == silent[0])[0])]
        raise PowerError(f"{path.name}: net {net!r} is declared and never gets a value")
    cycles = counts.duration_ns / period_ns
    toggles, probability = _per_net(matching, counts.toggles, counts.probability, cycles)
    if not joint_states:
        return independent(netlist, cycles, toggles, probability)
    _complete(netlist, matching, state_start, counts.states)
    return Activity(cycles, toggles, probability, state_start, counts.states, True)


def _from_saif(path: Path, netlist: Netlist, period_ns: float) -> Activity:
    figures = saif.read(path)
    matching = match(netlist, figures.scopes, path.name)
    cycles = figures.duration_ns / period_ns
    toggles, probability = _per_net(matching, figures.toggles, figures.probability, cycles)
    return independent(netlist, cycles, toggles, probability)


def independent(netlist: Netlist, cycles: float, toggles: np.ndarray, probability: np.ndarray) -> Activity:
    """Activity with the states of cells from the probabilities of their pins alone."""
    state_start = _state_start(netlist)
    states = np.zeros(int(state_start[-1]))
    for number, cell in enumerate(netlist.cells):
        instances = np.flatnonzero(netlist.cell_of == number)
        nets = netlist.pin_net[netlist.pin_start[instances][:, None] + np.arange(len(cell.pins))]
        pins = np.where(nets == ABSENT, 0.0, probability[nets])
        _open_outputs(netlist, number, instances, pins, probability)
        places = state_start[instances][:, None] + np.arange(1 << len(cell.pins))
        states[places] = cell_states.independent(pins)
    return Activity(cycles, toggles, probability, state_start, states, False)


def _open_outputs(
    netlist: Netlist, number: int, instances: np.ndarray, pins: np.ndarray, probability: np.ndarray
) -> None:
    """Fills in the probabilities of unconnected outputs, from their functions."""
    cell = netlist.cells[number]
    state = dict(zip(netlist.flop_instance.tolist(), netlist.flop_state.tolist(), strict=True))
    place = {name: k for k, name in enumerate(cell.pins)}
    for k, pin in enumerate(cell.pins.values()):
        function = pin.function
        if pin.direction != "output" or function is None:
            continue
        for row, instance in enumerate(instances):
            if netlist.pin_net[netlist.pin_start[instance] + k] == ABSENT:
                operands = [
                    pins[row, place[name]] if name in place else probability[state[int(instance)]]
                    for name in function.inputs
                ]
                pins[row, k] = cell_states.independent(np.array([operands]).reshape(1, -1))[0] @ function.bits()


def _per_net(
    matching: Matching, toggles: np.ndarray, probability: np.ndarray, cycles: float
) -> tuple[np.ndarray, np.ndarray]:
    """Figures per signal -> figures per net."""
    present = matching.signal != ABSENT
    net_toggles, net_probability = np.zeros(present.size), np.zeros(present.size)
    net_toggles[present] = toggles[matching.signal[present]]
    high = probability[matching.signal[present]]
    net_probability[present] = np.where(matching.inverted[present], 1 - high, high)
    fixed = matching.constant != ABSENT
    net_toggles[fixed], net_probability[fixed] = 0.0, matching.constant[fixed]
    net_toggles[matching.clock], net_probability[matching.clock] = 2 * cycles, 0.5
    return net_toggles, net_probability


def _sinks(netlist: Netlist, matching: Matching, signals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pins at each signal as (start, instance, bit of its state), and the states with all signals low."""
    instance = np.repeat(np.arange(netlist.cell_of.size), np.diff(netlist.pin_start))
    bit = np.int64(1) << (np.arange(netlist.pin_net.size) - netlist.pin_start[instance]).astype(np.int64)
    connected = netlist.pin_net != ABSENT
    net = np.where(connected, netlist.pin_net, 0)
    fixed = matching.constant[net] != ABSENT
    high = connected & np.where(fixed, matching.constant[net] == 1, matching.inverted[net])
    initial = np.zeros(netlist.cell_of.size, np.int64)
    np.add.at(initial, instance[high], bit[high])
    moving = np.flatnonzero(connected & ~fixed & (matching.signal[net] != ABSENT))
    moving = moving[np.argsort(matching.signal[net[moving]], kind="stable")]
    start = np.searchsorted(matching.signal[net[moving]], np.arange(signals + 1)).astype(np.int64)
    return start, instance[moving].astype(np.int64), bit[moving], initial


def _no_sinks(signals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `_sinks` where no states are wanted."""
    none = np.zeros(0, np.int64)
    return np.zeros(signals + 1, np.int64), none, none, none


def _complete(netlist: Netlist, matching: Matching, state_start: np.ndarray, states: np.ndarray) -> None:
    """Fills in the pins that the dump does not show: clocks that it leaves out, and unconnected outputs."""
    hidden = (netlist.pin_net == ABSENT) | matching.clock[netlist.pin_net]
    groups: dict[tuple[int, bytes], list[int]] = {}
    for i in np.unique(np.repeat(np.arange(netlist.cell_of.size), np.diff(netlist.pin_start))[hidden]):
        part = slice(netlist.pin_start[i], netlist.pin_start[i + 1])
        pattern = np.where(hidden[part], np.where(netlist.pin_net[part] == ABSENT, 2, 1), 0).astype(np.int8)
        groups.setdefault((int(netlist.cell_of[i]), pattern.tobytes()), []).append(int(i))
    for (number, packed), instances in groups.items():
        cell, pattern = netlist.cells[number], np.frombuffer(packed, np.int8)
        places = state_start[instances][:, None] + np.arange(1 << len(cell.pins))
        clocks, unconnected = np.flatnonzero(pattern == 1).tolist(), np.flatnonzero(pattern == 2).tolist()
        states[places] = cell_states.completed(cell, states[places], clocks, unconnected)
