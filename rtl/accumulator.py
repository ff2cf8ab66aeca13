"""What an integer PE does with a step's sum: groups, scales, the tile's accumulator."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import GROUP_SUM_BITS, ArrayDatapath
from rtl.arithmetic import overflow, tree_sum
from rtl.serial_scale import SerialScale


class GroupSum(Component):
    """The exact sum of one row's activations over a group, shared by the row's PEs.

    Members:
        activations: the step's lanes.
        add: this is the last cycle of the step.
        first_in_group: the step starts a group.
        value: the sum of the group so far.
    """

    def __init__(self, datapath: ArrayDatapath) -> None:
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

    With a serial scale, instead of ``scale``:
        group_end: the group's last step.
        scale_bit, first_bit, scaling: see `SerialScale` (bit, first, advance).
    """

    def __init__(self, datapath: ArrayDatapath, step_bits: int) -> None:
        self._datapath = datapath
        members = {
            "step": In(signed(step_bits)),
            "add": In(1),
            "first_in_tile": In(1),
            "value": Out(signed(datapath.accumulator_bits)),
        }
        if datapath.scale_stage:
            members |= {"first_in_group": In(1), "apply": In(1)}
        if datapath.serial_scale:
            members |= {"group_end": In(1), "scale_bit": In(1), "first_bit": In(1), "scaling": In(1)}
        elif datapath.scale_bits:
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
            following = overflow(m, start + self.step, len(group), datapath.overflow)
            with m.If(self.add):
                m.d.sync += group.eq(following)
            addend, add = self._scaled(m, group, following), self.apply
            if datapath.offset_bits:
                addend = addend + self.offset * self.group_sum
        total = Signal.like(self.value, reset_less=True)
        start = Mux(self.first_in_tile, 0, total)
        with m.If(add):
            m.d.sync += total.eq(overflow(m, start + addend, len(total), datapath.overflow))
        m.d.comb += self.value.eq(total)
        return m

    def _scaled(self, m: Module, group: Value, following: Value) -> Value:
        """The complete group's sum times its scale."""
        if self._datapath.serial_scale:
            m.submodules.serial_scale = serial = SerialScale(self._datapath)
            m.d.comb += [
                serial.group.eq(following),
                serial.load.eq(self.group_end),
                serial.bit.eq(self.scale_bit),
                serial.first.eq(self.first_bit),
                serial.advance.eq(self.scaling),
            ]
            return serial.value
        return group * self.scale if self._datapath.scale_bits else group
