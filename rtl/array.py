"""The output-stationary array, for all datapaths, and the streams of any (docs/hardware.md)."""

from amaranth.hdl import Const, Module, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath
from rtl import streams
from rtl.accumulator import GroupSum
from rtl.control import Control
from rtl.library import Library, place
from rtl.pe import ProcessingElement, implementation
from rtl.requantizer import RequantizerRow

RESULTS = "o_results"
"""The array's one output stream."""


def stream_layouts(datapath: IntegerDatapath, array: Array) -> dict[str, data.StructLayout]:
    """The payload layout of each stream of the array of any dataflow, inputs and results."""
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
        activations = self._operands(m, control)
        m.d.comb += [
            feeder.advance.eq(control.advance),
            feeder.restart.eq(feeder.last),
            control.last_in_step.eq(feeder.last),
            control.last_in_group.eq(feeder.weights.last_in_group),
            control.last_in_tile.eq(feeder.weights.last_in_tile),
        ]
        self._results(m, control, self._elements(m, platform, control, activations))
        return m

    def _operands(self, m: Module, control: Control) -> Value:
        """The operand register: one step's activations (returned) and weights (given to the feeder)."""
        activations = Signal.like(self.i_activations.payload, name="activations", reset_less=True)
        weights = Signal.like(self.i_weights.payload, name="weights", reset_less=True)
        m.d.comb += [
            control.operands_valid.eq(self.i_activations.valid & self.i_weights.valid),
            self.i_activations.ready.eq(control.operands_ready & self.i_weights.valid),
            self.i_weights.ready.eq(control.operands_ready & self.i_activations.valid),
            self._feeder.weights.eq(weights),
        ]
        with m.If(control.operands_ready & control.operands_valid):
            m.d.sync += [activations.eq(self.i_activations.payload), weights.eq(self.i_weights.payload)]
        return activations

    def _elements(self, m: Module, platform: Library | None, control: Control, activations: Value) -> list[Value]:
        """The PEs; returns the shadow registers of the first row, where results leave."""
        columns = self._columns(m, control)
        signals = ["advance", "add", "first_in_tile", "move", "shift"]
        if self._datapath.scale_stage:
            signals += ["first_in_group", "apply"]
        broadcast = {name: getattr(control, name) for name in signals} | {"last": self._feeder.last}

        # Upwards, because a PE's shadow register takes that of the PE below.
        shadows = [Const(0, signed(self._datapath.accumulator_bits))] * self._array.cols
        for r, row in reversed(list(enumerate(self._rows(m, platform, control, activations)))):
            pes = []
            for c, column in enumerate(columns):
                inputs = {**broadcast, **row, **column, "below": shadows[c]}
                pes.append(place(m, platform, f"pe_{r}_{c}", ProcessingElement, (self._datapath,), inputs))
            shadows = [pe.shadow for pe in pes]
        return shadows

    def _rows(
        self, m: Module, platform: Library | None, control: Control, activations: Value
    ) -> list[dict[str, Value]]:
        """What each row broadcasts to its PEs: activations and their sum."""
        rows = [{"activations": values} for values in activations["values"]]
        if self._datapath.offset_bits:
            for r, row in enumerate(rows):
                inputs = {**row, "add": control.add, "first_in_group": control.first_in_group}
                group_sum = place(m, platform, f"group_sum_{r}", GroupSum, (self._datapath,), inputs)
                row["group_sum"] = group_sum.value
        return rows

    def _columns(self, m: Module, control: Control) -> list[dict[str, Value]]:
        """What each column broadcasts to its PEs: operands, scales and offsets."""
        columns = [{"operand": self._feeder.operands[c]} for c in range(self._array.cols)]
        if self._datapath.scale_stage:
            scales = Signal.like(self.i_scales.payload, name="scales", reset_less=True)
            m.d.comb += [
                control.scales_valid.eq(self.i_scales.valid),
                self.i_scales.ready.eq(control.scales_ready),
            ]
            with m.If(control.scales_ready & control.scales_valid):
                m.d.sync += scales.eq(self.i_scales.payload)
            for name, _ in scales.shape():
                for c, column in enumerate(columns):
                    column[name] = scales[name][c]
        return columns

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
