"""Tables of signed sums of activations: one row's, for the columns that share them."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.lut import Lut
from hwsim.table_build import Term
from rtl.arithmetic import tree_sum
from rtl.library import Library, place
from rtl.operands import OperandQueue

CONSTANT = signed(10)
"""Shape of the factor of a step's sum of activations."""


def tables(datapath: Lut) -> data.StructLayout:
    """A row's tables of one step, each with the power of two that its entries are rounded to, if they are."""
    count = datapath.lanes // datapath.mu
    entry = data.ArrayLayout(signed(datapath.entry_bits), len(datapath.table_build.entries))
    shifts = {"shifts": data.ArrayLayout(datapath.shift_bits, count)} if datapath.shift_bits else {}
    return data.StructLayout({"entries": data.ArrayLayout(entry, count), **shifts})


class SumTable(Component):
    """The table of ``mu`` activations.

    Members:
        activations: of the step that comes next.
        write: its table is complete with this cycle; the last one has been read.
        position: the cycle, where one adder builds the table.
        entries, shift: of the step that is read (entry e stands for ``entries[e] << shift``).
    """

    def __init__(self, datapath: Lut) -> None:
        self._datapath = datapath
        self._build = datapath.table_build
        members = {
            "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.mu)),
            "write": In(1),
            "entries": Out(data.ArrayLayout(signed(datapath.entry_bits), len(self._build.entries))),
        }
        if datapath.build_cycles:
            members["position"] = In(range(datapath.build_cycles))
        if datapath.shift_bits:
            members["shift"] = Out(datapath.shift_bits)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sums = self._one_adder(m) if self._datapath.build_cycles else self._all_adders(m)
        entries = Signal.like(self.entries, name="entries_held", reset_less=True)
        m.d.comb += self.entries.eq(entries)
        if self._datapath.shift_bits:
            sums, shift = self._rounded(m, sums)
            held = Signal.like(self.shift, name="shift_held", reset_less=True)
            m.d.comb += self.shift.eq(held)
            with m.If(self.write):
                m.d.sync += held.eq(shift)
        with m.If(self.write):
            m.d.sync += [entry.eq(value) for entry, value in zip(entries, sums, strict=True)]
        return m

    def _node(self, name: str) -> Signal:
        return Signal(signed(self._datapath.exact_entry_bits), name=name)

    def _all_adders(self, m: Module) -> list[Value]:
        """An adder per addition."""
        nodes: list[Value] = list(self.activations)
        for i, (a, b) in enumerate(self._build.additions):
            node = self._node(f"sum_{i}")
            m.d.comb += node.eq(_term(nodes, a) + _term(nodes, b))
            nodes.append(node)
        return [_term(nodes, term) for term in self._build.entries]

    def _one_adder(self, m: Module) -> list[Value]:
        """An addition per cycle, each result into a register of its own; the last one is used at once."""
        additions = self._build.additions
        results = [self._node(f"next_{i}") for i in range(len(additions))]
        nodes: list[Value] = [*self.activations, *results]
        a, b, total = self._node("a"), self._node("b"), self._node("total")
        m.d.comb += total.eq(a + b)
        with m.Switch(self.position):
            for i, (left, right) in enumerate(additions):
                with m.Case(i):
                    m.d.comb += [a.eq(_term(nodes, left)), b.eq(_term(nodes, right))]
                    m.d.sync += results[i].eq(total)
        if additions:
            nodes[-1] = total
        return [_term(nodes, term) for term in self._build.entries]

    def _rounded(self, m: Module, sums: list[Value]) -> tuple[list[Value], Value]:
        """Entries of 8 bits, and the power of two that brings the largest possible one below 2**7."""
        bits, top = self._datapath.entry_bits, self._datapath.shift_bits
        magnitude = Signal(range((self._datapath.mu << (self._datapath.activation_bits - 1)) + 1))
        shift = Signal(top)
        m.d.comb += magnitude.eq(tree_sum([Mux(x < 0, -x, x) for x in self.activations]))
        for i in range(1, len(magnitude) - bits + 2):
            with m.If((magnitude >> (bits + i - 2)).any()):
                m.d.comb += shift.eq(i)
        half = Signal(range(1 << len(magnitude)))
        m.d.comb += half.eq((Const(1) << shift) >> 1)
        limit = (1 << (bits - 1)) - 1
        rounded = []
        count = len(sums)
        full = self._datapath.table == "full"
        for e, value in enumerate(sums[count // 2 :] if full else sums):
            near = Signal(signed(len(value) + 1), name=f"rounded_{e}")
            m.d.comb += near.eq((value + half) >> shift)
            rounded.append(Mux(near > limit, limit, Mux(near < -limit, -limit, near)))
        if full:
            rounded = [-value for value in reversed(rounded)] + rounded
        return rounded, shift


def _term(nodes: list[Value], term: Term) -> Value:
    value = nodes[term.node] << term.shift
    return value if term.sign > 0 else -value


def step_sum(datapath: Lut) -> Shape:
    """Shape of a step's sum of activations times the constant."""
    return signed(CONSTANT.width + datapath.activation_bits + (datapath.lanes - 1).bit_length())


class StepSum(Component):
    """The sum of a row's activations of one step times a constant, that of the weights' planes.

    Members:
        activations, constant: of the step that comes next.
        write: as of `SumTable`.
        value: the product, of the step that is read.
    """

    def __init__(self, datapath: Lut) -> None:
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)),
                "constant": In(CONSTANT),
                "write": In(1),
                "value": Out(step_sum(datapath)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = Signal.like(self.value, reset_less=True)
        m.d.comb += self.value.eq(value)
        with m.If(self.write):
            m.d.sync += value.eq(tree_sum(list(self.activations)) * self.constant)
        return m


class SumTables:
    """The tables of all rows: one set for ``readers`` columns."""

    def __init__(
        self, m: Module, platform: Library | None, datapath: Lut, array: Array, queue: OperandQueue, position: Value
    ) -> None:
        self._readers = datapath.sharing(array)
        shared: dict[str, Value] = {"write": queue.accept}
        position = {"position": position} if datapath.build_cycles else {}
        sets = array.cols // self._readers
        self._tables = [
            [Signal(tables(datapath), name=f"tables_{r}_{i}") for i in range(sets)] for r in range(array.rows)
        ]
        self._sums: list[Value] = []
        for r in range(array.rows):
            values = queue.activations_in["values"][r]
            inputs = {**shared, "activations": values, "constant": queue.weights_in.constant}
            self._sums.append(place(m, platform, f"step_sum_{r}", StepSum, (datapath,), inputs).value)
            for i, t in ((i, t) for i in range(sets) for t in range(datapath.lanes // datapath.mu)):
                lanes = data.View(
                    data.ArrayLayout(signed(datapath.activation_bits), datapath.mu),
                    values.as_value()[t * datapath.mu * datapath.activation_bits :][
                        : datapath.mu * datapath.activation_bits
                    ],
                )
                inputs = {**shared, **position, "activations": lanes}
                table = place(m, platform, f"table_{r}_{i}_{t}", SumTable, (datapath,), inputs)
                m.d.comb += self._tables[r][i].entries[t].eq(table.entries)
                if datapath.shift_bits:
                    m.d.comb += self._tables[r][i].shifts[t].eq(table.shift)

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """What the PE at ``row`` and ``column`` works on."""
        return {"tables": self._tables[row][column // self._readers], "step_sum": self._sums[row]}
