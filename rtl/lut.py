"""Look-up tables instead of multipliers. Rows build tables of signed sums, PEs read and add them.

A lane's weight is one bit per plane. The bits of a table's lanes in one plane are its index; of half
tables the last lane's bit says that the entry is not negated.
"""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.lut import Lut
from hwsim.qtensor import QTensor
from rtl import streams
from rtl.arithmetic import tree_sum
from rtl.sum_table import CONSTANT, step_sum, tables
from rtl.sum_table import SumTables as Source

__all__ = ["Dot", "Feeder", "Source"]

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


class Feeder(Component):
    """From the operand register's weights to the columns' indices; shared by all rows.

    Members:
        weights: the step's beat.
        advance: the cycle counts; the array does not stand still.
        restart: with it, another step follows.
        operands: one per column.
        last: this is the step's last cycle.
    """

    EXTRA: dict[str, Shape] = {"planes": unsigned(4), "doubles": DOUBLES, "constant": CONSTANT, "halve": unsigned(1)}
    """Run-time fields of a weights beat beyond those of every datapath."""

    @staticmethod
    def extra(datapath: Lut, w: QTensor) -> dict[str, int]:
        """`EXTRA` for weights ``w``."""
        signs = datapath.sign_planes(w)
        return {
            "planes": signs.count, "doubles": signs.doubles, "constant": signs.constant, "halve": signs.halve
        }  # fmt: skip

    def __init__(self, datapath: Lut, array: Array) -> None:
        self._datapath = datapath
        super().__init__(
            {
                "weights": In(streams.weights(datapath, array, self.EXTRA)),
                "advance": In(1),
                "restart": In(1),
                "operands": Out(data.ArrayLayout(operand(datapath), array.cols)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [column.halve.eq(self.weights.halve) for column in self.operands]
        if self._datapath.planes == "serial":
            self._one_plane(m)
        else:
            self._all_planes(m)
        return m

    def _one_plane(self, m: Module) -> None:
        """A plane per cycle, the highest first."""
        done = Signal(range(max(2, self._datapath.weight_bits)))
        plane = Signal.like(done)
        m.d.comb += [plane.eq(self.weights.planes - 1 - done), self.last.eq(plane == 0)]
        with m.If(self.advance):
            m.d.sync += done.eq(Mux(self.restart, 0, done + 1))
        double = self.weights.doubles.bit_select(plane, 1)
        for column, lanes in zip(self.operands, self.weights["values"], strict=True):
            m.d.comb += [column.first.eq(done == 0), column.double.eq(double), column.turn.eq(done)]
            m.d.comb += self._index(column.index, [lane.as_unsigned().bit_select(plane, 1) for lane in lanes])

    def _all_planes(self, m: Module) -> None:
        m.d.comb += self.last.eq(1)
        for column, lanes in zip(self.operands, self.weights["values"], strict=True):
            m.d.comb += [column.planes.eq(self.weights.planes), column.doubles.eq(self.weights.doubles)]
            for plane, index in enumerate(column.index):
                m.d.comb += self._index(index, [lane[plane] for lane in lanes])

    def _index(self, index: data.View, bits: list[Value]) -> list:
        mu = self._datapath.mu
        return [index[t][j].eq(bits[t * mu + j]) for t in range(len(bits) // mu) for j in range(mu)]


class Dot(Component):
    """A PE's arithmetic: adds the entries that its indices choose, plane after plane or all at once.

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
        lanes_bits = datapath.activation_bits + (datapath.lanes - 1).bit_length()
        step: object = signed(lanes_bits + (3 if self._own_scales else datapath.weight_bits + 3))
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
