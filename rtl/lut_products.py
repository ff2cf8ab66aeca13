"""Product tables instead of multipliers: a row chooses by its activation, a column by its weight's code."""

from typing import Any

import numpy as np
from amaranth.hdl import Module, Shape, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.lut_products import LutProducts
from hwsim.qtensor import QTensor
from rtl.arithmetic import tree_sum
from rtl.attribution import Share
from rtl.library import Library, place
from rtl.operands import OperandQueue, feeder_members

SHARES = (
    Share(component="lut_products.pe", action="look_up", parts=("dot",)),
    Share(component="lut_products.pe", action="accumulate", parts=("pe",)),
    Share(component="lut_products.pe", action="scale"),
    Share(component="lut_products.pe", action="clock", clocks=("dot", "pe")),
    Share(component="lut_products.row", action="select", parts=("choice",)),
    Share(component="lut_products.table", action="write", parts=("feeder",)),
    Share(component="lut_products.table", action="clock", clocks=("feeder",)),
)
"""Whose energy is which event's."""


def products(datapath: LutProducts) -> data.ArrayLayout:
    """The products of one activation with all that a weight's code can stand for."""
    return data.ArrayLayout(signed(datapath.product_bits), 1 << datapath.weight_bits)


def table(datapath: LutProducts) -> data.ArrayLayout:
    """The products of all activations, by their bits."""
    return data.ArrayLayout(products(datapath), 1 << datapath.activation_bits)


def tables(datapath: LutProducts, array: Array) -> data.StructLayout:
    """A beat of the tables' stream: one table for each set of readers."""
    return data.StructLayout({"tables": data.ArrayLayout(table(datapath), array.cols // datapath.sharing(array))})


def table_fields(datapath: LutProducts, array: Array, w: QTensor, columns: np.ndarray) -> dict[str, Any]:
    """Fields of the tables' beats of each column tile and group, of channels int[tiles, cols]."""
    chosen = np.moveaxis(datapath.products(w)[columns[:, :: datapath.sharing(array)]], 2, 1)
    return {"tables": chosen.reshape(-1, *chosen.shape[2:])}


class Choice(Component):
    """The products of a row's activations, of one set of readers.

    Members:
        activations: the step's lanes.
        entries: of the table of the step's group.
        products: of each lane.
    """

    def __init__(self, datapath: LutProducts) -> None:
        self._datapath = datapath
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)),
                "entries": In(table(datapath)),
                "products": Out(data.ArrayLayout(products(datapath), datapath.lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for chosen, activation in zip(self.products, self.activations, strict=True):
            m.d.comb += chosen.eq(self.entries[activation.as_unsigned()])
        return m


class Source:
    """The products of every row's activations."""

    def __init__(
        self, m: Module, platform: Library | None, datapath: LutProducts, array: Array, queue: OperandQueue,
        position: Value, feeder: "Feeder",
    ) -> None:  # fmt: skip
        self._sharing = datapath.sharing(array)
        self._products: list[list[Value]] = []
        for r, values in enumerate(queue.activations[0]["values"]):
            self._products.append([])
            for i, each in enumerate(feeder.tables):
                inputs = {"activations": values, "entries": each}
                choice = place(m, platform, f"choice_{r}_{i}", Choice, (datapath,), inputs, clocked=False)
                self._products[-1].append(choice.products)

    def inputs(self, row: int, column: int) -> dict[str, Value]:
        """What the PE at ``row`` and ``column`` works on."""
        return {"products": self._products[row][column // self._sharing]}


class Feeder(Component):
    """From the operand register's codes to the columns, and the tables of the group; shared by all rows.

    Members: those of `rtl.operands.feeder_members`; and:
        loaded, load: the tables of the group that starts with the next step; it is taken.
        tables: of the step's group.
    """

    @staticmethod
    def fields(datapath: LutProducts, array: Array) -> dict[str, Shape]:
        """Run-time fields of a weights beat beyond those of every datapath."""
        return {}

    @staticmethod
    def extra(datapath: LutProducts, w: QTensor) -> dict[str, int]:
        """`fields` for weights ``w``."""
        return {}

    def __init__(self, datapath: LutProducts, array: Array) -> None:
        layout = tables(datapath, array)
        own = {"loaded": In(layout), "load": In(1), "tables": Out(layout["tables"].shape)}
        super().__init__(feeder_members(datapath, array, self.fields(datapath, array), operand(datapath), **own))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal.like(self.tables, name="tables_held", reset_less=True)
        m.d.comb += [self.last.eq(1), self.tables.eq(held)]
        with m.If(self.load):
            m.d.sync += held.eq(self.loaded.tables)
        for column, codes in zip(self.operands, self.weights["values"], strict=True):
            m.d.comb += [each.eq(code.as_unsigned()) for each, code in zip(column, codes, strict=True)]
        return m


def operand(datapath: LutProducts) -> data.ArrayLayout:
    """What a column broadcasts to its PEs in a cycle: its weights' codes."""
    return data.ArrayLayout(datapath.weight_bits, datapath.lanes)


class Dot(Component):
    """A PE's arithmetic: the exact sum of the products that its codes choose.

    Members:
        products: of the row's lanes.
        operand: the column's operand of this cycle.
        advance: the cycle counts.
        last: this is the step's last cycle.
        step: the sum of the step.
    """

    def __init__(self, datapath: LutProducts) -> None:
        super().__init__(
            {
                "products": In(data.ArrayLayout(products(datapath), datapath.lanes)),
                "operand": In(operand(datapath)),
                "advance": In(1),
                "last": In(1),
                "step": Out(signed(datapath.step_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chosen = [row[code] for row, code in zip(self.products, self.operand, strict=True)]
        m.d.comb += self.step.eq(tree_sum(chosen))
        return m
