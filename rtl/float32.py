"""Float32 hardware: an adder, and an accumulator. Subnormal numbers are kept; NaN and infinity do not occur."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import Component, In, Out

SIGNIFICAND = 24
"""Bits with the leading one."""
GUARD = 3
"""Bits below the significand: guard, round, sticky."""


def leading_zeros(value: Value) -> Value:
    """How many zeros precede the first one of ``value``, its length for 0: by halves."""
    if len(value) == 1:
        return ~value
    half = len(value) // 2
    upper, lower = value[half:], value[:half]
    return Mux(upper.any(), leading_zeros(upper), len(upper) + leading_zeros(lower))


def shifted_with_sticky(m: Module, value: Value, amount: Value, name: str) -> Signal:
    """``value >> amount``, its lowest bit also 1 if any bit was lost."""
    mask = Signal(len(value), name=f"{name}_mask")
    result = Signal(len(value), name=name)
    m.d.comb += [
        mask.eq((1 << amount) - 1),
        result.eq((value >> amount) | (value & mask).any()),
    ]
    return result


class Float32Adder(Component):
    """``sum = a + b``, rounded to nearest, ties to even; combinational. A zero sum is +0.

    Members:
        a, b: float32 bits, finite.
        sum: float32 bits.
    """

    def __init__(self) -> None:
        super().__init__({"a": In(32), "b": In(32), "sum": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        large, small = Signal(32), Signal(32)
        swap = self.a[:31] < self.b[:31]
        m.d.comb += [large.eq(Mux(swap, self.b, self.a)), small.eq(Mux(swap, self.a, self.b))]
        width = SIGNIFICAND + GUARD
        exponent, distance = Signal(8), Signal(8)
        amount = Signal(range(width + 1))
        m.d.comb += [
            exponent.eq(_exponent(large)),
            distance.eq(exponent - _exponent(small)),
            amount.eq(Mux(distance > width, width, distance)),  # beyond, all is lost to the sticky bit
        ]
        aligned = shifted_with_sticky(m, Cat(Const(0, GUARD), _significand(small)), amount, "aligned")
        whole = Cat(Const(0, GUARD), _significand(large))
        total = Signal(width + 1)
        m.d.comb += total.eq(Mux(large[31] ^ small[31], whole - aligned, whole + aligned))

        # A carry moves everything down by one; cancellation up, as far as the exponent allows.
        zeros = Signal(range(width + 2))
        up = Signal(range(width + 2))
        m.d.comb += [
            zeros.eq(leading_zeros(total)),  # 1 if nothing moves
            up.eq(Mux(zeros > exponent, exponent, zeros)),
        ]
        normal = Signal(width)
        moved = Signal(width + 1)
        m.d.comb += [
            moved.eq(total << up),
            normal.eq(Cat(moved[0] | moved[1], moved[2:])),
        ]
        kept = normal[GUARD:]
        increment = normal[2] & (normal[0] | normal[1] | normal[3])
        biased = Signal(8)  # one less than the field of a normal number, 0 of a subnormal one
        m.d.comb += biased.eq(Mux(total.any(), exponent - up, 0))
        magnitude = Signal(32)
        m.d.comb += [
            magnitude.eq(Cat(kept[:-1], biased) + (kept[-1] << (SIGNIFICAND - 1)) + increment),
            self.sum.eq(Cat(magnitude[:31], large[31] & magnitude.any())),
        ]
        return m


def _exponent(bits: Value) -> Value:
    """The field; 1 for subnormal numbers, which have the same power of two."""
    return bits[23:31] | ~bits[23:31].any()


def _significand(bits: Value) -> Value:
    return Cat(bits[:23], bits[23:31].any())


class Float32Accumulator(Component):
    """Adds the sums of steps, one per cycle.

    Members:
        step: float32 bits of a step's sum, read where ``add`` is 1.
        add: it is added.
        first_in_tile: it starts a tile: it is added to +0.
        value: float32 bits of the tile's sum.
    """

    def __init__(self) -> None:
        super().__init__({"step": In(signed(32)), "add": In(1), "first_in_tile": In(1), "value": Out(signed(32))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.adder = adder = Float32Adder()
        total = Signal(32, reset_less=True)
        m.d.comb += [
            adder.a.eq(Mux(self.first_in_tile, 0, total)),
            adder.b.eq(self.step),
            self.value.eq(total),
        ]
        with m.If(self.add):
            m.d.sync += total.eq(adder.sum)
        return m
