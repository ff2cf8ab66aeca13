"""Bit-serial weights: terms instead of multipliers. Columns recode, PEs shift and add.

A cycle's operand of a lane says which term the lane takes: ``(one + 2 * two) << shift``, its
opposite where ``negative``, 0 where none. Which of these fields there are depends on scheme and
skip: all lanes may share the sign (the top bit of two's complement) or the position.
"""

from amaranth.hdl import C, Cat, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim import terms
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.qtensor import QTensor
from rtl.arithmetic import tree_sum
from rtl.library import Library, place
from rtl.operands import Broadcast as Source
from rtl.operands import feeder_members
from rtl.recoder import Recoder, term, with_borders

__all__ = ["Dot", "Feeder", "Source"]


def own_positions(datapath: BitSerial) -> bool:
    """Whether each lane chooses its next term, instead of all taking that of one position."""
    return datapath.skip == "zero" or datapath.scheme == "naf"


def operand(datapath: BitSerial) -> data.StructLayout:
    """What a column broadcasts to its PEs in a cycle: per lane a term, and what they have in common."""
    if own_positions(datapath):
        lane = term(datapath)
    elif datapath.scheme == "booth":
        lane = data.StructLayout({"one": 1, "two": 1, "negative": 1})
    else:
        lane = data.StructLayout({"one": 1})
    # A lane subtracts by inversion; the ones that are missing then are counted once per column.
    common = {"negatives": range(datapath.lanes + 1)} if "negative" in lane.members else {"negative": 1}
    return data.StructLayout({"lanes": data.ArrayLayout(lane, datapath.lanes), **common})


class Feeder(Component):
    """From the operand register's weights to the columns' terms; shared by all rows.

    Members: those of `rtl.operands.feeder_members`.
    """

    @staticmethod
    def fields(datapath: BitSerial, array: Array) -> dict[str, Shape]:
        """Run-time fields of a weights beat beyond those of every datapath."""
        return {"terms": unsigned(5)}

    @staticmethod
    def extra(datapath: BitSerial, w: QTensor) -> dict[str, int]:
        """`fields` for weights ``w``."""
        return {"terms": terms.per_step(w, datapath.scheme)}

    def __init__(self, datapath: BitSerial, array: Array) -> None:
        self._datapath = datapath
        super().__init__(feeder_members(datapath, array, self.fields(datapath, array), operand(datapath)))

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        if own_positions(self._datapath):
            more = self._next_terms(m, platform)
        if self._datapath.skip == "zero":
            domains = len(self.last)
            for d in range(domains):
                m.d.comb += self.last[d].eq(~Cat(more[d::domains]).any())
        else:
            done, position = self._count(m)
            if not own_positions(self._datapath):
                self._common_position(m, done, position)
        for column in self.operands:
            if "negatives" in column.shape().members:
                m.d.comb += column.negatives.eq(tree_sum([lane.negative for lane in column.lanes]))
        return m

    def _lanes(self) -> list[tuple[int, Value, data.View]]:
        """Column, weight and operand of every lane."""
        return [
            (c, weight, lane)
            for c, (weights, column) in enumerate(zip(self.weights["values"], self.operands, strict=True))
            for weight, lane in zip(weights, column.lanes, strict=True)
        ]

    def _count(self, m: Module) -> tuple[Value, Value]:
        """A step takes all terms: how many are done, and the position of the next, the highest first."""
        done = Signal(range(terms.per_weight(self._datapath.weight_bits, self._datapath.scheme)))
        position = Signal.like(done)
        m.d.comb += [position.eq(self.weights.terms - 1 - done), self.last.eq(position == 0)]
        with m.If(self.advance):
            m.d.sync += done.eq(Mux(self.restart, 0, done + 1))
        return done, position

    def _common_position(self, m: Module, done: Value, position: Value) -> None:
        """All lanes take the term of one position."""
        if self._datapath.scheme == "twos_complement":
            m.d.comb += [lane.one.eq(weight.bit_select(position, 1)) for _, weight, lane in self._lanes()]
            m.d.comb += [column.negative.eq(done == 0) for column in self.operands]
            return
        for _, weight, lane in self._lanes():
            digit = Signal(3)
            m.d.comb += [
                digit.eq(with_borders(weight).bit_select(Cat(C(0, 1), position), 3)),
                lane.one.eq(digit[0] != digit[1]),
                lane.two.eq((digit[0] == digit[1]) & (digit[1] != digit[2])),
                lane.negative.eq(digit[2]),
            ]

    def _next_terms(self, m: Module, platform: Library | None) -> list[Value]:
        """Each lane takes its own next term that is not zero; per column, whether one has more left."""
        used = Signal(self._datapath.weight_bits)
        m.d.comb += used.eq((C(1) << self.weights.terms) - 1)
        more: list[list[Value]] = [[] for _ in self.operands]
        for i, (c, weight, lane) in enumerate(self._lanes()):
            d = c % len(self.last)
            inputs = {"weight": weight, "used": used, "advance": self.advance[d], "restart": self.restart[d]}
            recoder = place(m, platform, f"recoder_{i}", Recoder, (self._datapath,), inputs)
            m.d.comb += lane.eq(recoder.term)
            more[c].append(recoder.more)
        return [Cat(column).any() for column in more]


class Dot(Component):
    """A PE's arithmetic: sums one term of every lane per cycle.

    Members:
        activations: the step's lanes.
        operand: the column's operand of this cycle.
        advance: the cycle counts.
        last: this is the step's last cycle.
        step: the sum of the step, in its last cycle.
    """

    def __init__(self, datapath: BitSerial) -> None:
        self._datapath = datapath
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)),
                "operand": In(operand(datapath)),
                "advance": In(1),
                "last": In(1),
                "step": Out(signed(datapath.step_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before = Signal.like(self.step)
        with m.If(self.advance):
            m.d.sync += before.eq(Mux(self.last, 0, self.step))

        total = tree_sum([self._term(*pair) for pair in zip(self.activations, self.operand.lanes, strict=True)])
        if own_positions(self._datapath):
            m.d.comb += self.step.eq(before + (total + self.operand.negatives))
        elif self._datapath.scheme == "booth":
            m.d.comb += self.step.eq((before << 2) + (total + self.operand.negatives))
        else:
            negative = self.operand.negative
            m.d.comb += self.step.eq((before << 1) + (_inverted(total, negative) + negative))
        return m

    def _term(self, activation: Value, lane: data.View) -> Value:
        """One lane's term, inverted where it is negative."""
        fields = lane.shape().members
        value = Mux(lane.one, activation, 0)
        if "two" in fields:
            value = value | Mux(lane.two, activation << 1, 0)
        if "shift" in fields:
            bits = self._datapath.activation_bits + self._datapath.weight_bits - 1
            value = (value << lane.shift)[:bits].as_signed()
        if "negative" in fields:
            value = _inverted(value, lane.negative)
        return value


def _inverted(value: Value, condition: Value) -> Value:
    return value ^ condition.replicate(len(value)).as_signed()
