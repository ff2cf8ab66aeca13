"""The array's streams: payload layouts, in the order and widths of docs/hardware.md.

Where the dataflows differ, ``array.dataflow`` says which layout it is.
"""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath

RESULTS = "o_results"
"""The one output stream of any array."""
RESULT_BITS = 32
Layout = data.StructLayout


def activations(datapath: IntegerDatapath, array: Array) -> data.StructLayout:
    """One step: rows x lanes activations."""
    row = data.ArrayLayout(signed(datapath.activation_bits), datapath.lanes)
    place = ("last_in_pass", "first_slice", "last_slice") if array.weight_stationary else ()
    return data.StructLayout({"values": data.ArrayLayout(row, array.rows), **dict.fromkeys(place, 1)})


def weights(datapath: IntegerDatapath, array: Array, extra: dict[str, unsigned] | None = None) -> data.StructLayout:
    """One step, or one array row of a slice: cols x lanes weights; ``extra`` run-time fields of a datapath."""
    column = data.ArrayLayout(signed(datapath.weight_bits), datapath.lanes)
    ends = ("last_in_slice",) if array.weight_stationary else ("last_in_group", "last_in_tile")
    return data.StructLayout(
        {"values": data.ArrayLayout(column, array.cols), **dict.fromkeys(ends, 1), **(extra or {})}
    )


def scales(datapath: IntegerDatapath, array: Array) -> data.StructLayout:
    """One group or slice: scale and offset per column, as far as the datapath has them."""
    fields = {}
    if datapath.scale_bits:
        fields["scale"] = data.ArrayLayout(signed(datapath.scale_bits), array.cols)
    if datapath.offset_bits:
        fields["offset"] = data.ArrayLayout(signed(datapath.offset_bits), array.cols)
    return data.StructLayout(fields)


def quantizers(array: Array) -> data.StructLayout:
    """One tile: what the requantizers need, and output-stationary how many rows to drain."""
    column = data.StructLayout({"bias": signed(RESULT_BITS), "multiplier": 31, "shift": 6, "invert": 1})
    return data.StructLayout(
        {
            "columns": data.ArrayLayout(column, array.cols),
            "low": signed(RESULT_BITS),
            "high": signed(RESULT_BITS),
            "threshold": 1,
            **({} if array.weight_stationary else {"rows": range(array.rows + 1)}),
        }
    )


def results(array: Array) -> data.StructLayout:
    """One result row."""
    return data.StructLayout({"values": data.ArrayLayout(signed(RESULT_BITS), array.cols), "last": 1})
