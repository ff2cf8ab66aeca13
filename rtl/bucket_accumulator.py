"""Accumulator of a PE whose activations go to the bucket of their weight's code."""

from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import In

from hwsim.array_datapath import ArrayDatapath
from rtl.arithmetic import overflow
from rtl.plane_accumulator import ScaledInTurn


class BucketAccumulator(ScaledInTurn):
    """One adder before the buckets of a group, one multiplier behind those of the group before.

    Members, beside those of `ScaledInTurn`:
        step: what the bucket gets.
        advance: the cycle counts.
        add: this is the last cycle of the step; ``advance`` tells all that matters here.
        bucket: which one.
        first: the step's first cycle.
        first_in_group: the step starts a group: all buckets start from 0.
        group_end: the group's last cycle; its buckets are scaled from the next cycle on.
    """

    def __init__(self, datapath: ArrayDatapath, step: Shape) -> None:
        count = datapath.scales_per_group
        super().__init__(
            datapath,
            {
                "step": In(step), "advance": In(1), "add": In(1), "bucket": In(range(count)), "first": In(1),
                "first_in_group": In(1), "group_end": In(1),
            },
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, count = self._datapath.group_accumulator_bits, self._datapath.scales_per_group
        shape = data.ArrayLayout(signed(bits), count)
        buckets, held = Signal(shape, reset_less=True), Signal(shape, reset_less=True)
        following = Signal(shape)
        fresh = self.first & self.first_in_group
        updated = Signal(signed(bits))
        before = Mux(fresh, 0, buckets[self.bucket])
        m.d.comb += updated.eq(overflow(m, before + self.step, bits, self._datapath.overflow))
        for number, (bucket, old) in enumerate(zip(following, buckets, strict=True)):
            m.d.comb += bucket.eq(Mux(self.bucket == number, updated, Mux(fresh, 0, old)))
        with m.If(self.advance):
            m.d.sync += buckets.eq(following)
        with m.If(self.group_end):
            m.d.sync += held.eq(following)
        self._sum(m, held)
        return m
