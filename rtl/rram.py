"""The crossbar array: word lines, sense amplifiers, pooling and the majority of the groups' bits."""

from amaranth.hdl import Array as Choice
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from rtl.crossbar import Crossbar
from rtl.library import Library, place
from rtl.rram_streams import currents, reference, stream_layouts


class SenseRow(Component):
    """The sense amplifiers of one crossbar, and what they decided for the current pooling window.

    Members:
        write, columns: thresholds and inversions are stored.
        currents, turn: of the crossbar.
        sense: the columns of this turn are decided.
        first: they start a pooling window; else they are pooled with what is there: OR, or AND if inverted.
        bits: per column.
    """

    def __init__(self, datapath: Rram) -> None:
        self._datapath = datapath
        super().__init__(
            {
                "write": In(1),
                "columns": In(data.ArrayLayout(reference(datapath), datapath.cols)),
                "currents": In(currents(datapath)),
                "turn": In(range(datapath.columns_per_sense)),
                "sense": In(1),
                "first": In(1),
                "bits": Out(datapath.cols),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stored = Signal.like(self.columns, name="references", reset_less=True)
        with m.If(self.write):
            m.d.sync += stored.eq(self.columns)
        pooled = Signal(len(self.bits), reset_less=True)
        m.d.comb += self.bits.eq(pooled)
        turns = self._datapath.columns_per_sense
        for index, current in enumerate(self.currents):
            own = range(index * turns, min((index + 1) * turns, self._datapath.cols))
            own_reference = Signal(stored.shape().elem_shape, name=f"reference_{index}")
            chosen = Choice([stored[column].as_value() for column in own])[self.turn]
            m.d.comb += own_reference.as_value().eq(chosen)
            fires = Signal(name=f"fires_{index}")
            m.d.comb += fires.eq((current >= own_reference.threshold) ^ own_reference.invert)
            for turn, column in enumerate(own):
                with m.If(self.sense & (self.turn == turn)):
                    with m.If(self.first):
                        m.d.sync += pooled[column].eq(fires)
                    with m.Elif(own_reference.invert):
                        m.d.sync += pooled[column].eq(pooled[column] & fires)
                    with m.Else():
                        m.d.sync += pooled[column].eq(pooled[column] | fires)
        return m


class Vote(Component):
    """The majority of one column's bits, a register after each level of additions and after the comparison.

    Members:
        bits: one per group; those of groups not in use are 0.
        groups: how many are in use, with the last level's sum.
        enable: per stage, its register takes what stands before it.
        value: whether half of the groups in use or more are 1.
    """

    def __init__(self, datapath: Rram, array: Array) -> None:
        count = datapath.groups(array)
        self._levels = datapath.merge_levels(array)
        super().__init__(
            {
                "bits": In(count),
                "groups": In(range(1, count + 1)),
                "enable": In(self._levels + 1),
                "value": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sums = [Cat(bit) for bit in self.bits]
        for level in range(self._levels):
            added = [a + b for a, b in zip(sums[::2], sums[1::2], strict=False)] + sums[len(sums) & ~1 :]
            sums = [Signal.like(value, name=f"sum_{level}_{i}", reset_less=True) for i, value in enumerate(added)]
            with m.If(self.enable[level]):
                m.d.sync += [register.eq(value) for register, value in zip(sums, added, strict=True)]
        value = Signal(reset_less=True)
        m.d.comb += self.value.eq(value)
        with m.If(self.enable[self._levels]):
            m.d.sync += value.eq((sums[0] << 1) >= self.groups)
        return m


class RramArray(Component):
    """Crossbars for ``array.rows`` inputs and ``array.cols`` outputs, side by side.

    Members are the streams of docs/hardware.md (Crossbars): ``i_cells``, ``i_references``, ``i_vectors`` and
    ``o_results``; layouts in `rtl.rram_streams`.
    """

    def __init__(self, datapath: Rram, array: Array) -> None:
        self._datapath = datapath
        self._array = array
        layouts = stream_layouts(datapath, array)
        super().__init__(
            {name: (In if name[0] == "i" else Out)(stream.Signature(layout)) for name, layout in layouts.items()}
        )

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        datapath = self._datapath
        turn = Signal(range(datapath.columns_per_sense))
        sense, final, first = Signal(), Signal(), Signal(init=1)
        loaded = Signal(2)
        vector = Signal.like(self.i_vectors.payload, name="vector", reset_less=True)
        blocked = self._merge(m, platform, self._crossbars(m, platform, vector, turn, sense, first), vector, final)
        self._load(m, loaded, final & vector.reload)

        busy = Signal()
        phase = self._phases(m, busy, blocked, turn, sense, final)
        with m.If(final):
            m.d.sync += first.eq(vector.last_in_window)
        ready = loaded.all() & ~(busy & vector.reload) & (~busy | final)
        m.d.comb += self.i_vectors.ready.eq(ready)
        with m.If(ready & self.i_vectors.valid):
            m.d.sync += [vector.eq(self.i_vectors.payload), busy.eq(1), phase.eq(0), turn.eq(0)]
        with m.Elif(final):
            m.d.sync += busy.eq(0)
        return m

    def _phases(
        self, m: Module, busy: Signal, blocked: Signal, turn: Signal, sense: Signal, final: Signal
    ) -> Signal:  # fmt: skip
        """Cycles of a vector: driving the word lines, then reading and sensing, once per turn."""
        datapath = self._datapath
        first = datapath.drive_cycles
        last = first + datapath.read_cycles + datapath.sense_cycles - 1
        phase = Signal(range(last + 1))
        m.d.comb += [
            sense.eq(busy & ~blocked & (phase == last)),
            final.eq(sense & (turn == datapath.columns_per_sense - 1)),
        ]
        with m.If(busy & ~blocked):
            m.d.sync += phase.eq(phase + 1)
        with m.If(sense):
            m.d.sync += [phase.eq(first), turn.eq(turn + 1)]
        return phase

    def _load(self, m: Module, loaded: Signal, reload: Signal) -> None:
        """Cells and references are taken until their last beats, again after the vector that asks for it."""
        for index, source in enumerate((self.i_cells, self.i_references)):
            m.d.comb += source.ready.eq(~loaded[index])
            with m.If(source.valid & source.ready & source.p.last):
                m.d.sync += loaded[index].eq(1)
        with m.If(reload):
            m.d.sync += loaded.eq(0)

    def _crossbars(
        self, m: Module, platform: Library | None, vector: Signal, turn: Signal, sense: Signal, first: Signal
    ) -> list[Cat]:
        """The pooled bits of each group, one per output."""
        datapath, cols = self._datapath, self._array.cols
        fresh = Signal(init=1)  # the next row written is the first of its layer
        write = self.i_cells.valid & self.i_cells.ready
        with m.If(write):
            m.d.sync += fresh.eq(self.i_cells.p.last)
        bits = []
        for group in range(datapath.groups(self._array)):
            drive = vector.bits[group * datapath.rows : (group + 1) * datapath.rows]
            parts = []
            for low in range(0, cols, datapath.cols):
                cells = _filled(self.i_cells.p.cells, low, datapath.cols)
                references = _filled(self.i_references.p.columns, low, datapath.cols)
                here = write & (self.i_cells.p.group == group)
                referred = self.i_references.valid & self.i_references.ready & (self.i_references.p.group == group)
                crossbar = place(m, platform, f"crossbar_{group}_{low}", Crossbar, (datapath,), {
                    "write": here, "row": self.i_cells.p.row, "cells": cells,
                    "clear": write & fresh, "drive": drive, "turn": turn,
                })  # fmt: skip
                senses = place(m, platform, f"senses_{group}_{low}", SenseRow, (datapath,), {
                    "write": referred, "columns": references, "currents": crossbar.currents,
                    "turn": turn, "sense": sense, "first": first,
                })  # fmt: skip
                parts.append(senses.bits[: cols - low])
            bits.append(Cat(parts))
        return bits

    def _merge(
        self, m: Module, platform: Library | None, groups: list[Value], vector: data.View, final: Signal
    ) -> Value:  # fmt: skip
        """From pooled bits to results; returns whether they wait for the stage before them."""
        stages = self._datapath.merge_levels(self._array) + 1
        used = Signal.like(self.i_references.p.groups, name="groups", reset_less=True)
        with m.If(self.i_references.valid & self.i_references.ready):
            m.d.sync += used.eq(self.i_references.p.groups)
        valid = [Signal(name=f"valid_{stage}") for stage in range(stages + 1)]
        last = [Signal(name=f"last_{stage}", reset_less=True) for stage in range(stages + 1)]
        count = [Signal.like(used, name=f"groups_{stage}", reset_less=True) for stage in range(stages)]
        enable = Signal(stages)
        for stage in range(stages):
            after = enable[stage + 1] if stage + 1 < stages else self.o_results.ready
            m.d.comb += enable[stage].eq(~valid[stage + 1] | after)
            with m.If(enable[stage]):
                m.d.sync += [valid[stage + 1].eq(valid[stage]), last[stage + 1].eq(last[stage])]
                if stage + 1 < stages:
                    m.d.sync += count[stage + 1].eq(count[stage])
        blocked = valid[0] & ~enable[0]
        with m.If(final):
            m.d.sync += [valid[0].eq(vector.last_in_window), last[0].eq(vector.reload), count[0].eq(used)]
        with m.Elif(enable[0]):
            m.d.sync += valid[0].eq(0)
        m.d.comb += [self.o_results.valid.eq(valid[stages]), self.o_results.p.last.eq(last[stages])]
        for n in range(self._array.cols):
            inputs = {"bits": Cat(bits[n] for bits in groups), "groups": count[-1], "enable": enable}
            vote = place(m, platform, f"vote_{n}", Vote, (self._datapath, self._array), inputs)
            m.d.comb += self.o_results.p.values[n].eq(vote.value)
        return blocked


def _filled(columns: data.View, low: int, count: int) -> Value:
    """Columns ``low`` and up; where there is none, zeros."""
    own = Cat(columns[index].as_value() for index in range(low, min(low + count, len(columns))))
    width = count * len(columns[0].as_value())
    return Cat(own, Const(0, width - len(own))) if len(own) < width else own
