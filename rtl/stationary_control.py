"""When the weight-stationary array moves: banks of weights, steps, passes, tiles."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath

PLACE = data.StructLayout({"last_in_pass": 1, "first_slice": 1, "last_slice": 1})
"""Where a step stands in its tile."""


class StationaryControl(Component):
    """The rules of docs/hardware.md (Weight-stationary), as one small machine for the whole array.

    Members, weights:
        weights_valid, weights_ready: handshake of one array row's weights.
        last_in_slice: they are the slice's last.
        load, row: they are taken, into this row of the bank to load.
        swap: that bank comes into use.

    Members, operands:
        operands_valid, operands_ready: handshake of a step's activations.
        place: of the step in the operand register.
        done: it needs no cycle beyond this one.
        advance: this cycle of it counts.

    Members, columns:
        add, address: the columns take the sums of the PEs, which are of this row of the tile.
        first_slice: of what is in the columns; nothing is in the buffer yet.
        store, store_address: it goes to the buffer, to this row.
        row_valid, row_ready, row_last: it goes to the requantizers; handshake.
        scales_valid, scales_ready: with a scale stage: handshake of a pass's scales.
        quantizers_valid, quantizers_ready: handshake of a tile's constants.
    """

    def __init__(self, datapath: IntegerDatapath, array: Array) -> None:
        self._scale_stage = datapath.scale_stage
        inputs = [
            "weights_valid", "last_in_slice", "operands_valid", "done", "row_ready", "quantizers_valid",
        ]  # fmt: skip
        outputs = [
            "weights_ready", "load", "swap", "operands_ready", "advance", "add", "first_slice", "store",
            "row_valid", "row_last", "quantizers_ready",
        ]  # fmt: skip
        if self._scale_stage:
            inputs.append("scales_valid")
            outputs.append("scales_ready")
        address = range(array.accumulator_rows)
        super().__init__(
            {name: In(1) for name in inputs}
            | {name: Out(1) for name in outputs}
            | {
                "place": In(PLACE),
                "row": Out(range(array.rows)),
                "address": Out(address),
                "store_address": Out(address),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        frozen = Signal()
        ends_step = self._steps(m, frozen)
        self._sums(m, frozen, ends_step)
        return m

    def _steps(self, m: Module, frozen: Signal) -> Signal:
        """The banks and the operand register; whether a step ends."""
        full, running, occupied = Signal(), Signal(), Signal()
        ends_step, ends_pass = Signal(), Signal()
        m.d.comb += [
            self.advance.eq(occupied & running & ~frozen),
            ends_step.eq(self.advance & self.done),
            ends_pass.eq(ends_step & self.place.last_in_pass),
            self.operands_ready.eq(~frozen & (~occupied | ends_step)),
            self.swap.eq(full & (ends_pass | ~running)),
            self.weights_ready.eq(~full | self.swap),
            self.load.eq(self.weights_valid & self.weights_ready),
        ]
        with m.If(self.operands_ready):
            m.d.sync += occupied.eq(self.operands_valid)
        with m.If(self.load):
            m.d.sync += [full.eq(self.last_in_slice), self.row.eq(Mux(self.last_in_slice, 0, self.row + 1))]
        with m.Elif(self.swap):
            m.d.sync += full.eq(0)
        with m.If(self.swap):
            m.d.sync += running.eq(1)
        with m.Elif(ends_pass):
            m.d.sync += running.eq(0)
        return ends_step

    def _sums(self, m: Module, frozen: Signal, ends_step: Signal) -> None:
        """The registers behind a step: the PEs', then the columns'; what they wait for."""
        summed, added = Signal(), Signal()
        pe_place, column_place = Signal(PLACE), Signal(PLACE)
        first = Signal(init=1)
        rows = Signal.like(self.address)
        m.d.comb += [
            self.add.eq(summed & ~frozen),
            self.address.eq(Mux(first, 0, rows)),
            self.first_slice.eq(column_place.first_slice),
            self.store.eq(added & ~column_place.last_slice & ~frozen),
            self.row_last.eq(column_place.last_in_pass),
        ]
        with m.If(~frozen):
            m.d.sync += [summed.eq(ends_step), added.eq(summed)]
        with m.If(ends_step):
            m.d.sync += pe_place.eq(self.place)
        with m.If(self.add):
            m.d.sync += [
                column_place.eq(pe_place), self.store_address.eq(self.address),
                first.eq(pe_place.last_in_pass), rows.eq(self.address + 1),
            ]  # fmt: skip

        # A pass's first sums enter the columns together with its scales, in the last slice also with the constants.
        scales, quantizers, there, blocked = Signal(), Signal(), Signal(), Signal()
        scales_valid = self.scales_valid if self._scale_stage else Const(1)
        m.d.comb += [
            scales.eq(summed & first & bool(self._scale_stage)),
            quantizers.eq(summed & first & pe_place.last_slice),
            there.eq((~scales | scales_valid) & (~quantizers | self.quantizers_valid)),
            self.row_valid.eq(added & column_place.last_slice & there),
            blocked.eq(added & column_place.last_slice & ~self.row_ready),
            frozen.eq(blocked | ~there),
            self.quantizers_ready.eq(quantizers & ~blocked & (~scales | scales_valid)),
        ]
        if self._scale_stage:
            m.d.comb += self.scales_ready.eq(scales & ~blocked & (~quantizers | self.quantizers_valid))
