"""Loads, slews and delays of a netlist: worst-case propagation through the library's tables.

Ports and clocks have slew 0; a gate's slew is the largest over its arcs. Arcs of asynchronous
clear and preset have delays and no part in slews; arcs from constant nets have none either.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwsim.errors import PowerError
from hwsim.kernels.lookup import lookup_all, propagate_slews
from hwsim.power.cells import Table, TimingArc, WireLoad
from hwsim.power.matching import constants
from hwsim.power.netlist import ABSENT, Netlist

RISE, FALL = 0, 1


class TablePool:
    """Tables in flat arrays, for compiled code."""

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._numbers: dict[int, int] = {}

    def number(self, table: Table | None) -> int:
        """The number of a table; ABSENT for None."""
        if table is None:
            return ABSENT
        if id(table) not in self._numbers:
            self._numbers[id(table)] = len(self._tables)
            self._tables.append(table)
        return self._numbers[id(table)]

    def arrays(self) -> tuple[np.ndarray, ...]:
        """(axis_start, sizes, axes, value_start, values) as `kernels.lookup` takes them."""
        sizes = np.array([table.values.shape for table in self._tables], np.int64).reshape(-1, 2)
        axes = [part for table in self._tables for part in (table.slew_ps, table.load_ff)]
        return (
            np.cumsum(np.append(0, sizes.sum(1))),
            sizes,
            np.concatenate([*axes, np.zeros(0)]),
            np.cumsum(np.append(0, sizes.prod(1))),
            np.concatenate([table.values.ravel() for table in self._tables] + [np.zeros(0)]),
        )

    def look_up(self, table: np.ndarray, slew_ps: np.ndarray, load_ff: np.ndarray) -> np.ndarray:
        """Values of the numbered tables (0 for ABSENT) at these points: float64 of the shape of ``table``."""
        out = np.zeros(table.size)
        shape = table.shape
        slew, load = np.broadcast_to(slew_ps, shape).ravel(), np.broadcast_to(load_ff, shape).ravel()
        lookup_all(self.arrays(), np.ascontiguousarray(table).ravel(), slew, load, out)
        return out.reshape(shape)


@dataclass(frozen=True, eq=False)
class Timing:
    """Loads and slews of nets, delays of gates. Edges are 0 (rise) and 1 (fall).

    ``load_ff`` and ``slew_ps`` are float64[nets, 2]. Arcs ``arc_start[g]:arc_start[g + 1]`` (int64) end at gate g, from
    net ``arc_source`` (int32) and its edge ``arc_in_edge`` to the gate's ``arc_out_edge`` (int8), after
    ``arc_delay_ps`` (float64); ``arc_kind[a]`` is the library's arc.
    """

    load_ff: np.ndarray
    slew_ps: np.ndarray
    arc_start: np.ndarray
    arc_source: np.ndarray
    arc_in_edge: np.ndarray
    arc_out_edge: np.ndarray
    arc_delay_ps: np.ndarray
    arc_kind: tuple[TimingArc, ...]


def loads(netlist: Netlist, wire_load: WireLoad | None) -> np.ndarray:
    """fF at each net for rising and falling edges, float64[nets, 2]: its input pins, and a wire if a model is given.

    For the model an output port is a sink too, without capacitance.
    """
    result = np.zeros((len(netlist.nets), 2))
    fanout = np.zeros(len(netlist.nets), np.int64)
    for number, cell in enumerate(netlist.cells):
        instances = np.flatnonzero(netlist.cell_of == number)
        for k, pin in enumerate(cell.pins.values()):
            if pin.direction == "input":
                nets = netlist.pin_net[netlist.pin_start[instances] + k]
                np.add.at(result, nets, (pin.rise_capacitance_ff, pin.fall_capacitance_ff))
                np.add.at(fanout, nets, 1)
    np.add.at(fanout, netlist.outputs, 1)
    if wire_load is not None:
        sizes, index = np.unique(fanout, return_inverse=True)
        wires = np.array([wire_load.capacitance_of(int(size)) if size else 0.0 for size in sizes])
        result += wires[index][:, None]
    result[:2] = 0.0
    return result


def analyse(netlist: Netlist, wire_load: WireLoad | None) -> Timing:
    """Loads, worst slews, and the delay of every arc of every gate."""
    pool, fixed = TablePool(), constants(netlist)
    load, slew = loads(netlist, wire_load), np.zeros((len(netlist.nets), 2))
    arc_start, rows, kinds = [0], list[tuple[int, ...]](), list[TimingArc]()
    for gate in range(netlist.gate_net.size):
        instance = int(netlist.gate_instance[gate])
        cell = netlist.cells[netlist.cell_of[instance]]
        pin = list(cell.pins.values())[netlist.gate_pin[gate]]
        nets = netlist.pins_of(instance)
        if cell.inputs and not pin.arcs:
            raise PowerError(f"cell {cell.name!r} of {cell.library} has no timing for its output {pin.name!r}")
        for arc in pin.arcs:
            source = nets.get(arc.related_pin, ABSENT)
            if source == ABSENT:
                continue
            enabled = arc.timing_type not in ("clear", "preset") and fixed[source] == ABSENT
            for in_edge, out_edge in _edges(arc):
                transition = arc.rise_transition if out_edge == RISE else arc.fall_transition
                delay = arc.cell_rise if out_edge == RISE else arc.cell_fall
                if transition is not None or delay is not None:
                    numbers = pool.number(transition), pool.number(delay)
                    rows.append((source, in_edge, out_edge, *numbers, enabled))
                    kinds.append(arc)
        arc_start.append(len(rows))
    table = np.array(rows, np.int64).reshape(-1, 6)
    sources, ins, outs, transitions, delay_tables, enabled_arcs = (np.ascontiguousarray(row) for row in table.T)
    delays = np.zeros(len(rows))
    starts = np.array(arc_start, np.int64)
    propagate_slews(
        pool.arrays(), netlist.gate_net, starts, sources, ins, outs, transitions, delay_tables,
        enabled_arcs.astype(bool), load, slew, delays,
    )  # fmt: skip
    edges = ins.astype(np.int8), outs.astype(np.int8)
    return Timing(load, slew, starts, sources.astype(np.int32), *edges, delays, tuple(kinds))


def _edges(arc: TimingArc) -> Iterator[tuple[int, int]]:
    """(input edge, output edge) of an arc."""
    for in_edge in (RISE, FALL):
        if arc.timing_type in ("rising_edge", "falling_edge"):
            if in_edge == (RISE if arc.timing_type == "rising_edge" else FALL):
                yield from ((in_edge, RISE), (in_edge, FALL))
        elif arc.sense == "non_unate":
            yield from ((in_edge, RISE), (in_edge, FALL))
        else:
            yield in_edge, in_edge if arc.sense == "positive_unate" else 1 - in_edge
