"""A group's sum times its scale, one scale bit per cycle, the sign bit first."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import ArrayDatapath


class SerialScale(Component):
    """Multiplies with one adder, while the PE sums the next group.

    Members:
        group: the group's sum, taken where ``load`` is 1.
        load: the group is complete.
        bit: of the scale, valid from the cycle after ``load``.
        first: ``bit`` is the sign.
        advance: the cycle counts.
        value: the product, in the cycle of the scale's last bit.
    """

    def __init__(self, datapath: ArrayDatapath) -> None:
        bits = datapath.group_accumulator_bits
        super().__init__(
            {
                "group": In(signed(bits)),
                "load": In(1),
                "bit": In(1),
                "first": In(1),
                "advance": In(1),
                "value": Out(signed(bits + datapath.scale_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal.like(self.group, reset_less=True)
        before = Signal.like(self.value, reset_less=True)
        addend = Mux(self.bit, held, 0)
        m.d.comb += self.value.eq(Mux(self.first, -addend, (before << 1) + addend))
        with m.If(self.load):
            m.d.sync += held.eq(self.group)
        with m.If(self.advance):
            m.d.sync += before.eq(self.value)
        return m
