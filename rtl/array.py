"""The output-stationary array, for all datapaths, and the streams of any (docs/hardware.md)."""

from typing import Protocol

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from hwsim.floating import FloatDatapath
from rtl import rram_streams, streams
from rtl.accumulator import GroupSum
from rtl.control import Control
from rtl.floating import Normalizer
from rtl.library import Library, place
from rtl.operands import BuildStage, OperandQueue
from rtl.pe import ProcessingElement, implementation
from rtl.requantizer import RequantizerRow

RESULTS = streams.RESULTS


def stream_layouts(datapath: ArrayDatapath | Rram, array: Array) -> dict[str, data.StructLayout]:
    """The payload layout of each stream of the array of any dataflow, inputs and results."""
    if isinstance(datapath, Rram):
        return rram_streams.stream_layouts(datapath, array)
    scales = {"i_scales": streams.scales(datapath, array)} if datapath.scale_stage else {}
    module = implementation(datapath)
    tables = {"i_tables": module.tables(datapath, array)} if datapath.loads_tables else {}
    return {
        "i_activations": streams.activations(datapath, array),
        "i_weights": streams.weights(datapath, array, module.Feeder.fields(datapath, array)),
        "i_quantizers": streams.quantizers(datapath, array),
        **scales,
        **tables,
        RESULTS: streams.results(array),
    }


class Source(Protocol):
    """Where PEs take a step's activations from, or what is made of them; a datapath's module has one."""

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """Inputs of the PE at ``row`` and ``column``."""


class StreamedArray(Component):
    """An array of PEs of any dataflow between its streams.

    Members are the streams of docs/hardware.md: ``i_activations``, ``i_weights``, ``i_scales`` (with
    a scale stage only), ``i_tables`` (with tables that are loaded), ``i_quantizers`` and ``o_results``; layouts in
    `stream_layouts`.
    """

    def __init__(self, datapath: ArrayDatapath, array: Array) -> None:
        self._datapath = datapath
        self._array = array
        super().__init__(
            {
                name: (Out if name == RESULTS else In)(stream.Signature(layout))
                for name, layout in stream_layouts(datapath, array).items()
            }
        )

    @property
    def datapath(self) -> ArrayDatapath:
        """The datapath of every PE."""
        return self._datapath

    @property
    def array(self) -> Array:
        """How many PEs."""
        return self._array


