"""Which signal of a dump each net of a netlist is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwsim.errors import PowerError
from hwsim.power.netlist import ABSENT, CONSTANT_ONE, Netlist

Scope = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Matching:
    """For every net (hidden states included) the dump's ``signal`` (int64, ABSENT if none) and whether ``inverted``.

    ``constant`` (int8) is 0 or 1 for nets that never change, else ABSENT; ``clock`` marks the clock nets that the
    dump leaves out.
    """

    signal: np.ndarray
    inverted: np.ndarray
    constant: np.ndarray
    clock: np.ndarray


@dataclass(frozen=True)
class Variable:
    """A variable of a dump: its name without range, its range if one is given, and its signals, first named first."""

    name: str
    bits: tuple[int, int] | None
    signals: range


def match(netlist: Netlist, scopes: Mapping[Scope, list[Variable]], file: str) -> Matching:
    """Finds the scope that is the netlist, and in it every net.

    Nets behind buffers and inverters follow from their source, and clock nets may be absent; PowerError
    naming the other nets that the dump lacks.
    """
    candidates: dict[Scope, dict[int, int]] = {scope: {} for scope in scopes}
    for depth in range(max(map(len, scopes), default=0)):
        for scope, variables in scopes.items():
            if depth <= len(scope):  # a flattened name a.b may be dumped as variable b of an inner scope a
                outer, prefix = scope[: len(scope) - depth], "".join(f"{name}." for name in scope[len(scope) - depth :])
                found = _named_nets(netlist, variables, prefix)
                if found:
                    candidates[outer] = found | candidates.get(outer, {})
    found = max(candidates.values(), key=len, default={})
    if not found:
        raise PowerError(f"{file}: no scope holds nets of the netlist {netlist.name!r}")
    size = len(netlist.nets)
    signal, inverted = np.full(size, ABSENT, np.int64), np.zeros(size, bool)
    for net, index in found.items():
        signal[net] = index
    constant = constants(netlist)
    known = (signal != ABSENT) | (constant != ABSENT)
    clock = np.zeros(size, bool)
    _derive(netlist, signal, inverted, known)
    clock_nets = _clock_cone(netlist)
    ports = np.zeros(size, bool)
    ports[netlist.inputs] = True
    clock[clock_nets & ports & ~known] = True
    if clock.any():
        known |= clock
        _derive_clock(netlist, clock, known)
    missing = np.flatnonzero(_needed(netlist) & ~known)
    if missing.size:
        shown = ", ".join(repr(netlist.nets[net]) for net in missing[:5])
        more = f" and {missing.size - 5} more" if missing.size > 5 else ""
        raise PowerError(f"{file}: no activity for {missing.size} nets of {netlist.name!r}: {shown}{more}")
    return Matching(signal, inverted, constant, clock)


def constants(netlist: Netlist) -> np.ndarray:
    """The value of every net that constant inputs fix, else ABSENT: int8[nets]."""
    value = np.full(len(netlist.nets), ABSENT, np.int8)
    value[:2] = (0, 1)
    for gate, net in enumerate(netlist.gate_net):
        operands = netlist.fanin[netlist.fanin_start[gate] : netlist.fanin_start[gate + 1]]
        given = value[operands]
        if operands.size and not (given != ABSENT).any():
            continue
        rows = np.arange(1 << operands.size)
        for k in np.flatnonzero(given != ABSENT):
            rows = rows[((rows >> k) & 1) == given[k]]
        results = table_bits(netlist, gate)[rows]
        if results.all() or not results.any():
            value[net] = results[0]
    return value


def table_bits(netlist: Netlist, function: int) -> np.ndarray:
    """The truth table of a function: bool[2^inputs]."""
    size = 1 << int(netlist.fanin_start[function + 1] - netlist.fanin_start[function])
    words = netlist.table_words[netlist.table_start[function] : netlist.table_start[function + 1]]
    rows = np.arange(size)
    return ((words[rows // 64] >> (rows % 64).astype(np.uint64)) & np.uint64(1)).astype(bool)


def _named_nets(netlist: Netlist, variables: list[Variable], prefix: str) -> dict[int, int]:
    """Net -> signal of the variables whose names, with ``prefix`` before them, are those of nets."""
    found: dict[int, int] = {}
    for variable in variables:
        count, given = len(variable.signals), prefix + variable.name
        if variable.bits is not None:
            high, low = variable.bits
            step = -1 if high >= low else 1
            names = [f"{given}[{bit}]" for bit in range(high, low + step, step)]
        else:
            names = netlist.vectors.get(given, [given])
        if len(names) != count:
            continue
        if count == 1 and names[0] not in netlist.net_index:
            names = [given]
        for name, signal in zip(names, variable.signals, strict=True):
            net = netlist.net_index.get(name)
            if net is not None and net > CONSTANT_ONE:
                found.setdefault(net, signal)
    return found


def _one_input_gates(netlist: Netlist) -> list[tuple[int, int, bool]]:
    """(source net, driven net, inverting) of every buffer, inverter and flip-flop output, in levelised order."""
    fanins = np.diff(netlist.fanin_start)
    gates = np.flatnonzero(fanins[: netlist.gate_net.size] == 1)
    sources = netlist.fanin[netlist.fanin_start[gates]]
    tables = netlist.table_words[netlist.table_start[gates]]
    return [
        (int(source), int(net), table == 0b01)
        for source, net, table in zip(sources, netlist.gate_net[gates], tables, strict=True)
        if table in (0b01, 0b10)
    ]


def _derive(netlist: Netlist, signal: np.ndarray, inverted: np.ndarray, known: np.ndarray) -> None:
    """Sources from what buffers and inverters drive (a state from Q), then the driven nets from their sources."""
    pairs = _one_input_gates(netlist)
    states = set(netlist.flop_state.tolist())
    for source, net, inverting in pairs:
        if source in states and known[net] and not known[source]:
            signal[source], inverted[source], known[source] = signal[net], inverted[net] != inverting, True
    for source, net, inverting in pairs:
        if known[source] and not known[net]:
            signal[net], inverted[net], known[net] = signal[source], inverted[source] != inverting, True


def _derive_clock(netlist: Netlist, clock: np.ndarray, known: np.ndarray) -> None:
    for source, net, _ in _one_input_gates(netlist):
        if clock[source] and not known[net]:
            clock[net] = known[net] = True


def _clock_cone(netlist: Netlist) -> np.ndarray:
    """Nets that clock flip-flops, directly or through buffers and inverters: bool[nets]."""
    clocks = np.zeros(len(netlist.nets), bool)
    for function in netlist.flop_clock:
        clocks[netlist.fanin[netlist.fanin_start[function] : netlist.fanin_start[function + 1]]] = True
    for source, net, _ in reversed(_one_input_gates(netlist)):
        clocks[source] |= clocks[net]
    return clocks


def _needed(netlist: Netlist) -> np.ndarray:
    """Nets at a pin of an instance: bool[nets]."""
    needed = np.zeros(len(netlist.nets), bool)
    needed[netlist.pin_net[netlist.pin_net != ABSENT]] = True
    return needed
