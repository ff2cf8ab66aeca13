"""Accumulators of a PE whose planes have group scales of their own."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import GROUP_SUM_BITS, ArrayDatapath
from rtl.arithmetic import overflow, tree_sum


class Scaled(Component):
    """What adds several sums of a group, each with its scale, to the tile's sum.

    Members:
        first_in_tile: what is added to the tile's sum starts a tile.
        apply: the group's last (or only) cycle of scaling.
        offset, group_sum: as of `Accumulator`.
        value: the tile's sum.
    """

    def __init__(self, datapath: ArrayDatapath, members: dict) -> None:
        self._datapath = datapath
        members = members | {"first_in_tile": In(1), "apply": In(1), "value": Out(signed(datapath.accumulator_bits))}
        if datapath.offset_bits:
            members |= {"offset": In(signed(datapath.offset_bits)), "group_sum": In(signed(GROUP_SUM_BITS))}
        super().__init__(members)

    def _total(self, m: Module, addend: Value, add: Value, first: Value, start_tile: Value) -> None:
        """The tile's sum; the offset is added with the first cycle of scaling, while the group's sum is still there."""
        if self._datapath.offset_bits:
            addend = addend + Mux(first, self.offset * self.group_sum, 0)
        total = Signal.like(self.value, reset_less=True)
        with m.If(add):
            start = Mux(start_tile, 0, total)
            m.d.sync += total.eq(overflow(m, start + addend, len(total), self._datapath.overflow))
        m.d.comb += self.value.eq(total)


class ScaledInTurn(Scaled):
    """The same by one multiplier, sum after sum.

    Members, beside those of `Scaled`:
        scale: of the sum in ``turn``.
        scaling, first_bit, turn: one is scaled, the first one, which one.
    """

    def __init__(self, datapath: ArrayDatapath, members: dict) -> None:
        more = {"scale": In(signed(datapath.scale_bits)), "turn": In(range(datapath.scales_per_group))}
        super().__init__(datapath, members | more | {"scaling": In(1), "first_bit": In(1)})

    def _sum(self, m: Module, sums: data.View) -> None:
        product = sums[self.turn] * self.scale
        self._total(m, product, self.scaling, self.first_bit, self.first_in_tile & self.first_bit)


class PlanesAtOnce(Scaled):
    """Adds the sums of each plane within a group, then all with their scales to the tile's sum.

    Members, beside those of `Scaled`:
        step: of each plane.
        add: this is the last cycle of the step.
        first_in_group: the step starts a group.
        scale: of each plane.
    """

    def __init__(self, datapath: ArrayDatapath, step: data.ArrayLayout) -> None:
        scale = data.ArrayLayout(signed(datapath.scale_bits), datapath.scales_per_group)
        super().__init__(datapath, {"step": In(step), "add": In(1), "first_in_group": In(1), "scale": In(scale)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._datapath.group_accumulator_bits
        groups = Signal(data.ArrayLayout(signed(bits), self._datapath.scales_per_group), reset_less=True)
        for group, step in zip(groups, self.step, strict=True):
            start = Mux(self.first_in_group, 0, group)
            with m.If(self.add):
                m.d.sync += group.eq(overflow(m, start + step, bits, self._datapath.overflow))
        products = [group * scale for group, scale in zip(groups, self.scale, strict=True)]
        self._total(m, tree_sum(products), self.apply, self.apply, self.first_in_tile)
        return m


class PlanesInTurn(ScaledInTurn):
    """Adds this cycle's plane; scales a plane of the group before in the cycle in which it starts again.

    Members, beside those of `ScaledInTurn`:
        step: of this cycle's plane.
        advance: the cycle counts.
        add: this is the last cycle of the step; ``advance`` tells all that matters here.
        plane: the number of this cycle's plane, the first one 0.
        first_in_group: the step starts a group.
    """

    def __init__(self, datapath: ArrayDatapath, step: Shape) -> None:
        plane = In(range(datapath.scales_per_group))
        super().__init__(
            datapath, {"step": In(step), "advance": In(1), "add": In(1), "plane": plane, "first_in_group": In(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._datapath.group_accumulator_bits
        groups = Signal(data.ArrayLayout(signed(bits), self._datapath.scales_per_group), reset_less=True)
        start = Mux(self.first_in_group, 0, groups[self.plane])
        with m.If(self.advance):
            m.d.sync += groups[self.plane].eq(overflow(m, start + self.step, bits, self._datapath.overflow))
        self._sum(m, groups)
        return m
