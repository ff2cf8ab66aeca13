"""Requantizers: one row of sums per cycle to output integers, in three stages."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.kernels.tiles import REQUANTIZER_STAGES as STAGES
from rtl import streams
from rtl.arithmetic import overflow
from rtl.library import Library, place


class Requantizer(Component):
    """One column: add the bias; multiply; round, shift and clamp, or choose by sign.

    Members:
        sum: what the column's accumulator held.
        constants: of the column, with ``sum``; they travel along.
        low, high, threshold: of the tile whose sum is in the second stage.
        enable: per stage, its register takes what stands before it.
        value: the result.
    """

    def __init__(self, datapath: ArrayDatapath, array: Array) -> None:
        self._overflow = datapath.result_overflow
        tile = streams.quantizers(datapath, array)
        super().__init__(
            {
                "sum": In(signed(datapath.result_bits)),
                "constants": In(tile["columns"].shape.elem_shape),
                "low": In(tile["low"].shape),
                "high": In(tile["high"].shape),
                "threshold": In(tile["threshold"].shape),
                "enable": In(STAGES),
                "value": Out(signed(streams.RESULT_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        constants = self.constants

        biased = Signal(signed(streams.RESULT_BITS), reset_less=True)
        multiplier = Signal.like(constants.multiplier, reset_less=True)
        invert = Signal(reset_less=True)
        shift = [Signal.like(constants.shift, name=f"shift_{i}", reset_less=True) for i in range(2)]
        with m.If(self.enable[0]):
            m.d.sync += [
                biased.eq(overflow(m, self.sum + constants.bias, len(biased), self._overflow)),
                multiplier.eq(constants.multiplier),
                invert.eq(constants.invert),
                shift[0].eq(constants.shift),
            ]

        product = Signal((biased * multiplier).shape(), reset_less=True)
        above = Signal(reset_less=True)
        with m.If(self.enable[1]):
            m.d.sync += [
                product.eq(biased * multiplier),
                above.eq((biased >= 0) != invert),
                shift[1].eq(shift[0]),
            ]

        half = (Const(1) << shift[1]) >> 1
        scaled = Signal((product + half).shape())
        m.d.comb += scaled.eq((product + half) >> shift[1])
        value = Signal.like(self.value, reset_less=True)
        m.d.comb += self.value.eq(value)
        with m.If(self.enable[2]):
            with m.If(Mux(self.threshold, ~above, scaled < self.low)):
                m.d.sync += value.eq(self.low)
            with m.Elif(self.threshold | (scaled > self.high)):
                m.d.sync += value.eq(self.high)
            with m.Else():
                m.d.sync += value.eq(scaled)
        return m


class RequantizerRow(Component):
    """The requantizers of all columns, with the row's handshake and the tile's constants.

    Members:
        i: sums of one array row, the constants of its tile, whether it is the tile's last row.
        o: the row's results.
    """

    def __init__(self, datapath: ArrayDatapath, array: Array) -> None:
        self._datapath = datapath
        self._array = array
        row = data.StructLayout(
            {
                "sums": data.ArrayLayout(signed(datapath.result_bits), array.cols),
                "constants": streams.quantizers(datapath, array),
                "last": 1,
            }
        )
        super().__init__({"i": In(stream.Signature(row)), "o": Out(stream.Signature(streams.results(array)))})

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        tile_fields = ("low", "high", "threshold")
        constants = self.i.p.constants

        # A stage that is empty fills even while a later one waits.
        valid = Signal(STAGES)
        enable = Signal(STAGES)
        m.d.comb += [
            enable[2].eq(~valid[2] | self.o.ready),
            enable[1].eq(~valid[1] | enable[2]),
            enable[0].eq(~valid[0] | enable[1]),
            self.i.ready.eq(enable[0]),
            self.o.valid.eq(valid[2]),
        ]
        before = {"last": self.i.p.last, "valid": self.i.valid} | {f: constants[f] for f in tile_fields}
        for stage in range(STAGES):
            after = {
                name: Signal.like(value, name=f"{name}_{stage}", reset_less=name != "valid")
                for name, value in before.items()
                if stage < STAGES - 1 or name not in tile_fields
            }
            with m.If(enable[stage]):
                m.d.sync += [register.eq(before[name]) for name, register in after.items()]
            m.d.comb += valid[stage].eq(after["valid"])
            if stage == STAGES - 2:
                tile = after
            before = after
        m.d.comb += self.o.p.last.eq(before["last"])

        for i in range(self._array.cols):
            inputs = {
                "sum": self.i.p.sums[i],
                "constants": constants.columns[i],
                "enable": enable,
                **{name: tile[name] for name in tile_fields},
            }
            column = place(m, platform, f"column_{i}", Requantizer, (self._datapath, self._array), inputs)
            m.d.comb += self.o.p.values[i].eq(column.value)
        return m
