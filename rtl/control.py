"""When the array moves: steps, groups, tiles, the shadow register and its rows."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array


class Control(Component):
    """The rules of docs/hardware.md (Cycles), as one small machine for the whole array.

    A sync domain is the whole array, or each column where columns run ahead; signals of one bit
    per domain are marked *.

    Members, operands:
        operands_valid: a beat of activations and one of weights are there.
        operands_ready: they are accepted if they are both there.
        last_in_step*, last_in_group*, last_in_tile*: of the step that the domain is at.
        advance*: this cycle of the step counts.

    Members, accumulators:
        add*: a step ends.
        accumulate*: its sum is there: at once, or after the pipeline.
        flow: the pipeline moves.
        first_in_group*: it started its group.
        first_in_tile*: what is added next to the tile's sum starts a tile.
        group_end: the group's last step ends, in all domains.
        apply, scales_valid, scales_ready: with a scale stage: the group before is scaled and added;
            handshake of the group's scales.
        scaling, first_bit: with a serial scale: a bit of it is applied, the first one. With scales that take turns:
            one of them.
        scale_cycles: how many cycles the scale of the group that ends takes.

    Members, results:
        quantizers_valid, quantizers_ready, rows: handshake of the tile's constants, its rows.
        last_pass: with the constants: no more follow for the same sums.
        move: the accumulators move to the shadow register.
        again: constants are taken for sums that are there already.
        frozen: the compute side stands still until the accumulators move.
        row_valid, row_ready, row_last: handshake of the shadow register's first row.
        shift: it is taken; the rows below move up.
    """

    def __init__(self, datapath: ArrayDatapath, array: Array) -> None:
        self._scale_stage = datapath.scale_stage
        self._scale_latency = datapath.scale_latency
        self._depth = datapath.operand_depth
        self._pipeline = datapath.pipeline_stages
        domains = datapath.sync_domains(array)
        members = {
            "operands_valid": In(1),
            "operands_ready": Out(1),
            "last_in_step": In(domains),
            "last_in_group": In(domains),
            "last_in_tile": In(domains),
            "advance": Out(domains),
            "add": Out(domains),
            "accumulate": Out(domains),
            "flow": Out(1),
            "first_in_group": Out(domains, init=-1),
            "first_in_tile": Out(domains, init=-1),
            "group_end": Out(1),
            "quantizers_valid": In(1),
            "quantizers_ready": Out(1),
            "rows": In(range(array.rows + 1)),
            "move": Out(1),
            "again": Out(1),
            "last_pass": In(1, init=1),
            "frozen": Out(1),
            "row_valid": Out(1),
            "row_ready": In(1),
            "row_last": Out(1),
            "shift": Out(1),
        }
        if self._scale_stage:
            members |= {"apply": Out(1), "scales_valid": In(1), "scales_ready": Out(1)}
            members |= {"scaling": Out(1), "first_bit": Out(1), "scale_cycles": In(range(self._scale_latency + 1))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        frozen, scale_free = self._drain(m)
        m.d.comb += self.flow.eq(~frozen)
        domains = range(len(self.add))
        waiting = [Signal(range(self._depth + 1), name=f"waiting_{d}") for d in domains]
        occupied = Cat(count.any() for count in waiting)
        ends_group = self.last_in_step & self.last_in_group
        together = (occupied & ends_group).all() & ~frozen & scale_free
        if self._scale_stage:
            m.d.comb += [self.scales_ready.eq(together), self.group_end.eq(together & self.scales_valid)]
        else:
            m.d.comb += self.group_end.eq(together)
        m.d.comb += self.operands_ready.eq(
            ~frozen & Cat((waiting[d] != self._depth) | self.add[d] for d in domains).all()
        )
        accept = self.operands_ready & self.operands_valid
        for d in domains:
            m.d.comb += [
                self.advance[d].eq(occupied[d] & ~frozen & (~ends_group[d] | self.group_end)),
                self.add[d].eq(self.advance[d] & self.last_in_step[d]),
            ]
            m.d.sync += waiting[d].eq(waiting[d] + accept - self.add[d])
            with m.If(self.add[d]):
                m.d.sync += self.first_in_group[d].eq(self.last_in_group[d])
                if not self._scale_stage and not self._pipeline:
                    m.d.sync += self.first_in_tile[d].eq(self.last_in_tile[d])
        return m

    def _drain(self, m: Module) -> tuple[Signal, Value]:
        """The end of a tile and the rows of its results.

        Returns whether the compute side stands still, and whether a group may end.
        """
        final = Signal()
        frozen = Signal()
        scale_free: Value = Const(1)
        summed, ends = self._pipelined(m)
        if self._scale_stage:
            left = Signal(range(self._scale_latency + 1))
            ends, fresh = Signal(), Signal()
            if self._scale_latency > 1:
                scale_free = left <= 1
            with m.If(self.group_end):
                m.d.sync += [left.eq(self.scale_cycles), ends.eq(self.last_in_tile[0]), fresh.eq(1)]
            with m.Elif(self.scaling):
                m.d.sync += [left.eq(left - 1), fresh.eq(0)]
            m.d.comb += [
                self.scaling.eq((left != 0) & ~frozen),
                self.first_bit.eq(fresh),
                self.apply.eq((left == 1) & ~frozen),
            ]
            summed = self.apply
            with m.If(summed):
                m.d.sync += self.first_in_tile.eq(ends.replicate(len(self.first_in_tile)))
        with m.If(summed & ends):
            m.d.sync += final.eq(1)
        with m.Elif(self.move):
            m.d.sync += final.eq(0)

        rows_left = Signal.like(self.rows)
        more, taken = Signal(), Signal()
        m.d.comb += [
            self.row_valid.eq(rows_left != 0),
            self.row_last.eq(rows_left == 1),
            self.shift.eq(self.row_valid & self.row_ready),
            self.quantizers_ready.eq((final | more) & (~self.row_valid | (self.row_last & self.shift))),
            taken.eq(self.quantizers_ready & self.quantizers_valid),
            self.again.eq(taken & more),
            self.move.eq(taken & ~more),
            frozen.eq(final & ~self.move),
            self.frozen.eq(frozen),
        ]
        with m.If(taken):
            m.d.sync += [rows_left.eq(self.rows), more.eq(~self.last_pass)]
        with m.Elif(self.shift):
            m.d.sync += rows_left.eq(rows_left - 1)
        return frozen, scale_free

    def _pipelined(self, m: Module) -> tuple[Value, Value]:
        """Steps that reach the accumulators: whether one ends a group, and whether it ends a tile."""
        if not self._pipeline:
            m.d.comb += self.accumulate.eq(self.add)
            return self.group_end, self.last_in_tile[0]
        step, last = self.add[0], self.last_in_tile[0]
        for stage in range(self._pipeline):
            following = Signal(name=f"step_{stage}"), Signal(name=f"last_{stage}")
            with m.If(self.flow):
                m.d.sync += [following[0].eq(step), following[1].eq(last)]
            step, last = following
        accumulate = step & self.flow
        m.d.comb += self.accumulate.eq(accumulate)
        with m.If(accumulate):
            m.d.sync += self.first_in_tile.eq(last)
        return accumulate, last