class PeArray(StreamedArray):
    """``array.rows`` x ``array.cols`` PEs of ``datapath``, output-stationary."""

    def __init__(self, datapath: ArrayDatapath, array: Array) -> None:
        self._feeder = implementation(datapath).Feeder(datapath, array)
        super().__init__(datapath, array)

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        m.submodules.control = control = Control(self._datapath, self._array)
        m.submodules.feeder = feeder = self._feeder
        queue, position = self._operands(m, control)
        m.d.comb += [
            feeder.weights.eq(queue.weights),
            feeder.advance.eq(control.advance),
            feeder.restart.eq(feeder.last),
            control.last_in_step.eq(feeder.last),
            control.last_in_group.eq(queue.last_in_group),
            control.last_in_tile.eq(queue.last_in_tile),
        ]
        if self._datapath.scales_in_turn:
            m.d.comb += control.scale_cycles.eq(feeder.turns)
        elif self._datapath.scale_stage:
            m.d.comb += control.scale_cycles.eq(self._datapath.scale_latency)
        source = implementation(self._datapath).Source(
            m, platform, self._datapath, self._array, queue, position, feeder
        )  # fmt: skip
        self._results(m, control, self._elements(m, platform, control, queue, source))
        return m

    def _operands(self, m: Module, control: Control) -> tuple[OperandQueue, Value]:
        """Steps from the streams to the columns; the cycle of the next one's preparation, if it has any."""
        valid, others, tables_valid = Signal(), Signal(), Signal(init=1)
        m.submodules.operand_queue = queue = OperandQueue(self._datapath, self._array, self.i_weights.payload.shape())
        m.d.comb += [
            others.eq(self.i_activations.valid & self.i_weights.valid),
            valid.eq(others & tables_valid),
            queue.accept.eq(control.operands_ready & control.operands_valid),
            queue.finish.eq(control.add),
        ]
        first: OperandQueue | BuildStage = queue
        ready, position = control.operands_ready, Const(0, 0)
        if self._datapath.build_cycles:
            m.submodules.build_stage = first = stage = BuildStage(self._datapath, self._array, queue.weights.shape())
            m.d.comb += [
                queue.activations_in.eq(stage.activations),
                queue.weights_in.eq(stage.weights),
                stage.valid_in.eq(valid),
                stage.ready.eq(control.operands_ready),
                stage.frozen.eq(control.frozen),
                control.operands_valid.eq(stage.valid),
            ]
            ready, position = stage.ready_in, stage.position
        else:
            m.d.comb += control.operands_valid.eq(valid)
        if self._datapath.loads_tables:
            self._tables(m, queue.accept, tables_valid, ready & others)
        m.d.comb += [
            self.i_activations.ready.eq(ready & self.i_weights.valid & tables_valid),
            self.i_weights.ready.eq(ready & self.i_activations.valid & tables_valid),
            first.activations_in.eq(self.i_activations.payload),
            first.weights_in.eq(self.i_weights.payload),
        ]
        return queue, position

    def _tables(self, m: Module, accept: Value, valid: Signal, others_ready: Value) -> None:
        """A group's tables are taken with its first step."""
        starts = Signal(init=1)
        m.d.comb += [
            valid.eq(~starts | self.i_tables.valid),
            self.i_tables.ready.eq(starts & others_ready),
            self._feeder.loaded.eq(self.i_tables.payload),
            self._feeder.load.eq(starts & accept),
        ]
        with m.If(accept):
            m.d.sync += starts.eq(self.i_weights.p.last_in_group)

    def _elements(
        self, m: Module, platform: Library | None, control: Control, queue: OperandQueue, source: Source
    ) -> list[Value]:
        """The PEs; returns the shadow registers of the first row, where results leave."""
        columns = self._columns(m, control)
        group_sums = self._group_sums(m, platform, control, queue.activations[0])
        bits = signed(self._datapath.accumulator_bits)
        leaving = [Signal(bits, name=f"leaving_{c}") for c in range(self._array.cols)]
        drained = Signal.like(control.rows)
        with m.If(control.move | control.again):
            m.d.sync += drained.eq(control.rows)

        # Upwards, because a PE's shadow register takes that of the PE below.
        shadows: list[Value] = [Const(0, bits)] * self._array.cols
        for r in reversed(range(self._array.rows)):
            pes = []
            for c, column in enumerate(columns):
                below = shadows[c]
                if self._datapath.repeats_results:  # sums come back below the last row, for the next pass
                    below = Mux(drained == r + 1, leaving[c], below)
                inputs = {**column, **group_sums[r], **source.inputs(r, c), "below": below}
                pes.append(place(m, platform, f"pe_{r}_{c}", ProcessingElement, (self._datapath,), inputs))
            shadows = [pe.shadow for pe in pes]
        m.d.comb += [signal.eq(shadow) for signal, shadow in zip(leaving, shadows, strict=True)]
        return list(leaving)

    def _group_sums(
        self, m: Module, platform: Library | None, control: Control, activations: Value
    ) -> list[dict[str, Value]]:
        """Per row the sum of its activations, where offsets need it; a group ends in all domains at once."""
        sums: list[dict[str, Value]] = [{} for _ in range(self._array.rows)]
        if self._datapath.offset_bits:
            shared = {"add": control.add[0], "first_in_group": control.first_in_group[0]}
            for r, values in enumerate(activations["values"]):
                inputs = {**shared, "activations": values}
                group_sum = place(m, platform, f"group_sum_{r}", GroupSum, (self._datapath,), inputs)
                sums[r]["group_sum"] = group_sum.value
        return sums

    def _columns(self, m: Module, control: Control) -> list[dict[str, Value]]:
        """What each column broadcasts to its PEs: control, operands, scales and offsets."""
        shared = ["move", "shift"]
        if self._datapath.pipeline_stages:
            shared += ["flow"]
        own = ["advance", "first_in_tile"]
        if self._datapath.scale_stage:
            shared += ["apply"]
            own += ["first_in_group"]
        if self._datapath.serial_scale:
            shared += ["group_end", "first_bit", "scaling"]
        elif self._datapath.scales_in_turn:
            shared += ["first_bit", "scaling", *(["group_end"] if self._datapath.scatters else [])]
        domains = len(control.add)
        columns = [
            {name: getattr(control, name) for name in shared}
            | {name: getattr(control, name)[c % domains] for name in own}
            | {
                "add": control.accumulate[c % domains],
                "last": self._feeder.last[c % domains],
                "operand": self._feeder.operands[c],
            }
            for c in range(self._array.cols)
        ]
        if self._datapath.shares_sums:  # each column in the round of its pattern
            for column in columns:
                column["add"] = column["advance"] & column["operand"].take
        if self._datapath.scale_stage:
            self._scales(m, control, columns)
        return columns

    def _scales(self, m: Module, control: Control, columns: list[dict[str, Value]]) -> None:
        """Adds each column's scale and offset, or the bit of the scale that is next."""
        scales = Signal.like(self.i_scales.payload, name="scales", reset_less=True)
        m.d.comb += [
            control.scales_valid.eq(self.i_scales.valid),
            self.i_scales.ready.eq(control.scales_ready),
        ]
        with m.If(control.scales_ready & control.scales_valid):
            m.d.sync += scales.eq(self.i_scales.payload)
        if self._datapath.serial_scale:
            with m.Elif(control.scaling):
                m.d.sync += [scale.eq(scale << 1) for scale in scales.scale]
            for column, scale in zip(columns, scales.scale, strict=True):
                column["scale_bit"] = scale[-1]
            return
        if self._datapath.scales_in_turn:
            turn = Signal(range(self._datapath.scales_per_group))
            with m.If(control.group_end):
                m.d.sync += turn.eq(0)
            with m.Elif(control.scaling):
                m.d.sync += turn.eq(turn + 1)
            for column, scale in zip(columns, scales.scale, strict=True):
                column["scale"] = scale[turn]
                column["turn"] = turn
        for name, _ in scales.shape():
            if name == "scale" and self._datapath.scales_in_turn:
                continue
            for column, value in zip(columns, scales[name], strict=True):
                column[name] = value

    def _results(self, m: Module, control: Control, sums: list[Value]) -> None:
        """From the shadow register, first row first, through the requantizers."""
        constants = Signal.like(self.i_quantizers.payload, name="constants", reset_less=True)
        m.submodules.requantizers = requantizers = RequantizerRow(self._datapath, self._array)
        m.d.comb += [
            control.quantizers_valid.eq(self.i_quantizers.valid),
            control.rows.eq(self.i_quantizers.p.rows),
            self.i_quantizers.ready.eq(control.quantizers_ready),
            control.row_ready.eq(requantizers.i.ready),
            requantizers.i.valid.eq(control.row_valid),
            requantizers.i.p.last.eq(control.row_last),
            requantizers.i.p.constants.eq(constants),
            *(requantizers.i.p.sums[c].eq(value) for c, value in enumerate(self._integers(m, sums, constants))),
            *([control.last_pass.eq(self.i_quantizers.p.last_pass)] if self._datapath.repeats_results else []),
            self.o_results.payload.eq(requantizers.o.payload),
            self.o_results.valid.eq(requantizers.o.valid),
            requantizers.o.ready.eq(self.o_results.ready),
        ]
        with m.If(control.move | control.again):
            m.d.sync += constants.eq(self.i_quantizers.payload)

    def _integers(self, m: Module, sums: list[Value], constants: Value) -> list[Value]:
        """The columns' sums as integers: floating-point ones are brought to the requantizers' units."""
        if not isinstance(self._datapath, FloatDatapath):
            return sums
        values = []
        for c, value in enumerate(sums):
            m.submodules[f"normalizer_{c}"] = normalizer = Normalizer(self._datapath)
            m.d.comb += [normalizer.sum.eq(value), normalizer.exponent.eq(constants["exponent"])]
            values.append(normalizer.value)
        return values
