"""Minifloat hardware: from codes to float32 and to fixed point."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from hwsim.minifloat import Minifloat
from rtl.float32 import leading_zeros

FLOAT32_MANTISSA = 23
FLOAT32_BIAS = 127


def fields(kind: Minifloat, code: Value) -> tuple[Value, Value, Value]:
    """Mantissa field, exponent field and sign of a code."""
    m = kind.mantissa_bits
    return code[:m], code[m : m + kind.exponent_bits], code[-1]


def significand(kind: Minifloat, code: Value) -> tuple[Value, Value]:
    """Whole significand and exponent field of a code; the field of a subnormal number is 1."""
    mantissa, exponent, _ = fields(kind, code)
    normal = exponent.any()
    return Cat(mantissa, normal), exponent | ~normal


def to_float32(m: Module, kind: Minifloat, code: Value, name: str) -> Value:
    """The 32 bits of float32 that ``code``, a number, means."""
    mantissa, exponent, sign = fields(kind, code)
    wide = Cat(Const(0, FLOAT32_MANTISSA - kind.mantissa_bits), mantissa)
    assert kind.bias is not None
    rebias = FLOAT32_BIAS - kind.bias
    if rebias == 0 and kind.exponent_bits == 8:  # subnormal numbers are subnormal float32 ones
        return Cat(wide, exponent, sign)
    field = Signal(8, name=f"{name}_field")
    if kind.mantissa_bits == 0:
        m.d.comb += field.eq(Mux(exponent.any(), exponent + rebias, 0))
        return Cat(wide, field, sign)
    # A subnormal number's first one becomes the leading one.
    up = Signal(range(kind.mantissa_bits + 1), name=f"{name}_up")
    moved = Signal(FLOAT32_MANTISSA, name=f"{name}_moved")
    with m.If(exponent.any()):
        m.d.comb += [field.eq(exponent + rebias), moved.eq(wide)]
    with m.Elif(mantissa.any()):
        m.d.comb += [
            up.eq(leading_zeros(mantissa)),
            field.eq(rebias - up),
            moved.eq(wide << (up + 1)),
        ]
    return Cat(moved, field, sign)


def to_fixed(m: Module, kind: Minifloat, code: Value, bits: int, name: str) -> Value:
    """``code`` as a signed number of ``bits``, in units of the smallest positive value."""
    whole, exponent = significand(kind, code)
    magnitude = Signal(bits - 1, name=f"{name}_magnitude")
    m.d.comb += magnitude.eq(whole << (exponent - 1)[: kind.exponent_bits])
    value = Signal(signed(bits), name=f"{name}_fixed")
    m.d.comb += value.eq(Mux(code[-1], -magnitude, magnitude))
    return value
