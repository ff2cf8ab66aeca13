"""What the floating-point arrays share: operands, the tree of a step's products, and sums as integers."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.floating import RESULT_BITS, FloatDatapath
from rtl import streams
from rtl.arithmetic import overflow, tree_sum
from rtl.attribution import Share
from rtl.float32 import SIGNIFICAND, Float32Adder
from rtl.minifloat import to_fixed, to_float32
from rtl.operands import feeder_members

LARGEST_SHIFT = 32
"""Upwards: more changes nothing, because every sum but 0 is saturated by then."""


def operand(datapath: FloatDatapath, register: Shape) -> data.StructLayout:
    """What a column broadcasts to its PEs in a cycle: its weights, and the layer's register of the multipliers."""
    values = data.ArrayLayout(unsigned(datapath.kind.bits), datapath.lanes)
    return data.StructLayout({"values": values, "register": register})


def shares(name: str) -> tuple[Share, ...]:
    """Whose energy the events of the datapath ``name`` are: what follows the products is all addition."""
    pe = f"{name}.pe"
    return (
        Share(component=pe, action="multiply", parts=("multiplier",)),
        Share(component=pe, action="add", parts=("dot", "pe")),
        Share(component=pe, action="scale"),
        Share(component=pe, action="clock", clocks=("dot", "pe")),
    )


class FloatFeeder(Component):
    """From the operand register's weights to the columns' operands; shared by all rows.

    Members: those of `rtl.operands.feeder_members`. ``register`` names the run-time field that the multipliers take.
    """

    def __init__(self, datapath: FloatDatapath, array: Array, register: str, shape: Shape) -> None:
        self._register = register
        super().__init__(feeder_members(datapath, array, {register: shape}, operand(datapath, shape)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.last.eq(1)
        for column, values in zip(self.operands, self.weights.values, strict=True):
            m.d.comb += [column.values.eq(values), column.register.eq(self.weights[self._register])]
        return m


class FloatDot(Component):
    """A PE's arithmetic: the sum of the lanes' products, exact or as a tree of float32 adders with registers.

    Members:
        activations: the step's lanes.
        operand: the column's operand of this cycle.
        advance, last: as in `rtl.mac.Dot`; not used.
        flow: with a pipeline, its registers take what stands before them.
        step: the sum of the step, ``pipeline_stages`` cycles of ``flow`` after its operands.
    """

    def __init__(self, datapath: FloatDatapath, multiplier: type[Component], register: Shape) -> None:
        self._datapath = datapath
        self._multiplier = multiplier
        members = {
            "activations": In(data.ArrayLayout(unsigned(datapath.kind.bits), datapath.lanes)),
            "operand": In(operand(datapath, register)),
            "advance": In(1),
            "last": In(1),
            "step": Out(signed(datapath.step_bits)),
        }
        if datapath.pipeline_stages:
            members["flow"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kind = self._datapath.kind
        products = []
        for i, (a, b) in enumerate(zip(self.activations, self.operand.values, strict=True)):
            multiplier = self._multiplier(kind)
            m.submodules[f"multiplier_{i}"] = multiplier
            m.d.comb += [multiplier.a.eq(a), multiplier.b.eq(b), multiplier.register.eq(self.operand.register)]
            products.append(multiplier.product)
        if self._datapath.accumulation == "fixed":
            bits = self._datapath.product_bits
            m.d.comb += self.step.eq(
                tree_sum([to_fixed(m, kind, p, bits, f"product_{i}") for i, p in enumerate(products)])
            )
        else:
            level = [to_float32(m, kind, p, f"product_{i}") for i, p in enumerate(products)]
            m.d.comb += self.step.eq(self._tree(m, level))
        return m

    def _tree(self, m: Module, values: list[Value]) -> Value:
        """The sum of float32 values, registers before each level and after the last."""
        depth = 0
        while True:
            level = [Signal(32, name=f"level_{depth}_{i}", reset_less=True) for i in range(len(values))]
            with m.If(self.flow):
                m.d.sync += [register.eq(value) for register, value in zip(level, values, strict=True)]
            if len(level) == 1:
                return level[0]
            values = []
            for i in range(0, len(level) - 1, 2):
                adder = Float32Adder()
                m.submodules[f"adder_{depth}_{i // 2}"] = adder
                m.d.comb += [adder.a.eq(level[i]), adder.b.eq(level[i + 1])]
                values.append(adder.sum)
            values += level[2 * len(values) :]
            depth += 1


class Normalizer(Component):
    """A tile's sum as an integer: ``sum * 2**exponent`` rounded, ties up, saturated to 32 bits; combinational.

    Members:
        sum: fixed point, or float32 bits.
        exponent: of the tile.
        value: the integer.
    """

    def __init__(self, datapath: FloatDatapath) -> None:
        self._float32 = datapath.accumulation == "float32"
        super().__init__(
            {
                "sum": In(signed(datapath.accumulator_bits)),
                "exponent": In(streams.EXPONENT),
                "value": Out(signed(RESULT_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if not self._float32:
            whole: Value = self.sum
            exponent: Value = self.exponent
        else:
            field = self.sum[23:31]
            whole = Signal(signed(SIGNIFICAND + 1))
            magnitude = Signal(SIGNIFICAND)
            exponent = Signal(signed(11))
            m.d.comb += [
                magnitude.eq(self.sum[:23] | (field.any() << 23)),
                whole.eq(Mux(self.sum[31], -magnitude, magnitude)),
                exponent.eq((field | ~field.any()) - 150 + self.exponent),
            ]
        up = Signal(range(LARGEST_SHIFT + 1))
        down = Signal(range(len(whole) + 2))
        down_limit = len(whole) + 1
        m.d.comb += [
            up.eq(Mux(exponent < 0, 0, Mux(exponent > LARGEST_SHIFT, LARGEST_SHIFT, exponent))),
            down.eq(Mux(exponent >= 0, 0, Mux(exponent < -down_limit, down_limit, -exponent))),
        ]
        raised = Signal(signed(len(whole) + LARGEST_SHIFT))
        half = Signal(len(whole) + 1)
        lowered = Signal(signed(len(whole) + 2))
        m.d.comb += [
            raised.eq(whole << up),
            half.eq((1 << down) >> 1),
            lowered.eq((whole + half) >> down),
            self.value.eq(
                Mux(
                    exponent < 0,
                    overflow(m, lowered, RESULT_BITS, "saturate"),
                    overflow(m, raised, RESULT_BITS, "saturate"),
                )
            ),
        ]
        return m
