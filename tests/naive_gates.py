"""Obvious evaluators of netlists: one stream, one net and one change at a time."""

from collections.abc import Sequence

import numpy as np

from hwsim.power.netlist import ABSENT, Netlist
from hwsim.power.timing import Timing


def value(netlist: Netlist, function: int, values: dict[int, int]) -> int:
    """A function of nets, by its truth table."""
    nets = netlist.fanin[netlist.fanin_start[function] : netlist.fanin_start[function + 1]]
    row = sum(values[int(net)] << k for k, net in enumerate(nets))
    return (int(netlist.table_words[netlist.table_start[function] + row // 64]) >> (row % 64)) & 1


def _held(netlist: Netlist, f: int, values: dict[int, int]) -> int | None:
    """What clear and preset hold a flip-flop at; None if they do not."""
    clear = netlist.flop_clear[f] != ABSENT and value(netlist, netlist.flop_clear[f], values)
    preset = netlist.flop_preset[f] != ABSENT and value(netlist, netlist.flop_preset[f], values)
    if clear or preset:
        return max(0, int(netlist.flop_both[f])) if clear and preset else int(preset)
    return None


def _asynchronous(netlist: Netlist, values: dict[int, int]) -> None:
    for f, state in enumerate(netlist.flop_state):
        held = _held(netlist, f, values)
        if held is not None:
            values[int(state)] = held


def _settle(netlist: Netlist, values: dict[int, int]) -> None:
    for _ in range(len(netlist.flop_state) + 1):
        for gate, net in enumerate(netlist.gate_net):
            values[int(net)] = value(netlist, gate, values)
        _asynchronous(netlist, values)
    for gate, net in enumerate(netlist.gate_net):
        values[int(net)] = value(netlist, gate, values)


def _initial(netlist: Netlist) -> dict[int, int]:
    return dict.fromkeys(range(len(netlist.nets)), 0) | {1: 1}


def _sources(netlist: Netlist, values: dict[int, int], bits: np.ndarray, clock: bool) -> dict[int, int]:
    """Inputs and, at a clock edge, states after it."""
    result = {int(net): int(bit) for net, bit in zip(netlist.inputs, bits, strict=True)}
    if clock:
        for f, state in enumerate(netlist.flop_state):
            held = _held(netlist, f, values)
            result[int(state)] = value(netlist, netlist.flop_next[f], values) if held is None else held
    return result


def zero_delay(netlist: Netlist, streams: Sequence[np.ndarray], warm_up: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Toggles and cycles at 1 of every net, and the cycles counted."""
    toggles, ones = np.zeros(len(netlist.nets), int), np.zeros(len(netlist.nets), int)
    cycles = 0
    for bits in streams:
        values = _initial(netlist)
        for t, row in enumerate(bits):
            before = dict(values)
            values |= _sources(netlist, values, row, clock=t > 0)
            _settle(netlist, values)
            if t >= warm_up:
                cycles += 1
                for net in values:
                    toggles[net] += values[net] != before[net]
                    ones[net] += values[net]
    return toggles, ones, cycles


def _delay_fs(netlist: Netlist, timing: Timing, gate: int, net: int, edge: int) -> int:
    arcs = range(timing.arc_start[gate], timing.arc_start[gate + 1])
    all_arcs = [a for a in arcs if timing.arc_out_edge[a] == edge]
    own = [a for a in all_arcs if timing.arc_source[a] == net]
    return round(max((float(timing.arc_delay_ps[a]) for a in own or all_arcs), default=0.0) * 1000)


def timed(netlist: Netlist, streams: Sequence[np.ndarray], timing: Timing) -> np.ndarray:
    """Toggles of every net with inertial delays, counted from the second cycle of each stream."""
    toggles = np.zeros(len(netlist.nets), int)
    for bits in streams:
        values = _initial(netlist)
        _settle(netlist, values)
        for t, row in enumerate(bits):
            changes = _sources(netlist, values, row, clock=t > 0)
            changed = {net for net, new in changes.items() if values[net] != new}
            values |= changes
            now, pending = 0, dict[int, int]()
            while True:
                for net in changed:
                    toggles[net] += t > 0
                for gate, out in enumerate(netlist.gate_net):
                    fanin = netlist.fanin[netlist.fanin_start[gate] : netlist.fanin_start[gate + 1]]
                    causes = changed & {int(net) for net in fanin}
                    if not causes:
                        continue
                    new = value(netlist, gate, values)
                    if new == values[int(out)]:
                        pending.pop(gate, None)
                    elif gate not in pending:
                        pending[gate] = now + max(_delay_fs(netlist, timing, gate, net, 1 - new) for net in causes)
                if pending:
                    now = min(pending.values())
                    due = [gate for gate, time in pending.items() if time == now]
                    changed = {int(netlist.gate_net[gate]) for gate in due}
                    for gate in due:
                        del pending[gate]
                        values[int(netlist.gate_net[gate])] ^= 1
                    continue
                before = dict(values)
                _asynchronous(netlist, values)
                changed = {net for net in values if values[net] != before[net]}
                if not changed:
                    break
    return toggles
