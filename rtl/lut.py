"""Look-up tables instead of multipliers. Rows build tables of signed sums, PEs read and add them.

A lane's weight is one bit per plane. The bits of a table's lanes in one plane are its index; of half
tables the last lane's bit says that the entry is not negated.
"""

from typing import Any

import numpy as np
from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, Out

from hwsim.datapath import Array
from hwsim.datapaths.lut import Lut
from hwsim.qtensor import QTensor
from rtl.attribution import Share
from rtl.library import Library, place
from rtl.operands import OperandQueue, feeder_members
from rtl.sum_table import CONSTANT, SumTables
from rtl.table_reader import DOUBLES, Dot, LookUp, column_operand, operand, step_shape

__all__ = ["SHARES", "Dot", "Feeder", "Source"]

SHARES = (
    Share(component="lut.pe", action="look_up", parts=("dot",)),
    Share(component="lut.pe", action="accumulate", parts=("pe",)),
    Share(component="lut.pe", action="scale"),
    Share(component="lut.pe", action="clock", clocks=("dot", "pe")),
    Share(component="lut.unit", action="look_up"),
    Share(component="lut.unit", action="clock", parts=("unit",), clocks=("unit",)),
    Share(component="lut.table", action="add", parts=("table",)),
    Share(component="lut.table", action="write"),
    Share(component="lut.table", action="clock", clocks=("table",)),
    Share(
        component="lut.feeder", action="clock", parts=("feeder",), clocks=("feeder",), per="operand_register clock"
    ),
)  # fmt: skip
"""Whose energy is which event's; what writes a table is in its additions. A unit reads though it has no pattern."""


class Source(SumTables):
    """The tables of all rows, or the sums that a row's units make of them."""

    def __init__(
        self, m: Module, platform: Library | None, datapath: Lut, array: Array, queue: OperandQueue, position: Value,
        feeder: "Feeder",
    ) -> None:  # fmt: skip
        super().__init__(m, platform, datapath, array, queue, position)
        self._units: list[Value] = []
        for row in range(array.rows if datapath.shares_sums else 0):
            sums = Signal(data.ArrayLayout(step_shape(datapath), datapath.sum_units), name=f"sums_{row}")
            for i, unit_operand in enumerate(feeder.units):
                inputs = {
                    **super().inputs(row, 0), "operand": unit_operand, "advance": feeder.advance, "last": feeder.last
                }  # fmt: skip
                unit = place(m, platform, f"unit_{row}_{i}", LookUp, (datapath,), inputs, datapath.planes == "serial")
                m.d.comb += sums[i].eq(unit.step)
            self._units.append(sums)

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """What the PE at ``row`` and ``column`` works on."""
        return {"sums": self._units[row]} if self._units else super().inputs(row, column)


