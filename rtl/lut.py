"""Look-up tables instead of multipliers. Rows build tables of signed sums, PEs read and add them.

A lane's weight is one bit per plane. The bits of a table's lanes in one plane are its index; of half
tables the last lane's bit says that the entry is not negated.
"""

from typing import Any

import numpy as np
from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.lut import Lut
from hwsim.qtensor import QTensor
from rtl import streams
from rtl.arithmetic import tree_sum
from rtl.library import Library, place
from rtl.operands import OperandQueue
from rtl.sum_table import CONSTANT, SumTables, step_sum, tables

DOUBLES = unsigned(8)


def operand(datapath: Lut) -> data.StructLayout:
    """What a column broadcasts to its PEs in a cycle: indices, and what its planes make of the sums."""
    index = data.ArrayLayout(datapath.mu, datapath.lanes // datapath.mu)
    if datapath.planes == "serial":
        return data.StructLayout(
            {"index": index, "halve": 1, "first": 1, "double": 1, "turn": range(max(2, datapath.weight_bits))}
        )
    return data.StructLayout(
        {"index": data.ArrayLayout(index, datapath.weight_bits), "halve": 1, "planes": 4, "doubles": DOUBLES}
    )


def column_operand(datapath: Lut) -> data.StructLayout:
    """`operand`, or where columns share sums which unit's a column takes, whether any, and in which round."""
    if not datapath.shares_sums:
        return operand(datapath)
    return data.StructLayout({"unit": range(max(2, datapath.sum_units)), "used": 1, "take": 1})


def step_shape(datapath: Lut) -> Shape:
    """Shape of a step's sum, or of one plane's where planes have scales of their own."""
    planes = 0 if datapath.scales_per_group > 1 else datapath.weight_bits
    return signed(datapath.activation_bits + (datapath.lanes - 1).bit_length() + planes + 3)


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
            for i, operand in enumerate(feeder.units):
                inputs = {
                    **super().inputs(row, 0), "operand": operand, "advance": feeder.advance, "last": feeder.last
                }  # fmt: skip
                unit = place(m, platform, f"unit_{row}_{i}", LookUp, (datapath,), inputs, datapath.planes == "serial")
                m.d.comb += sums[i].eq(unit.step)
            self._units.append(sums)

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """What the PE at ``row`` and ``column`` works on."""
        return {"sums": self._units[row]} if self._units else super().inputs(row, column)


class Feeder(Component):
    """From the operand register's weights to the columns' indices; shared by all rows.

    Members:
        weights: the step's beat.
        advance: the cycle counts; the array does not stand still.
        restart: with it, another step follows.
        operands: one per column.
        last: this is the step's last cycle.
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
        super().__init__(
            {
                "weights": In(streams.weights(datapath, array, self.fields(datapath, array))),
                "advance": In(1),
                "restart": In(1),
                "operands": Out(data.ArrayLayout(column_operand(datapath), array.cols)),
                "last": Out(1),
                **units,
                **({"turns": Out(4)} if datapath.scales_in_turn else {}),
            }
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


def Dot(datapath: Lut) -> Component:
    """A PE's arithmetic: its own look-ups, or a choice of those of its row."""
    return Selection(datapath) if datapath.shares_sums else LookUp(datapath)


class Selection(Component):
    """Takes the sum of one of the row's units.

    Members:
        sums: of the row's units, in the last cycle of a round.
        operand: which one, and whether any.
        advance, last: as of `LookUp`; nothing here depends on them.
        step: the sum, 0 for none.
    """

    def __init__(self, datapath: Lut) -> None:
        bits = step_shape(datapath)
        super().__init__(
            {
                "sums": In(data.ArrayLayout(bits, datapath.sum_units)),
                "operand": In(column_operand(datapath)),
                "advance": In(1),
                "last": In(1),
                "step": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.step.eq(Mux(self.operand.used, self.sums[self.operand.unit], 0))
        return m


class LookUp(Component):
    """Adds the entries that its indices choose, plane after plane or all at once.

    Members:
        tables: of the row, the step's.
        step_sum: of the row, constant times the sum of the step's activations.
        operand: the column's operand of this cycle.
        advance: the cycle counts.
        last: this is the step's last cycle.
        step: the sum of the step, in its last cycle; where planes have scales of their own, the sum of this
            cycle's plane, or those of all planes.
    """

    def __init__(self, datapath: Lut) -> None:
        self._datapath = datapath
        self._own_scales = datapath.scales_per_group > 1
        step: Shape | data.Layout = step_shape(datapath)
        if self._own_scales and datapath.planes == "parallel":
            step = data.ArrayLayout(step, datapath.weight_bits)
        super().__init__(
            {
                "tables": In(tables(datapath)),
                "step_sum": In(step_sum(datapath)),
                "operand": In(operand(datapath)),
                "advance": In(1),
                "last": In(1),
                "step": Out(step),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self._datapath.planes == "serial":
            found = self._plane(self.operand.index)
            if self._own_scales:
                m.d.comb += self.step.eq(self._complete(found))
                return m
            before = Signal(signed(len(self.step)))
            total = Signal.like(before)
            m.d.comb += total.eq(Mux(self.operand.first, 0, _doubled(before, self.operand.double)) + found)
            with m.If(self.advance):
                m.d.sync += before.eq(total)
            m.d.comb += self.step.eq(self._complete(total))
            return m
        found_in = [self._plane(index) for index in self.operand.index]
        if self._own_scales:
            m.d.comb += [step.eq(self._complete(found)) for step, found in zip(self.step, found_in, strict=True)]
            return m
        partial: Value | None = None
        for plane, found in reversed(list(enumerate(found_in))):
            used = Mux(plane < self.operand.planes, found, 0)
            total = Signal(signed(len(self.step)), name=f"total_{plane}")
            m.d.comb += total.eq(used if partial is None else _doubled(partial, self.operand.doubles[plane]) + used)
            partial = total
        m.d.comb += self.step.eq(self._complete(partial))
        return m

    def _complete(self, total: Value) -> Value:
        """With the constant, in whole units."""
        exact = total + self.step_sum
        return Mux(self.operand.halve, exact >> 1, exact)

    def _plane(self, index: data.View) -> Value:
        """The sum of one entry of each table."""
        return tree_sum([self._entry(t, each) for t, each in enumerate(index)])

    def _entry(self, t: int, index: Value) -> Value:
        entries = self.tables.entries[t]
        if self._datapath.table == "full":
            value = entries[index]
        elif len(entries) == 1:
            value = Mux(index[-1], entries[0], -entries[0])
        else:
            chosen = entries[index[:-1]]
            value = Mux(index[-1], chosen, -chosen)
        return value << self.tables.shifts[t] if self._datapath.shift_bits else value


def _doubled(value: Value, condition: Value) -> Value:
    return Mux(condition, value << 1, value)
