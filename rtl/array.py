"""The output-stationary array, for all datapaths, and the streams of any (docs/hardware.md)."""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from hwsim.integer import IntegerDatapath
from rtl import rram_streams, streams
from rtl.accumulator import GroupSum
from rtl.control import Control
from rtl.library import Library, place
from rtl.operands import OperandQueue
from rtl.pe import ProcessingElement, implementation
from rtl.requantizer import RequantizerRow

RESULTS = streams.RESULTS


def stream_layouts(datapath: IntegerDatapath | Rram, array: Array) -> dict[str, data.StructLayout]:
    """The payload layout of each stream of the array of any dataflow, inputs and results."""
    if isinstance(datapath, Rram):
        return rram_streams.stream_layouts(datapath, array)
    scales = {"i_scales": streams.scales(datapath, array)} if datapath.scale_stage else {}
    return {
        "i_activations": streams.activations(datapath, array),
        "i_weights": streams.weights(datapath, array, implementation(datapath).Feeder.EXTRA),
        "i_quantizers": streams.quantizers(array),
        **scales,
        RESULTS: streams.results(array),
    }


class PeArray(Component):
    """``array.rows`` x ``array.cols`` PEs of ``datapath``, output-stationary.

    Members are the streams of docs/hardware.md: ``i_activations``, ``i_weights``, ``i_scales`` (with
    a scale stage only), ``i_quantizers`` and ``o_results``; layouts in `stream_layouts`.
    """

    def __init__(self, datapath: IntegerDatapath, array: Array) -> None:
        self._datapath = datapath
        self._array = array
        self._feeder = implementation(datapath).Feeder(datapath, array)
        super().__init__(
            {
                name: (Out if name == RESULTS else In)(stream.Signature(layout))
                for name, layout in stream_layouts(datapath, array).items()
            }
        )

    @property
    def datapath(self) -> IntegerDatapath:
        """The datapath of every PE."""
        return self._datapath

    @property
    def array(self) -> Array:
        """How many PEs."""
        return self._array

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        m.submodules.control = control = Control(self._datapath, self._array)
        m.submodules.feeder = feeder = self._feeder
        queue = self._operands(m, control)
        m.d.comb += [
            feeder.weights.eq(queue.weights),
            feeder.advance.eq(control.advance),
            feeder.restart.eq(feeder.last),
            control.last_in_step.eq(feeder.last),
            control.last_in_group.eq(queue.last_in_group),
            control.last_in_tile.eq(queue.last_in_tile),
        ]
        self._results(m, control, self._elements(m, platform, control, queue.activations))
        return m

    def _operands(self, m: Module, control: Control) -> OperandQueue:
        """Steps from the streams to the columns."""
        m.submodules.operand_queue = queue = OperandQueue(self._datapath, self._array, self.i_weights.payload.shape())
        m.d.comb += [
            control.operands_valid.eq(self.i_activations.valid & self.i_weights.valid),
            self.i_activations.ready.eq(control.operands_ready & self.i_weights.valid),
            self.i_weights.ready.eq(control.operands_ready & self.i_activations.valid),
            queue.activations_in.eq(self.i_activations.payload),
            queue.weights_in.eq(self.i_weights.payload),
            queue.accept.eq(control.operands_ready & control.operands_valid),
            queue.finish.eq(control.add),
        ]
        return queue

    def _elements(
        self, m: Module, platform: Library | None, control: Control, activations: Sequence[Value]
    ) -> list[Value]:
        """The PEs; returns the shadow registers of the first row, where results leave."""
        columns = self._columns(m, control)
        group_sums = self._group_sums(m, platform, control, activations[0])

        # Upwards, because a PE's shadow register takes that of the PE below.
        shadows = [Const(0, signed(self._datapath.accumulator_bits))] * self._array.cols
        for r in reversed(range(self._array.rows)):
            pes = []
            for c, column in enumerate(columns):
                values = activations[c % len(activations)]["values"][r]
                inputs = {**column, **group_sums[r], "activations": values, "below": shadows[c]}
                pes.append(place(m, platform, f"pe_{r}_{c}", ProcessingElement, (self._datapath,), inputs))
            shadows = [pe.shadow for pe in pes]
        return shadows

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
        own = ["advance", "add", "first_in_tile"]
        if self._datapath.scale_stage:
            shared += ["apply"]
            own += ["first_in_group"]
        if self._datapath.serial_scale:
            shared += ["group_end", "first_bit", "scaling"]
        domains = len(control.add)
        columns = [
            {name: getattr(control, name) for name in shared}
            | {name: getattr(control, name)[c % domains] for name in own}
            | {"last": self._feeder.last[c % domains], "operand": self._feeder.operands[c]}
            for c in range(self._array.cols)
        ]
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
        for name, _ in scales.shape():
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
            *(requantizers.i.p.sums[c].eq(value) for c, value in enumerate(sums)),
            self.o_results.payload.eq(requantizers.o.payload),
            self.o_results.valid.eq(requantizers.o.valid),
            requantizers.o.ready.eq(self.o_results.ready),
        ]
        with m.If(control.move):
            m.d.sync += constants.eq(self.i_quantizers.payload)