class Feeder(Component):
    """From the operand register's weights to the columns' indices; shared by all rows.

    Members: those of `rtl.operands.feeder_members`; and:
        units: the operands of a row's units, where columns share sums.
        turns: how many planes are scaled, where they take turns.
    """

    @staticmethod
    def fields(datapath: Lut, array: Array) -> dict[str, Shape | data.Layout]:
        """Run-time fields of a weights beat beyond those of every datapath.

        Where columns share sums, the weights are those of the patterns, ``sum_units`` in a round.
        """
        common = {"planes": unsigned(4), "doubles": DOUBLES, "constant": CONSTANT, "halve": unsigned(1)}
        if not datapath.shares_sums:
            return common
        rounds = -(-array.cols // datapath.sum_units)
        choice = data.StructLayout(
            {"used": 1, "unit": range(max(2, datapath.sum_units)), "round": range(max(2, rounds))}
        )
        return common | {"rounds": range(rounds + 1), "choice": data.ArrayLayout(choice, array.cols)}

    @staticmethod
    def arrange(datapath: Lut, array: Array, w: QTensor, columns: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """From the columns' weights [tiles, cols, steps, lanes] to those of their patterns, and their fields."""
        select, distinct = datapath.patterns(w, array)
        tiles, cols, steps, _ = columns.shape
        chosen = np.pad(select, ((0, tiles * cols - w.n), (0, 0)), mode="edge").reshape(tiles, cols, steps)
        patterns = np.zeros_like(columns)
        for tile, column, step in zip(*np.nonzero(chosen), strict=True):
            patterns[tile, chosen[tile, column, step] - 1, step] = columns[tile, column, step]
        number = np.moveaxis(np.maximum(chosen - 1, 0), 1, 2).reshape(-1, cols)
        choice = {
            "used": np.moveaxis(chosen > 0, 1, 2).reshape(-1, cols),
            "unit": number % datapath.sum_units,
            "round": number // datapath.sum_units,
        }
        rounds = np.maximum(-(-distinct // datapath.sum_units), 1).ravel()
        return patterns, {"choice": choice, "rounds": rounds}

    @staticmethod
    def extra(datapath: Lut, w: QTensor) -> dict[str, int]:
        """The constant ones of `fields` for weights ``w``."""
        signs = datapath.sign_planes(w)
        return {
            "planes": signs.count, "doubles": signs.doubles, "constant": signs.constant, "halve": signs.halve
        }  # fmt: skip

    def __init__(self, datapath: Lut, array: Array) -> None:
        self._datapath = datapath
        self._plane_last = Signal()
        units = {"units": Out(data.ArrayLayout(operand(datapath), datapath.sum_units))} if datapath.shares_sums else {}
        turns = {"turns": Out(4)} if datapath.scales_in_turn else {}
        super().__init__(
            feeder_members(datapath, array, self.fields(datapath, array), column_operand(datapath), **units, **turns)
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._datapath.scales_in_turn:
            m.d.comb += self.turns.eq(self.weights.planes)
        readers, lanes = self.operands, self.weights["values"]
        last_round: Value = Const(1)
        if self._datapath.shares_sums:
            readers, lanes, last_round = self.units, *self._rounds(m)
        m.d.comb += [reader.halve.eq(self.weights.halve) for reader in readers]
        if self._datapath.planes == "serial":
            m.d.comb += self.last.eq(self._one_plane(m, readers, lanes) & last_round)
        else:
            self._all_planes(m, readers, lanes)
            m.d.comb += self.last.eq(last_round)
        return m

    def _rounds(self, m: Module) -> tuple[list[Value], Value]:
        """The units take patterns, as many as they are in a round; their weights, and whether no round follows."""
        units = self._datapath.sum_units
        now = Signal(self.weights.rounds.shape())
        plane_last = Signal(init=1)
        if self._datapath.planes == "serial":
            m.d.comb += plane_last.eq(self._plane_last)
        with m.If(self.advance & plane_last):
            m.d.sync += now.eq(Mux(self.restart, 0, now + 1))
        for column, choice in zip(self.operands, self.weights.choice, strict=True):
            m.d.comb += [
                column.used.eq(choice.used),
                column.unit.eq(choice.unit),
                column.take.eq(plane_last & (choice.round == now)),
            ]
        values = self.weights["values"]
        chosen = []
        for unit in range(units):
            candidates = [values[first] for first in range(unit, len(values), units)]
            lanes = Signal(candidates[0].shape() if candidates else values[0].shape(), name=f"pattern_{unit}")
            with m.Switch(now):
                for i, candidate in enumerate(candidates):
                    with m.Case(i):
                        m.d.comb += lanes.eq(candidate)
            chosen.append(lanes)
        return chosen, now + 1 == self.weights.rounds

    def _one_plane(self, m: Module, readers: Any, values: Any) -> Value:
        """A plane per cycle, the highest first; whether it is the lowest."""
        done = Signal(range(max(2, self._datapath.weight_bits)))
        plane = Signal.like(done)
        m.d.comb += [plane.eq(self.weights.planes - 1 - done), self._plane_last.eq(plane == 0)]
        with m.If(self.advance):
            m.d.sync += done.eq(Mux(self._plane_last, 0, done + 1))
        double = self.weights.doubles.bit_select(plane, 1)
        for reader, lanes in zip(readers, values, strict=True):
            m.d.comb += [reader.first.eq(done == 0), reader.double.eq(double), reader.turn.eq(done)]
            m.d.comb += self._index(reader.index, [lane.as_unsigned().bit_select(plane, 1) for lane in lanes])
        return self._plane_last

    def _all_planes(self, m: Module, readers: Any, values: Any) -> None:
        for reader, lanes in zip(readers, values, strict=True):
            m.d.comb += [reader.planes.eq(self.weights.planes), reader.doubles.eq(self.weights.doubles)]
            for plane, index in enumerate(reader.index):
                m.d.comb += self._index(index, [lane[plane] for lane in lanes])

    def _index(self, index: data.View, bits: list[Value]) -> list:
        mu = self._datapath.mu
        return [index[t][j].eq(bits[t * mu + j]) for t in range(len(bits) // mu) for j in range(mu)]
