"""Designs in a few words."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from hwsim.datapath import Array, Datapath
from hwsim.design import Design, Dram, Override, Sram
from hwsim.points import Points, join

SAID = ("lanes", "scheme", "weight_bits", "skip")
"""Parameters that a label tells in its own way."""


def label(design: Design) -> str:
    """A design in a few words: datapath, array, buffers, clock, another technology than the default, what other layers
    run on."""
    return labels(Points.of([design]))[0].as_py()


def labels(points: Points) -> pa.Array:
    """Each design in a few words."""
    parts, codes = [], []
    for names, text in (
        (("datapath", "array"), _array),
        (("activation_buffer", "weight_buffer", "output_buffer"), _buffers),
        (("clock_mhz", "technology", "dram", "overrides"), _rest),
    ):
        found, which = points.distinct(*names)
        parts.append([text(*values) for values in found])
        codes.append(which.astype(np.int32))
    return join(parts, codes, ", ")


def _array(path: Datapath, array: Array) -> str:
    return f"{_datapath(path)} {_size(array, path)}"


def _datapath(path: Datapath) -> str:
    options = [str(getattr(path, name)) for name in ("scheme",) if hasattr(path, name)]
    if hasattr(path, "weight_bits"):
        options.append(f"w{path.weight_bits}")
    if getattr(path, "skip", "none") != "none":
        options.append(f"skip {path.skip}")  # type: ignore[attr-defined]
    return " ".join([path.name(), *options, *_chosen(path)])


def _size(array: Array, path: Datapath | None) -> str:
    size = f"{array.rows}x{array.cols}"
    lanes = getattr(path, "lanes", None)
    if lanes is not None:
        size += f"x{lanes}"
    if array.weight_stationary and not (path is not None and path.resident):
        size += f" weight-stationary {array.accumulator_rows}"
    return size


def _buffers(*buffers: Sram | None) -> str:
    return "/".join(f"{sram.kib:g}" for sram in buffers if sram is not None) + " KiB"


def _rest(clock_mhz: float, technology: str, dram: Dram, overrides: tuple[Override, ...]) -> str:
    extra = "" if technology == Design.technology else f", {technology}"
    extra += "" if dram == Dram() else f", {dram.type} {dram.bandwidth_gb_s:g} GB/s"
    return f"{clock_mhz:g} MHz{extra}" + "".join(f"; {each.layers}: {_override(each)}" for each in overrides)


def _override(each: Override) -> str:
    words = []
    if each.datapath is not None:
        words.append(_datapath(each.datapath))
    if each.array is not None:
        words.append(_size(each.array, each.datapath))
    elif (lanes := getattr(each.datapath, "lanes", None)) is not None:
        words.append(f"{lanes} lanes")
    return " ".join(words)


def _chosen(parameters: Any) -> Iterator[str]:
    """The other parameters of a datapath, or of a part of one, that are not the defaults, in words."""
    for field in dataclasses.fields(parameters):
        value = getattr(parameters, field.name)
        if value == field.default or field.name in SAID:
            continue
        if dataclasses.is_dataclass(value):
            parts = list(_chosen(value)) or [
                f"{each.name} {getattr(value, each.name)}" for each in dataclasses.fields(value)
            ]
            value = f"({', '.join(parts)})"
        yield f"{field.name} {value}".replace("_", " ")
