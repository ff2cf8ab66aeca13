"""The array's streams: payload layouts, in the order and widths of docs/hardware.md.

Where the dataflows differ, ``array.dataflow`` says which layout it is.
"""

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.floating import FloatDatapath

RESULTS = "o_results"
"""The one output stream of any array."""
RESULT_BITS = 32
EXPONENT = signed(10)
"""The power of two that brings a tile's floating-point sums to integers."""
Layout = data.StructLayout


def activations(datapath: ArrayDatapath, array: Array) -> data.StructLayout:
    """One step: rows x lanes activations."""
    row = data.ArrayLayout(_operand(datapath, 0), datapath.lanes)
    place = ("last_in_pass", "first_slice", "last_slice") if array.weight_stationary else ()
    return data.StructLayout({"values": data.ArrayLayout(row, array.rows), **dict.fromkeys(place, 1)})


def weights(datapath: ArrayDatapath, array: Array, extra: dict[str, unsigned] | None = None) -> data.StructLayout:
    """One step, or one array row of a slice: cols x lanes weights; ``extra`` run-time fields of a datapath."""
    column = data.ArrayLayout(_operand(datapath, 1), datapath.lanes)
    ends = ("last_in_slice",) if array.weight_stationary else ("last_in_group", "last_in_tile")
    return data.StructLayout(
        {"values": data.ArrayLayout(column, array.cols), **dict.fromkeys(ends, 1), **(extra or {})}
    )


def _operand(datapath: ArrayDatapath, which: int) -> Shape:
    """Shape of an activation (0) or a weight (1): a signed integer, or a code."""
    bits = datapath.operand_bits[which]
    return signed(bits) if datapath.operand_kind == "integer" else unsigned(bits)


def scales(datapath: ArrayDatapath, array: Array) -> data.StructLayout:
    """One group or slice: scale and offset per column, as far as the datapath has them."""
    fields = {}
    if datapath.scale_bits:
        scale: signed | data.ArrayLayout = signed(datapath.scale_bits)
        if datapath.scales_per_group > 1:
            scale = data.ArrayLayout(scale, datapath.scales_per_group)
        fields["scale"] = data.ArrayLayout(scale, array.cols)
    if datapath.offset_bits:
        fields["offset"] = data.ArrayLayout(signed(datapath.offset_bits), array.cols)
    return data.StructLayout(fields)


def quantizers(datapath: ArrayDatapath, array: Array) -> data.StructLayout:
    """One tile, or one pass of its sums: what the requantizers need, and output-stationary how many rows to drain.

    ``exponent`` brings floating-point sums to integers.
    """
    column = data.StructLayout({"bias": signed(RESULT_BITS), "multiplier": 31, "shift": 6, "invert": 1})
    return data.StructLayout(
        {
            "columns": data.ArrayLayout(column, array.cols),
            "low": signed(RESULT_BITS),
            "high": signed(RESULT_BITS),
            "threshold": 1,
            **({} if array.weight_stationary else {"rows": range(array.rows + 1)}),
            **({"last_pass": 1} if datapath.repeats_results else {}),
            **({"exponent": EXPONENT} if isinstance(datapath, FloatDatapath) else {}),
        }
    )


def results(array: Array) -> data.StructLayout:
    """One result row."""
    return data.StructLayout({"values": data.ArrayLayout(signed(RESULT_BITS), array.cols), "last": 1})
