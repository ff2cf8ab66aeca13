"""Floating-point multiply-accumulate: a multiplier that rounds its product to the operands' format."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.fp_mac import FpMac
from hwsim.minifloat import Minifloat
from hwsim.qtensor import QTensor
from rtl.float32 import leading_zeros, shifted_with_sticky
from rtl.floating import FloatDot, FloatFeeder, shares
from rtl.minifloat import significand
from rtl.operands import Broadcast as Source

__all__ = ["Dot", "Feeder", "Multiplier", "Source"]

SHARES = shares("fp_mac")

DIVISION = unsigned(8)
"""The power of two that products are divided by."""


class Multiplier(Component):
    """The product of two codes, divided and rounded to nearest, ties to even; combinational.

    Members:
        a, b: codes.
        register: the power of two that the product is divided by.
        product: code of the product, subnormal ones too, the largest beyond; never -0.
    """

    def __init__(self, kind: Minifloat) -> None:
        self._kind = kind
        code = unsigned(kind.bits)
        super().__init__({"a": In(code), "b": In(code), "register": In(DIVISION), "product": Out(code)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kind = self._kind
        assert kind.bias is not None
        bits = kind.mantissa_bits + 1
        (x, x_field), (y, y_field) = significand(kind, self.a), significand(kind, self.b)
        exact = Signal(2 * bits)
        up = Signal(range(2 * bits + 1))
        leading = Signal(2 * bits)
        # The product's exponent field; below 1 it is subnormal.
        field = Signal(signed(12))
        m.d.comb += [
            exact.eq(x * y),
            up.eq(leading_zeros(exact)),
            leading.eq(exact << up),
            field.eq(x_field + y_field - kind.bias + 1 - up - self.register),
        ]
        lost = bits + 1  # beyond, all is lost to the sticky bit
        down = Signal(range(lost + 1))
        m.d.comb += down.eq(Mux(field >= 1, 0, Mux(field < 1 - lost, lost, 1 - field)))
        moved = shifted_with_sticky(m, Cat(Const(0, 1), leading), down, "moved")
        kept = moved[bits + 1 :]
        increment = moved[bits] & (moved[:bits].any() | kept[0])
        magnitude = Signal(14 + kind.mantissa_bits)
        below = Signal(12)
        m.d.comb += [
            below.eq(Mux(field >= 1, field - 1, 0)),
            magnitude.eq((below << kind.mantissa_bits) + kept + increment),
        ]
        clamped = Mux(magnitude > kind.max_code, kind.max_code, magnitude)[: kind.bits - 1]
        with m.If(exact.any()):
            m.d.comb += self.product.eq(Cat(clamped, (self.a[-1] ^ self.b[-1]) & magnitude.any()))
        return m


class Feeder(FloatFeeder):
    """See `FloatFeeder`."""

    @staticmethod
    def fields(datapath: FpMac, array: Array) -> dict[str, Shape]:
        """Run-time fields of a weights beat beyond those of every datapath."""
        return {"division": DIVISION}

    @staticmethod
    def extra(datapath: FpMac, w: QTensor) -> dict[str, int]:
        """`fields` for weights ``w``."""
        return {"division": datapath.division(w)}

    def __init__(self, datapath: FpMac, array: Array) -> None:
        super().__init__(datapath, array, "division", DIVISION)


class Dot(FloatDot):
    """See `FloatDot`."""

    def __init__(self, datapath: FpMac) -> None:
        super().__init__(datapath, Multiplier, DIVISION)
