"""The streams of the crossbar array: payload layouts, in the order and widths of docs/hardware.md."""

from amaranth.hdl import signed
from amaranth.lib import data

from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from rtl.streams import RESULTS


def threshold_bits(datapath: Rram) -> int:
    """Signed bits of a column's sum and of the threshold one above its largest."""
    return (datapath.rows + 1).bit_length() + 1


def reference(datapath: Rram) -> data.StructLayout:
    """What a column's current is compared with; whether the decision is inverted."""
    return data.StructLayout({"threshold": signed(threshold_bits(datapath)), "invert": 1})


def currents(datapath: Rram) -> data.ArrayLayout:
    """What the sense amplifiers of one crossbar see, in currents of one cell."""
    amplifiers = -(-datapath.cols // datapath.columns_per_sense)
    return data.ArrayLayout(signed(threshold_bits(datapath)), amplifiers)


def cell() -> data.StructLayout:
    """One weight: 1 for +1; per cell of its pair, whether it is stuck."""
    return data.StructLayout({"weight": 1, "stuck_off": 2, "stuck_on": 2})


def stream_layouts(datapath: Rram, array: Array) -> dict[str, data.StructLayout]:
    """The payload layout of each stream, inputs and results."""
    groups = datapath.groups(array)
    group, row = range(groups), range(datapath.rows)
    return {
        "i_cells": data.StructLayout(
            {"cells": data.ArrayLayout(cell(), array.cols), "group": group, "row": row, "last": 1}
        ),
        "i_references": data.StructLayout(
            {
                "columns": data.ArrayLayout(reference(datapath), array.cols), "group": group,
                "groups": range(1, groups + 1), "last": 1,
            }
        ),
        "i_vectors": data.StructLayout(
            {"bits": groups * datapath.rows, "last_in_window": 1, "reload": 1}
        ),
        RESULTS: data.StructLayout({"values": data.ArrayLayout(1, array.cols), "last": 1}),
    }  # fmt: skip
