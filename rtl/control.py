"""When the array moves: steps, groups, tiles, the shadow register and its rows."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath


class Control(Component):
    """The rules of docs/hardware.md (Cycles), as one small machine for the whole array.

    Members, operands:
        operands_valid: a beat of activations and one of weights are there.
        operands_ready: they are accepted if they are both there.
        last_in_step, last_in_group, last_in_tile: of the step in the operand register.
        advance: this cycle of the step counts.

    Members, accumulators:
        add: a step ends.
        first_in_group: it started its group.
        first_in_tile: what is added next to the tile's sum starts a tile.
        apply, scales_valid, scales_ready: with a scale stage: the group before is scaled and added;
            handshake of the group's scales.

    Members, results:
        quantizers_valid, quantizers_ready, rows: handshake of the tile's constants, its rows.
        move: the accumulators move to the shadow register.
        row_valid, row_ready, row_last: handshake of the shadow register's first row.
        shift: it is taken; the rows below move up.
    """

    def __init__(self, datapath: IntegerDatapath, array: Array) -> None:
        self._scale_stage = datapath.scale_stage
        members = {
            "operands_valid": In(1),
            "operands_ready": Out(1),
            "last_in_step": In(1),
            "last_in_group": In(1),
            "last_in_tile": In(1),
            "advance": Out(1),
            "add": Out(1),
            "first_in_group": Out(1, init=1),
            "first_in_tile": Out(1, init=1),
            "quantizers_valid": In(1),
            "quantizers_ready": Out(1),
            "rows": In(range(array.rows + 1)),
            "move": Out(1),
            "row_valid": Out(1),
            "row_ready": In(1),
            "row_last": Out(1),
            "shift": Out(1),
        }
        if self._scale_stage:
            members |= {"apply": Out(1), "scales_valid": In(1), "scales_ready": Out(1)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        frozen = self._drain(m)
        occupied = Signal()
        running = Signal()
        m.d.comb += running.eq(occupied & ~frozen)

        ends_group = self.last_in_step & self.last_in_group
        if self._scale_stage:
            m.d.comb += [
                self.scales_ready.eq(running & ends_group),
                self.advance.eq(running & (~ends_group | self.scales_valid)),
            ]
        else:
            m.d.comb += self.advance.eq(running)
        m.d.comb += [
            self.add.eq(self.advance & self.last_in_step),
            self.operands_ready.eq(~frozen & (~occupied | self.add)),
        ]
        with m.If(self.operands_ready):
            m.d.sync += occupied.eq(self.operands_valid)
        with m.If(self.add):
            m.d.sync += self.first_in_group.eq(self.last_in_group)
        return m

    def _drain(self, m: Module) -> Signal:
        """The end of a tile and the rows of its results; whether the compute side stands still."""
        final = Signal()
        frozen = Signal()
        adds, ends = self.add, self.last_in_tile
        if self._scale_stage:
            complete = Signal()
            ends = Signal()
            with m.If(self.add & self.last_in_group):
                m.d.sync += [complete.eq(1), ends.eq(self.last_in_tile)]
            with m.Elif(~frozen):
                m.d.sync += complete.eq(0)
            m.d.comb += self.apply.eq(complete & ~frozen)
            adds = self.apply
        with m.If(adds):
            m.d.sync += self.first_in_tile.eq(ends)
        with m.If(adds & ends):
            m.d.sync += final.eq(1)
        with m.Elif(self.move):
            m.d.sync += final.eq(0)

        left = Signal.like(self.rows)
        m.d.comb += [
            self.row_valid.eq(left != 0),
            self.row_last.eq(left == 1),
            self.shift.eq(self.row_valid & self.row_ready),
            self.quantizers_ready.eq(final & (~self.row_valid | (self.row_last & self.shift))),
            self.move.eq(self.quantizers_ready & self.quantizers_valid),
            frozen.eq(final & ~self.move),
        ]
        with m.If(self.move):
            m.d.sync += left.eq(self.rows)
        with m.Elif(self.shift):
            m.d.sync += left.eq(left - 1)
        return frozen
