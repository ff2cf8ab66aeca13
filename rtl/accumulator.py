"""What an integer PE does with a step's sum: groups, scales, the tile's accumulator."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.integer import IntegerDatapath
from rtl.arithmetic import overflow, tree_sum

GROUP_SUM_BITS = 32
"""Width of the sum of a group's activations: exact for groups of up to 2**(32 - activation_bits)."""


class GroupSum(Component):
    """The exact sum of one row's activations over a group, shared by the row's PEs.

    Members:
        activations: the step's lanes.
        add: this is the last cycle of the step.
        first_in_group: the step starts a group.
        value: the sum of the group so far.
    """

    def __init__(self, datapath: IntegerDatapath) -> None:
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)),
                "add": In(1),
                "first_in_group": In(1),
                "value": Out(signed(GROUP_SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.add):
            m.d.sync += self.value.eq(Mux(self.first_in_group, 0, self.value) + tree_sum(list(self.activations)))
        return m


class Accumulator(Component):
    """Adds exact step sums; with a scale stage within a group first, then scaled to the tile's sum.

    Members:
        step: the exact sum of a step, read where ``add`` is 1.
        add: this is the last cycle of the step.
        first_in_tile: what is added to the tile's sum starts a tile.
        value: the tile's sum.

    With a scale stage:
        first_in_group: the step starts a group.
        apply: the group's sum is complete, as are ``scale``, ``offset`` and ``group_sum``, which are
            present as far as the datapath has them.
    """

    def __init__(self, datapath: IntegerDatapath, step_bits: int) -> None:
        self._datapath = datapath
        members = {
            "step": In(signed(step_bits)),
            "add": In(1),
            "first_in_tile": In(1),
            "value": Out(signed(datapath.accumulator_bits)),
        }
        if datapath.scale_stage:
            members |= {"first_in_group": In(1), "apply": In(1)}
        if datapath.scale_bits:
            members["scale"] = In(signed(datapath.scale_bits))
        if datapath.offset_bits:
            members |= {"offset": In(signed(datapath.offset_bits)), "group_sum": In(signed(GROUP_SUM_BITS))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        datapath = self._datapath
        addend, add = self.step, self.add
        if datapath.scale_stage:
            group = Signal(signed(datapath.group_accumulator_bits), reset_less=True)
            start = Mux(self.first_in_group, 0, group)
            with m.If(self.add):
                m.d.sync += group.eq(overflow(m, start + self.step, len(group), datapath.overflow))
            addend, add = group * self.scale if datapath.scale_bits else group, self.apply
            if datapath.offset_bits:
                addend = addend + self.offset * self.group_sum
        total = Signal.like(self.value, reset_less=True)
        start = Mux(self.first_in_tile, 0, total)
        with m.If(add):
            m.d.sync += total.eq(overflow(m, start + addend, len(total), datapath.overflow))
        m.d.comb += self.value.eq(total)
        return m
