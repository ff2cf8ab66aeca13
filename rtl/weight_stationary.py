"""The weight-stationary array, for all datapaths (docs/hardware.md, Weight-stationary)."""

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath
from rtl.arithmetic import tree_sum
from rtl.array import StreamedArray
from rtl.library import Library, place
from rtl.pe import implementation
from rtl.requantizer import RequantizerRow
from rtl.stationary_control import PLACE, StationaryControl
from rtl.stationary_parts import Column, StationaryElement, activation_sum_shape


class WeightStationaryArray(StreamedArray):
    """``array.rows`` x ``array.cols`` PEs of ``datapath`` that keep their weights."""

    _datapath: IntegerDatapath

    def __init__(self, datapath: IntegerDatapath, array: Array) -> None:
        datapath.check_array(array)
        super().__init__(datapath, array)

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        m.submodules.control = control = StationaryControl(self._datapath, self._array)
        activations = self._operands(m, control)
        sums = self._elements(m, platform, control, activations["values"])
        totals = self._columns(m, platform, control, sums, self._activation_sum(m, control, activations["values"]))
        self._results(m, control, totals)
        return m

    def _operands(self, m: Module, control: StationaryControl) -> Value:
        """The operand register: one step's activations, and where it stands."""
        activations = Signal.like(self.i_activations.payload, name="activations", reset_less=True)
        m.d.comb += [
            control.operands_valid.eq(self.i_activations.valid),
            self.i_activations.ready.eq(control.operands_ready),
            *(control.place[name].eq(activations[name]) for name, _ in PLACE),
        ]
        with m.If(control.operands_ready & control.operands_valid):
            m.d.sync += activations.eq(self.i_activations.payload)
        return activations

    def _elements(
        self, m: Module, platform: Library | None, control: StationaryControl, activations: Value
    ) -> list[list[Value]]:
        """The PEs; returns their sums by column."""
        weights = self.i_weights.p
        m.d.comb += [
            control.weights_valid.eq(self.i_weights.valid),
            control.last_in_slice.eq(weights.last_in_slice),
            self.i_weights.ready.eq(control.weights_ready),
        ]
        common = {"swap": control.swap, "advance": control.advance, "last": control.done}
        common |= self._fields_in_use(m, control)
        begins = control.load & (control.row == 0)
        elements = [
            [
                place(
                    m, platform, f"pe_{r}_{c}", StationaryElement, (self._datapath,),
                    common | {
                        "weights": weights["values"][c], "activations": activations[r], "clear": begins,
                        "load": control.load & (control.row == r),
                    },
                )
                for r in range(self._array.rows)
            ]
            for c in range(self._array.cols)
        ]  # fmt: skip
        m.d.comb += control.done.eq(Cat(pe.done for column in elements for pe in column).all())
        return [[pe.sum for pe in column] for column in elements]

    def _fields_in_use(self, m: Module, control: StationaryControl) -> dict[str, Value]:
        """The datapath's run-time fields, in two banks like the weights."""
        fields = {}
        for name, shape in implementation(self._datapath).Feeder.fields(self._datapath, self._array).items():
            loaded, fields[name] = Signal(shape, name=f"{name}_loaded"), Signal(shape, name=name)
            with m.If(control.load):
                m.d.sync += loaded.eq(self.i_weights.p[name])
            with m.If(control.swap):
                m.d.sync += fields[name].eq(loaded)
        return fields

    def _activation_sum(self, m: Module, control: StationaryControl, activations: Value) -> Value:
        """The sum of a step's activations, beside the columns' sums of its products."""
        if not self._datapath.offset_bits:
            return Const(0)
        rows = [tree_sum(list(lanes)) for lanes in activations]
        registers = [Signal.like(row, name=f"row_sum_{r}", reset_less=True) for r, row in enumerate(rows)]
        total = Signal(activation_sum_shape(self._datapath, self._array), name="activation_sum", reset_less=True)
        with m.If(control.advance & control.done):
            m.d.sync += [register.eq(row) for register, row in zip(registers, rows, strict=True)]
        with m.If(control.add):
            m.d.sync += total.eq(tree_sum(registers))
        return total

    def _columns(
        self, m: Module, platform: Library | None, control: StationaryControl, sums: list[list[Value]],
        activation_sum: Value,
    ) -> list[Value]:  # fmt: skip
        """The columns; returns the totals of the tile's row that they hold."""
        names = ("add", "address", "first_slice", "store", "store_address")
        common = {name: getattr(control, name) for name in names}
        if self._datapath.offset_bits:
            common["activation_sum"] = activation_sum
        columns: list[dict[str, Value]] = [{**common, "sums": Cat(each)} for each in sums]
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
        placed: list[Column | SimpleNamespace] = [
            place(m, platform, f"column_{c}", Column, (self._datapath, self._array), inputs)
            for c, inputs in enumerate(columns)
        ]
        return [column.total for column in placed]

    def _results(self, m: Module, control: StationaryControl, totals: list[Value]) -> None:
        """Through the requantizers, which see the totals of last slices only: others would switch them in vain."""
        constants = Signal.like(self.i_quantizers.payload, name="constants", reset_less=True)
        m.submodules.requantizers = requantizers = RequantizerRow(self._datapath, self._array)
        m.d.comb += [
            control.quantizers_valid.eq(self.i_quantizers.valid),
            self.i_quantizers.ready.eq(control.quantizers_ready),
            control.row_ready.eq(requantizers.i.ready),
            requantizers.i.valid.eq(control.row_valid),
            requantizers.i.p.last.eq(control.row_last),
            requantizers.i.p.constants.eq(constants),
            *(requantizers.i.p.sums[c].eq(Mux(control.row_valid, value, 0)) for c, value in enumerate(totals)),
            self.o_results.payload.eq(requantizers.o.payload),
            self.o_results.valid.eq(requantizers.o.valid),
            requantizers.o.ready.eq(self.o_results.ready),
        ]
        with m.If(control.quantizers_ready & control.quantizers_valid):
            m.d.sync += constants.eq(self.i_quantizers.payload)
