"""What reads tables of signed sums: a PE, or the units that the columns of a row share."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapaths.lut import Lut
from rtl.arithmetic import tree_sum
from rtl.sum_table import step_sum, tables

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
