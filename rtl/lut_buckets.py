"""Buckets instead of multipliers: activations are added up by the codes of their weights."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.lut_buckets import LutBuckets
from hwsim.qtensor import QTensor
from rtl.arithmetic import tree_sum
from rtl.attribution import Share
from rtl.library import Library
from rtl.operands import OperandQueue, feeder_members

SHARES = (
    Share(component="lut_buckets.pe", action="select", parts=("dot",)),
    Share(component="lut_buckets.pe", action="accumulate", parts=("pe",)),
    Share(component="lut_buckets.pe", action="scale"),
    Share(component="lut_buckets.pe", action="clock", clocks=("dot", "pe")),
    Share(
        component="lut_buckets.feeder", action="clock", parts=("feeder",), clocks=("feeder",),
        per="operand_register clock",
    ),
)  # fmt: skip
"""Whose energy is which event's."""


def operand(datapath: LutBuckets) -> data.StructLayout:
    """What a column broadcasts to its PEs in a cycle: one lane's code and whether it is the first, or all codes."""
    if datapath.scatters:
        return data.StructLayout({"bucket": datapath.weight_bits, "first": 1})
    return data.StructLayout({"codes": data.ArrayLayout(datapath.weight_bits, datapath.lanes)})


class Source:
    """PEs take the activations of their row, or one of them after the other."""

    def __init__(
        self, m: Module, platform: Library | None, datapath: LutBuckets, array: Array, queue: OperandQueue,
        position: Value, feeder: "Feeder",
    ) -> None:  # fmt: skip
        rows = queue.activations[0]["values"]
        if not datapath.scatters:
            self._inputs: list[dict[str, Value]] = [{"activations": row} for row in rows]
            return
        self._inputs = []
        for r, row in enumerate(rows):
            activation = Signal(signed(datapath.activation_bits), name=f"activation_{r}")
            m.d.comb += activation.eq(row[feeder.lane])
            self._inputs.append({"activation": activation})

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """What the PE at ``row`` and ``column`` works on."""
        return self._inputs[row]


class Feeder(Component):
    """From the operand register's codes to the columns' operands; shared by all rows.

    Members: those of `rtl.operands.feeder_members`; and:
        lane, turns: where lanes and buckets take turns: this cycle's lane, how many buckets are scaled.
    """

    @staticmethod
    def fields(datapath: LutBuckets, array: Array) -> dict[str, Shape]:
        """Run-time fields of a weights beat beyond those of every datapath."""
        return {"entries": unsigned(datapath.weight_bits + 1)}

    @staticmethod
    def extra(datapath: LutBuckets, w: QTensor) -> dict[str, int]:
        """`fields` for weights ``w``."""
        return {"entries": w.codebook.mantissas.shape[1]}

    def __init__(self, datapath: LutBuckets, array: Array) -> None:
        self._datapath = datapath
        turns = {"lane": Out(range(datapath.lanes)), "turns": Out(datapath.weight_bits + 1)}
        super().__init__(
            feeder_members(
                datapath, array, self.fields(datapath, array), operand(datapath), **(turns if datapath.scatters else {})
            )
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = list(zip(self.operands, self.weights["values"], strict=True))
        if not self._datapath.scatters:
            m.d.comb += self.last.eq(1)
            for column, codes in columns:
                m.d.comb += [each.eq(code.as_unsigned()) for each, code in zip(column.codes, codes, strict=True)]
            return m
        lane = Signal.like(self.lane)
        m.d.comb += [
            self.lane.eq(lane),
            self.last.eq(lane == self._datapath.lanes - 1),
            self.turns.eq(self.weights.entries),
        ]
        with m.If(self.advance):
            m.d.sync += lane.eq(Mux(self.last, 0, lane + 1))
        for column, codes in columns:
            m.d.comb += [column.bucket.eq(codes[lane].as_unsigned()), column.first.eq(lane == 0)]
        return m


def Dot(datapath: LutBuckets) -> Component:
    """A PE's part before its buckets."""
    return Lane(datapath) if datapath.scatters else Gates(datapath)


class Lane(Component):
    """One lane's activation, as it is.

    Members:
        activation: of this cycle's lane.
        operand: its bucket.
        advance, last: as of `Gates`; nothing here depends on them.
        step: the activation.
    """

    def __init__(self, datapath: LutBuckets) -> None:
        shape = signed(datapath.activation_bits)
        super().__init__(
            {
                "activation": In(shape), "operand": In(operand(datapath)), "advance": In(1), "last": In(1),
                "step": Out(shape),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.step.eq(self.activation)
        return m


class Gates(Component):
    """The sum of the lanes of each code.

    Members:
        activations: the step's lanes.
        operand: their codes.
        advance: the cycle counts.
        last: this is the step's last cycle.
        step: the sum of each bucket.
    """

    def __init__(self, datapath: LutBuckets) -> None:
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)),
                "operand": In(operand(datapath)),
                "advance": In(1),
                "last": In(1),
                "step": Out(data.ArrayLayout(signed(datapath.step_bits), datapath.buckets)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = list(zip(self.activations, self.operand.codes, strict=True))
        for number, bucket in enumerate(self.step):
            nothing = Const(0, self.activations[0].shape())
            m.d.comb += bucket.eq(tree_sum([Mux(code == number, a, nothing) for a, code in lanes]))
        return m
