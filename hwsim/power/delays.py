"""Switching activity with gate delays: glitches included, by an event-driven evaluation.

Each input of a gate has a delay to the gate's rise and one to its fall, from the library's tables at the slews and
loads of the netlist; delays are inertial. Inputs and clock edges come at the same instant, all changes die out
before the next one.
"""

import functools
from dataclasses import dataclass

import numpy as np

from hwsim.errors import PowerError
from hwsim.kernels import netlist_events as kernels
from hwsim.kernels.netlist_evaluation import UNSETTLED
from hwsim.power.activity import Stimulus, Toggles, tally
from hwsim.power.netlist import CONSTANT_ONE, Netlist
from hwsim.power.program import compile_netlist
from hwsim.power.timing import Timing

_FS_PER_PS = 1000


@dataclass(frozen=True, eq=False)
class TimedToggles(Toggles):
    """Toggles with all glitches; ``probability`` is of the values at the ends of cycles.

    ``settling_ps`` is the latest change after a clock edge that was seen.
    """

    settling_ps: float


def count(netlist: Netlist, stimulus: Stimulus, delays: Timing) -> TimedToggles:
    """Toggles of every net with the delays of ``delays``; PowerError as for the zero-delay evaluation."""
    program = compile_netlist(netlist)
    words, nets = stimulus.words.shape[2], len(netlist.nets)
    toggles, ones = (np.zeros((words, nets), np.int64) for _ in range(2))
    last = np.zeros(words, np.int64)
    functions = netlist.fanin_start, netlist.fanin, netlist.table_start, netlist.table_words
    flops = np.stack(
        [netlist.flop_state, netlist.flop_next, netlist.flop_clear, netlist.flop_preset, netlist.flop_both], axis=1
    ).astype(np.int32)
    failed = kernels.count(
        functions, netlist.gate_net, _sinks(netlist, delays), flops, _settled(netlist), netlist.inputs,
        stimulus.words, stimulus.counted, toggles, ones, last,
    )  # fmt: skip
    if failed != UNSETTLED:
        raise PowerError(f"{netlist.name!r}: asynchronous set and reset do not come to rest in cycle {failed}")
    counts = tally(program, stimulus.cycles, toggles.sum(axis=0), ones.sum(axis=0) / max(1, stimulus.cycles))
    return TimedToggles(counts.cycles, counts.toggles, counts.probability, float(last.max(initial=0)) / _FS_PER_PS)


def arrivals(netlist: Netlist, delays: Timing) -> np.ndarray:
    """Latest arrival at each net in ps after a clock edge, without set-up; ports change at 0: float64[nets]."""
    time = np.zeros((len(netlist.nets), 2))
    for gate, net in enumerate(netlist.gate_net):
        for arc in range(delays.arc_start[gate], delays.arc_start[gate + 1]):
            if delays.arc_kind[arc].timing_type not in ("clear", "preset"):
                end = delays.arc_out_edge[arc]
                start = time[delays.arc_source[arc], delays.arc_in_edge[arc]]
                time[net, end] = max(time[net, end], start + delays.arc_delay_ps[arc])
    return time.max(axis=1)


@functools.lru_cache(maxsize=2)
def _settled(netlist: Netlist) -> np.ndarray:
    """uint8[nets]: values at rest with inputs and flip-flops at 0."""
    values = np.zeros(len(netlist.nets), np.uint8)
    values[CONSTANT_ONE] = 1
    for gate, net in enumerate(netlist.gate_net):
        operands = netlist.fanin[netlist.fanin_start[gate] : netlist.fanin_start[gate + 1]]
        row = int(values[operands].astype(np.int64) @ (1 << np.arange(operands.size)))
        values[net] = (int(netlist.table_words[netlist.table_start[gate] + row // 64]) >> (row % 64)) & 1
    return values


@functools.lru_cache(maxsize=2)
def _sinks(netlist: Netlist, delays: Timing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per net the gates that read it, each with its delay to a rise and to a fall, in fs."""
    gates = netlist.gate_net.size
    stop = int(netlist.fanin_start[gates])
    gate = np.repeat(np.arange(gates), np.diff(netlist.fanin_start[: gates + 1]))
    delay = np.zeros((stop, 2))
    for g in range(gates):
        arcs = slice(delays.arc_start[g], delays.arc_start[g + 1])
        rows = slice(netlist.fanin_start[g], netlist.fanin_start[g + 1])
        for edge in (0, 1):
            ends = delays.arc_out_edge[arcs] == edge
            delay[rows, edge] = [
                _delay(delays.arc_source[arcs][ends] == net, delays.arc_delay_ps[arcs][ends])
                for net in netlist.fanin[rows]
            ]
    net = netlist.fanin[:stop]
    order = np.argsort(net, kind="stable")
    start = np.searchsorted(net[order], np.arange(len(netlist.nets) + 1)).astype(np.int64)
    return start, gate[order].astype(np.int32), np.round(delay[order] * _FS_PER_PS).astype(np.int64)


def _delay(of_pin: np.ndarray, delay_ps: np.ndarray) -> float:
    """The longest delay from a pin; of all arcs where the pin has none, as a flip-flop's state."""
    return float(delay_ps[of_pin].max() if of_pin.any() else delay_ps.max(initial=0.0))
