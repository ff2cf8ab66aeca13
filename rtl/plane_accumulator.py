"""Accumulators of a PE whose planes have group scales of their own."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import ArrayDatapath
from rtl.accumulator import GROUP_SUM_BITS
from rtl.arithmetic import overflow, tree_sum


class PlaneAccumulator(Component):
    """Adds the sums of each plane within a group, then each with its scale to the tile's sum.

    Members:
        step: of this cycle's plane, or of all planes at once.
        advance: the cycle counts.
        add: this is the last cycle of the step.
        plane: the number of this cycle's plane, the first one 0, where planes take turns.
        first_in_tile: what is added to the tile's sum starts a tile.
        first_in_group: the step starts a group.
        apply: the group's last (or only) cycle of scaling.
        scale: of the plane in ``turn``, or of all planes.
        offset, group_sum: as of `Accumulator`.
        scaling, first_bit, turn: where planes take turns: the one in ``turn`` is scaled, the first one.
        value: the tile's sum.
    """

    def __init__(self, datapath: ArrayDatapath, step: Shape | data.ArrayLayout) -> None:
        self._datapath = datapath
        self._in_turn = datapath.scales_in_turn
        count = datapath.scales_per_group
        scale = signed(datapath.scale_bits)
        members = {
            "step": In(step),
            "add": In(1),
            "first_in_tile": In(1),
            "first_in_group": In(1),
            "apply": In(1),
            "scale": In(scale if self._in_turn else data.ArrayLayout(scale, count)),
            "value": Out(signed(datapath.accumulator_bits)),
        }
        if self._in_turn:
            members |= {"advance": In(1), "plane": In(range(count))}
            members |= {"scaling": In(1), "first_bit": In(1), "turn": In(range(count))}
        if datapath.offset_bits:
            members |= {"offset": In(signed(datapath.offset_bits)), "group_sum": In(signed(GROUP_SUM_BITS))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        datapath = self._datapath
        bits = datapath.group_accumulator_bits
        groups = Signal(data.ArrayLayout(signed(bits), datapath.scales_per_group), reset_less=True)
        if self._in_turn:
            start = Mux(self.first_in_group, 0, groups[self.plane])
            following = overflow(m, start + self.step, bits, datapath.overflow)
            with m.If(self.advance):
                m.d.sync += groups[self.plane].eq(following)
            addend, add = groups[self.turn] * self.scale, self.scaling
            start_tile = self.first_in_tile & self.first_bit
        else:
            for group, step in zip(groups, self.step, strict=True):
                following = overflow(m, Mux(self.first_in_group, 0, group) + step, bits, datapath.overflow)
                with m.If(self.add):
                    m.d.sync += group.eq(following)
            addend = tree_sum([group * scale for group, scale in zip(groups, self.scale, strict=True)])
            add, start_tile = self.apply, self.first_in_tile
        m.d.comb += self.value.eq(self._total(m, addend, add, start_tile))
        return m

    def _total(self, m: Module, addend: Value, add: Value, start_tile: Value) -> Signal:
        """The tile's sum; the offset is added with the last plane."""
        if self._datapath.offset_bits:
            addend = addend + Mux(self.apply, self.offset * self.group_sum, 0)
        total = Signal.like(self.value, reset_less=True)
        with m.If(add):
            start = Mux(start_tile, 0, total)
            m.d.sync += total.eq(overflow(m, start + addend, len(total), self._datapath.overflow))
        return total
