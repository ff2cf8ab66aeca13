"""One crossbar: the cells behind a boundary at which an analogue macro takes their place."""

from amaranth.hdl import Array as Choice
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapaths.rram import Rram
from rtl.arithmetic import tree_sum
from rtl.rram_streams import cell, currents


class Crossbar(Component):
    """Ideal cells: a column's current is how many conducting cells are on, in currents of one cell.

    A pair of cells per weight: of complementary word lines in one column ("xnor"), or of one word line in two columns
    whose currents are subtracted ("differential"). Stuck cells keep their state whatever is written.

    Members:
        write, row, cells: one row is programmed; from then on it is in use.
        clear: no other row is in use.
        drive: the input bits, +1 as 1; rows not in use stay closed.
        turn: which of the columns of each sense amplifier is read.
        currents: one per sense amplifier, of the cells and word lines as they are.
    """

    def __init__(self, datapath: Rram) -> None:
        self._datapath = datapath
        super().__init__(
            {
                "write": In(1),
                "row": In(range(datapath.rows)),
                "cells": In(data.ArrayLayout(cell(), datapath.cols)),
                "clear": In(1),
                "drive": In(datapath.rows),
                "turn": In(range(datapath.columns_per_sense)),
                "currents": Out(currents(datapath)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        datapath = self._datapath
        selected = Signal(datapath.rows)
        used = Signal(datapath.rows)
        m.d.comb += selected.eq(1 << self.row)
        with m.If(self.clear | self.write):
            m.d.sync += used.eq(Mux(self.clear, 0, used) | Mux(self.write, selected, 0))
        columns = [self._column(m, selected, index) for index in range(datapath.cols)]
        lines = self.drive & used, ~self.drive & used
        turns = datapath.columns_per_sense
        for index, current in enumerate(self.currents):
            own = columns[index * turns : (index + 1) * turns]
            first, second = (own[0] if len(own) == 1 else Choice(own)[self.turn] for own in zip(*own, strict=True))
            if datapath.mapping == "xnor":
                m.d.comb += current.eq(_count(m, (first & lines[0]) | (second & lines[1]), f"current_{index}"))
            else:
                positive = _count(m, first & lines[0], f"positive_{index}")
                negative = _count(m, second & lines[0], f"negative_{index}")
                m.d.comb += current.eq(positive - negative)
        return m

    def _column(self, m: Module, selected: Signal, index: int) -> tuple[Signal, Signal]:
        """States of a column's cells, those that conduct for +1 (or count up) and the others; bit i is row i."""
        new = self.cells[index]
        states = []
        for which, written in enumerate((new.weight, ~new.weight)):
            state = Signal(self._datapath.rows, name=f"cells_{index}_{which}", reset_less=True)
            on = (written | new.stuck_on[which]) & ~new.stuck_off[which]
            with m.If(self.write):
                m.d.sync += state.eq((state & ~selected) | (selected & on.replicate(len(state))))
            states.append(state)
        return states[0], states[1]


def _count(m: Module, bits: Value, name: str) -> Signal:
    """How many of ``bits`` are 1."""
    value = Signal(len(bits), name=f"{name}_bits")
    count = Signal(range(len(bits) + 1), name=name)
    m.d.comb += [value.eq(bits), count.eq(tree_sum([Cat(bit) for bit in value]))]
    return count
