"""Designs in a few words."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from hwsim.datapath import Array, Datapath
from hwsim.design import Design, Dram, Sram
from hwsim.points import Points, join

SAID = ("lanes", "scheme", "weight_bits", "skip")
"""Parameters that a label tells in its own way."""


def label(design: Design) -> str:
    """A design in a few words: datapath, array, buffers, clock."""
    return labels(Points.of([design]))[0].as_py()


def labels(points: Points) -> pa.Array:
    """Each design in a few words."""
    parts, codes = [], []
    for names, text in (
        (("datapath", "array"), _array),
        (("activation_buffer", "weight_buffer", "output_buffer"), _buffers),
        (("clock_mhz", "dram", "overrides"), _rest),
    ):
        found, which = points.distinct(*names)
        parts.append([text(*values) for values in found])
        codes.append(which.astype(np.int32))
    return join(parts, codes, ", ")


def _array(path: Datapath, array: Array) -> str:
    options = [str(getattr(path, name)) for name in ("scheme",) if hasattr(path, name)]
    if hasattr(path, "weight_bits"):
        options.append(f"w{path.weight_bits}")
    if getattr(path, "skip", "none") != "none":
        options.append(f"skip {path.skip}")  # type: ignore[attr-defined]
    options += _chosen(path)
    size = f"{array.rows}x{array.cols}"
    if hasattr(path, "lanes"):
        size += f"x{path.lanes}"
    if array.weight_stationary:
        size += f" weight-stationary {array.accumulator_rows}"
    return f"{' '.join([path.name(), *options])} {size}"


def _buffers(*buffers: Sram | None) -> str:
    return "/".join(f"{sram.kib:g}" for sram in buffers if sram is not None) + " KiB"


def _rest(clock_mhz: float, dram: Dram, overrides: tuple) -> str:
    extra = "" if dram == Dram() else f", {dram.type} {dram.bandwidth_gb_s:g} GB/s"
    return f"{clock_mhz:g} MHz{extra}" + (" + overrides" if overrides else "")


def _chosen(datapath: Datapath) -> Iterator[str]:
    """The other parameters of a datapath that are not its defaults, in words."""
    for field in dataclasses.fields(datapath):
        value = getattr(datapath, field.name)
        if value != field.default and field.name not in SAID:
            yield f"{field.name} {value}".replace("_", " ")
