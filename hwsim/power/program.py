"""A netlist as a list of selections, which `hwsim.kernels.netlist_evaluation` runs."""

import functools
from dataclasses import dataclass

import numpy as np

from hwsim.errors import PowerError
from hwsim.power.netlist import ABSENT, CONSTANT_ONE, CONSTANT_ZERO, Netlist


@dataclass(frozen=True, eq=False)
class Program:
    """Selections int32[n, 4] over ``size`` values: the nets, then temporaries; see the kernel for the layout.

    ``clock`` is the input net that clocks all flip-flops, ABSENT without flip-flops.
    """

    selections: np.ndarray
    parts: np.ndarray
    flops: np.ndarray
    size: int
    clock: int


@functools.lru_cache(maxsize=4)
def compile_netlist(netlist: Netlist) -> Program:
    """The program of a netlist; PowerError unless all flip-flops take the rising edge of one input that is no data."""
    clock = _clock(netlist)
    compiler = _Compiler(netlist)
    for gate, net in enumerate(netlist.gate_net):
        compiler.function(gate, int(net))
    ends = [len(compiler.rows)]
    asynchronous = [
        [compiler.value(int(function)) for function in column] for column in (netlist.flop_clear, netlist.flop_preset)
    ]
    ends.append(len(compiler.rows))
    following = [compiler.value(int(function)) for function in netlist.flop_next]
    ends.append(len(compiler.rows))
    both = np.where(netlist.flop_both == 1, CONSTANT_ONE, CONSTANT_ZERO)
    return Program(
        selections=np.array(compiler.rows, np.int32).reshape(-1, 4),
        parts=np.array(ends, np.int64),
        flops=np.stack([netlist.flop_state, following, *asynchronous, both], axis=1).astype(np.int32),
        size=compiler.size,
        clock=clock,
    )


def _clock(netlist: Netlist) -> int:
    clocks = set()
    for flop, function in zip(netlist.flop_instance, netlist.flop_clock, strict=True):
        start, stop = netlist.fanin_start[function : function + 2]
        nets, table = netlist.fanin[start:stop], int(netlist.table_words[netlist.table_start[function]])
        name = netlist.instances[flop]
        if len(nets) != 1 or table != 0b10:
            raise PowerError(f"flip-flop {name!r} has no rising-edge clock pin; accepted: one rising-edge clock")
        if nets[0] not in netlist.inputs:
            raise PowerError(
                f"flip-flop {name!r} is clocked by net {netlist.nets[nets[0]]!r}, which is no input port; "
                "accepted: one clock port, not gated or divided"
            )
        clocks.add(int(nets[0]))
    if len(clocks) > 1:
        names = ", ".join(sorted(repr(netlist.nets[net]) for net in clocks))
        raise PowerError(f"the netlist has several clocks ({names}); accepted: one")
    if not clocks:
        return ABSENT
    clock = clocks.pop()
    for gate in range(netlist.gate_net.size):
        if clock in netlist.fanin[netlist.fanin_start[gate] : netlist.fanin_start[gate + 1]]:
            name = netlist.instances[netlist.gate_instance[gate]]
            raise PowerError(f"instance {name!r} takes the clock {netlist.nets[clock]!r} as data")
    return clock


class _Compiler:
    """Writes selections: each function is a binary decision diagram of its own."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        self.rows: list[tuple[int, int, int, int]] = []
        self.size = len(netlist.nets)

    def value(self, function: int) -> int:
        """A value that holds the function; CONSTANT_ZERO if it is ABSENT."""
        if function == ABSENT:
            return CONSTANT_ZERO
        out = self.size
        self.size += 1
        self.function(function, out)
        return out

    def function(self, function: int, out: int) -> None:
        """Appends what computes a function into ``out``."""
        netlist = self.netlist
        nets = [int(net) for net in netlist.fanin[netlist.fanin_start[function] : netlist.fanin_start[function + 1]]]
        words = netlist.table_words[netlist.table_start[function] : netlist.table_start[function + 1]]
        table = sum(int(word) << (64 * k) for k, word in enumerate(words)) & ((1 << (1 << len(nets))) - 1)
        known: dict[tuple[int, int], int] = {}
        result = self._node(nets, table, known, out)
        if result != out:
            self.rows.append((out, result, CONSTANT_ZERO, CONSTANT_ONE))

    def _node(self, nets: list[int], table: int, known: dict[tuple[int, int], int], out: int | None = None) -> int:
        """The value of a truth table over ``nets``."""
        half = 1 << (len(nets) - 1) if nets else 0
        if table == 0:
            return CONSTANT_ZERO
        if table == (1 << (1 << len(nets))) - 1:
            return CONSTANT_ONE
        low, high = table & ((1 << half) - 1), table >> half
        if low == high:
            return self._node(nets[:-1], low, known, out)
        if (low, high) == (0, (1 << half) - 1) and out is None:
            return nets[-1]
        key = len(nets), table
        if key not in known:
            row = nets[-1], self._node(nets[:-1], low, known), self._node(nets[:-1], high, known)
            if out is None:
                out = self.size
                self.size += 1
            self.rows.append((out, *row))
            known[key] = out
        return known[key]
