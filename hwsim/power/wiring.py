"""How the nets of a netlist hang together: names that are one net, and the order of gates."""

from collections.abc import Sequence

import numpy as np

from hwsim.errors import PowerError
from hwsim.power.verilog_syntax import ONE, ZERO, Module

_UNPLACED = -1


def joined_nets(module: Module) -> dict[str, int]:
    """Every bit name -> net, with the names that assigns join on one net; the constants are nets 0 and 1."""
    parent: dict[str, str] = {ZERO: ZERO, ONE: ONE}
    for bits in module.vectors.values():
        for bit in bits:
            if bit in parent:
                raise PowerError(f"two nets are named {bit!r}")
            parent[bit] = bit
    for instance in module.instances:
        for bits in instance.connections.values():
            for bit in bits:
                parent.setdefault(bit, bit)

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    assigned = {*module.inputs, ZERO, ONE}
    for left, right in module.assigns:
        parent.setdefault(left, left)
        parent.setdefault(right, right)
        if left in assigned:
            raise PowerError(f"net {left!r} has several drivers")
        assigned.add(left)
        source, target = root(right), root(left)
        if source == target:
            raise PowerError(f"net {left!r} is assigned to itself")
        parent[target] = source
    numbers = {ZERO: 0, ONE: 1}
    return {name: numbers.setdefault(root(name), len(numbers)) for name in parent}


def levelise(
    gate_nets: Sequence[int], operands: Sequence[Sequence[int]], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Order of the gates by level, and the level of each in that order: a gate comes after what drives its operands.

    PowerError naming the nets of a loop if there is one.
    """
    driver = {net: gate for gate, net in enumerate(gate_nets)}
    sinks: list[list[int]] = [[] for _ in gate_nets]
    waiting = np.zeros(len(gate_nets), np.int64)
    for gate in range(len(gate_nets)):
        for net in operands[gate]:
            if net in driver:
                sinks[driver[net]].append(gate)
                waiting[gate] += 1
    levels = np.full(len(gate_nets), _UNPLACED, np.int64)
    ready = [int(gate) for gate in np.flatnonzero(waiting == 0)]
    level = 0
    while ready:
        levels[ready] = level
        following = []
        for gate in ready:
            for sink in sinks[gate]:
                waiting[sink] -= 1
                if waiting[sink] == 0:
                    following.append(sink)
        ready, level = following, level + 1
    if levels.size and levels.min() == _UNPLACED:
        raise PowerError(f"combinational loop through nets {_loop(gate_nets, operands, driver, levels, names)}")
    order = np.argsort(levels, kind="stable")
    return order, levels[order]


def _loop(
    gate_nets: Sequence[int],
    operands: Sequence[Sequence[int]],
    driver: dict[int, int],
    levels: np.ndarray,
    names: Sequence[str],
) -> str:
    """The nets of one loop among the gates without a level."""
    path: list[int] = []
    gate = int(np.argmin(levels))
    while gate not in path:
        path.append(gate)
        gate = next(driver[net] for net in operands[gate] if net in driver and levels[driver[net]] == _UNPLACED)
    loop = [names[gate_nets[member]] for member in path[path.index(gate) :]][::-1]
    shown = ", ".join(repr(net) for net in loop[:5])
    return shown + (f" and {len(loop) - 5} more" if len(loop) > 5 else "")
