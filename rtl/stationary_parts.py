"""What a weight-stationary array has many of: PEs that keep weights, columns that accumulate."""

from amaranth.hdl import Module, Mux, Shape, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath
from rtl.arithmetic import overflow, tree_sum
from rtl.pe import implementation

ONE = Array(rows=1, cols=1)
"""A PE feeds itself, as an array of one does."""


class StationaryElement(Component):
    """A PE: two banks of weights, one to load and one in use, and the sum of a step.

    Members:
        weights: of the column's next array row to load.
        load, clear: the bank to load takes them; it becomes 0.
        swap: it comes into use.
        activations: the step's lanes.
        advance: the cycle counts.
        last: this is the step's last cycle, for all PEs.
        done: this PE needs no further cycle.
        sum: of the step before.

    Beside them the datapath's run-time fields of the weights in use.
    """

    def __init__(self, datapath: IntegerDatapath) -> None:
        self._feeder = implementation(datapath).Feeder(datapath, ONE)
        self._dot = implementation(datapath).Dot(datapath)
        self._extra = implementation(datapath).Feeder.fields(datapath, ONE)
        super().__init__(
            {
                "weights": In(data.ArrayLayout(signed(datapath.weight_bits), datapath.lanes)),
                **{name: In(1) for name in ("load", "clear", "swap", "advance", "last")},
                **{name: In(shape) for name, shape in self._extra.items()},
                "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)),
                "done": Out(1),
                "sum": Out(signed(datapath.step_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.feeder = feeder = self._feeder
        m.submodules.dot = dot = self._dot
        m.submodules.weights = weights = WeightRegister(len(self.weights.as_value()))
        m.d.comb += [
            weights.i.eq(self.weights),
            *(getattr(weights, name).eq(getattr(self, name)) for name in ("load", "clear", "swap")),
            feeder.weights["values"][0].eq(weights.o),
            *(feeder.weights[name].eq(getattr(self, name)) for name in self._extra),
            feeder.advance.eq(self.advance),
            feeder.restart.eq(self.last),
            self.done.eq(feeder.last),
            dot.activations.eq(self.activations),
            dot.operand.eq(feeder.operands[0]),
            dot.advance.eq(self.advance),
            dot.last.eq(self.last),
        ]
        total = Signal.like(self.sum, reset_less=True)
        m.d.comb += self.sum.eq(total)
        with m.If(self.advance & self.last):
            m.d.sync += total.eq(dot.step)
        return m


class WeightRegister(Component):
    """Two banks of ``bits`` bits: ``i`` loads into one (``clear`` makes it 0), ``swap`` hands it to the one in use."""

    def __init__(self, bits: int) -> None:
        super().__init__({"i": In(bits), **{name: In(1) for name in ("load", "clear", "swap")}, "o": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        loaded = Signal.like(self.i, reset_less=True)
        used = Signal.like(self.o, reset_less=True)
        m.d.comb += self.o.eq(used)
        with m.If(self.load):
            m.d.sync += loaded.eq(self.i)
        with m.Elif(self.clear):
            m.d.sync += loaded.eq(0)
        with m.If(self.swap):
            m.d.sync += used.eq(loaded)
        return m


class Column(Component):
    """Adds the sums of a column's PEs, scaled, to what the accumulator buffer has of the same output.

    Members:
        sums: of the PEs.
        add, address: the column's register takes their sum, the buffer is read; of this row of the tile.
        first_slice: of the sum in the register: nothing is in the buffer yet.
        store, store_address: the buffer takes ``total``.
        total: of that sum and the buffer's word.

    With a scale stage ``scale``, ``offset`` and ``activation_sum`` of that sum, as far as the datapath has them.
    """

    def __init__(self, datapath: IntegerDatapath, array: Array) -> None:
        self._datapath = datapath
        self._array = array
        members = {
            "sums": In(data.ArrayLayout(signed(datapath.step_bits), array.rows)),
            "add": In(1),
            "address": In(range(array.accumulator_rows)),
            "first_slice": In(1),
            "store": In(1),
            "store_address": In(range(array.accumulator_rows)),
            "total": Out(signed(datapath.accumulator_bits)),
        }
        if datapath.scale_bits:
            members["scale"] = In(signed(datapath.scale_bits))
        if datapath.offset_bits:
            members["offset"] = In(signed(datapath.offset_bits))
            members["activation_sum"] = In(activation_sum_shape(datapath, array))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        datapath = self._datapath
        m.submodules.buffer = buffer = Memory(
            shape=signed(datapath.accumulator_bits), depth=self._array.accumulator_rows, init=[]
        )
        write = buffer.write_port()
        read = buffer.read_port(transparent_for=[write])
        total = tree_sum(list(self.sums))
        partial = Signal.like(total, reset_less=True)
        with m.If(self.add):
            m.d.sync += partial.eq(total)
        addend = partial * self.scale if datapath.scale_bits else partial
        if datapath.offset_bits:
            addend = addend + self.offset * self.activation_sum
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(self.add),
            write.addr.eq(self.store_address),
            write.data.eq(self.total),
            write.en.eq(self.store),
            self.total.eq(overflow(m, Mux(self.first_slice, 0, read.data) + addend, len(self.total), "wrap")),
        ]
        return m


def activation_sum_shape(datapath: IntegerDatapath, array: Array) -> Shape:
    """Of the exact sum of a slice's activations."""
    return signed(datapath.activation_bits + (array.rows * datapath.lanes - 1).bit_length())
