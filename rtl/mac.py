"""Plain integer multiply-accumulate: the weights are the operands, a step is one cycle."""

from amaranth.hdl import Module, Shape, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.mac import Mac
from hwsim.qtensor import QTensor
from rtl.arithmetic import tree_sum
from rtl.operands import Broadcast as Source
from rtl.operands import feeder_members

__all__ = ["Dot", "Feeder", "Source"]


def operand(datapath: Mac) -> data.ArrayLayout:
    """What a column broadcasts to its PEs in a cycle: its weights."""
    return data.ArrayLayout(signed(datapath.weight_bits), datapath.lanes)


class Feeder(Component):
    """From the operand register's weights to the columns' operands; shared by all rows.

    Members: those of `rtl.operands.feeder_members`.
    """

    @staticmethod
    def fields(datapath: Mac, array: Array) -> dict[str, Shape]:
        """Run-time fields of a weights beat beyond those of every datapath."""
        return {}

    @staticmethod
    def extra(datapath: Mac, w: QTensor) -> dict[str, int]:
        """`fields` for weights ``w``."""
        return {}

    def __init__(self, datapath: Mac, array: Array) -> None:
        super().__init__(feeder_members(datapath, array, self.fields(datapath, array), operand(datapath)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.operands.eq(self.weights.values), self.last.eq(1)]
        return m


class Dot(Component):
    """A PE's arithmetic: the exact sum of the lanes' products.

    Members:
        activations: the step's lanes.
        operand: the column's operand of this cycle.
        advance: the cycle counts.
        last: this is the step's last cycle.
        step: the sum of the step, in its last cycle.
    """

    def __init__(self, datapath: Mac) -> None:
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
        m.d.comb += self.step.eq(tree_sum([a * w for a, w in zip(self.activations, self.operand, strict=True)]))
        return m
