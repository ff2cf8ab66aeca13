"""L-Mul: a multiplier is one adder of codes."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.lmul import LMul
from hwsim.minifloat import Minifloat
from hwsim.qtensor import QTensor
from rtl.floating import FloatDot, FloatFeeder, shares
from rtl.operands import Broadcast as Source

__all__ = ["Dot", "Feeder", "Multiplier", "Source"]

SHARES = shares("lmul")

OFFSET = signed(18)
"""What is subtracted from the sum of two codes: wide enough for every format."""


class Multiplier(Component):
    """L-Mul's product of two codes; combinational.

    Members:
        a, b: codes.
        register: the offset.
        product: code of the product; +0 where an operand is zero or subnormal, or the product would be.
    """

    def __init__(self, kind: Minifloat) -> None:
        self._kind = kind
        code = unsigned(kind.bits)
        super().__init__({"a": In(code), "b": In(code), "register": In(OFFSET), "product": Out(code)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kind = self._kind
        place = kind.mantissa_bits
        x, y = self.a[:-1], self.b[:-1]
        total = Signal((x + y - self.register).shape())
        m.d.comb += total.eq(x + y - self.register)
        zero = ~x[place:].any() | ~y[place:].any() | (total < (1 << place))
        magnitude = Mux(total > kind.max_code, kind.max_code, total)[: kind.bits - 1]
        with m.If(~zero):
            m.d.comb += self.product.eq(Cat(magnitude, self.a[-1] ^ self.b[-1]))
        return m


class Feeder(FloatFeeder):
    """See `FloatFeeder`."""

    @staticmethod
    def fields(datapath: LMul, array: Array) -> dict[str, Shape]:
        """Run-time fields of a weights beat beyond those of every datapath."""
        return {"offset": OFFSET}

    @staticmethod
    def extra(datapath: LMul, w: QTensor) -> dict[str, int]:
        """`fields` for weights ``w``."""
        return {"offset": datapath.offset(datapath.division(w))}

    def __init__(self, datapath: LMul, array: Array) -> None:
        super().__init__(datapath, array, "offset", OFFSET)


class Dot(FloatDot):
    """See `FloatDot`."""

    def __init__(self, datapath: LMul) -> None:
        super().__init__(datapath, Multiplier, OFFSET)
