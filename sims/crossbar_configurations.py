"""The crossbar arrays that simulator and RTL are compared on."""

import random
from collections.abc import Iterator
from typing import Any

from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from sims.configuration import QUICK_DRAWN, Configuration

DRAWN = 20
"""Small ones, drawn at random."""


def configurations() -> Iterator[Configuration]:
    """Ten for Verilator, twenty drawn ones for Amaranth's simulator."""

    def on_verilator(name: str, size: tuple[int, int], quick: bool = False, **fields: Any) -> Configuration:
        return Configuration(
            name=f"rram-{name}", datapath=Rram(**fields), array=_crossbars(*size), engine="verilator",
            quick=quick, network=name.startswith("network"),
        )  # fmt: skip

    differential = {"mapping": "differential"}
    yield on_verilator("network", (288, 32), quick=True, rows=288, cols=32)
    yield on_verilator("network-whole", (1024, 16), rows=1024, cols=16, columns_per_sense=4)
    yield on_verilator("network-128", (1024, 32), rows=128, cols=16, columns_per_sense=4)
    yield on_verilator("network-64", (1024, 32), rows=64, cols=32, columns_per_sense=8, **differential)
    yield on_verilator("single", (1, 1), rows=1, cols=1, drive_cycles=0, read_cycles=1)
    yield on_verilator("fast", (24, 8), quick=True, rows=8, cols=8, drive_cycles=0, read_cycles=1)
    yield on_verilator("differential", (40, 6), quick=True, rows=10, cols=4, columns_per_sense=2, **differential)
    yield on_verilator("ragged", (33, 13), rows=7, cols=5, columns_per_sense=3, sense_cycles=3)
    yield on_verilator("deep", (128, 4), rows=4, cols=4, **differential)
    yield on_verilator("slow", (16, 8), rows=16, cols=8, columns_per_sense=8, drive_cycles=5, read_cycles=9)
    for number in range(DRAWN):
        draw = random.Random(number)
        rows, cols = draw.randint(1, 9), draw.randint(1, 6)
        datapath = Rram(
            rows=rows, cols=cols, mapping=draw.choice(("xnor", "differential")),
            columns_per_sense=draw.randint(1, cols), drive_cycles=draw.randint(0, 2),
            read_cycles=draw.randint(1, 3), sense_cycles=draw.randint(1, 2),
        )  # fmt: skip
        array = _crossbars(draw.randint(1, 5 * rows), draw.randint(1, 2 * cols + 1))
        yield Configuration(
            name=f"rram-drawn-{number:02}", datapath=datapath, array=array, engine="amaranth",
            quick=number < QUICK_DRAWN,
        )  # fmt: skip


def _crossbars(rows: int, cols: int) -> Array:
    return Array(rows=rows, cols=cols, dataflow="weight_stationary")
