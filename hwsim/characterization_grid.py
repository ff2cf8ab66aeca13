"""The design points that technology tables are measured at (hwsim/data/characterization.yaml)."""

import dataclasses
from collections.abc import Iterable, Iterator
from importlib import resources

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Component
from hwsim.design import Design
from hwsim.errors import DesignError
from hwsim.exploration import Space
from hwsim.files import parse_yaml

GRIDS = ("first", "full")
"""Each has the points of those before it, too."""
_ROWS = 2
_ACCUMULATOR_ROWS = 8


def points(name: str, datapaths: Iterable[str] = ()) -> dict[str, Design]:
    """The points of a grid, by what tells them from the default; of all datapaths, or those named.

    DesignError if there are none.
    """
    grids = parse_yaml((resources.files("hwsim.data") / "characterization.yaml").read_text(encoding="utf-8"))
    entries = [entry for each in GRIDS[: GRIDS.index(name) + 1] for entry in grids[each]]
    found = dict.fromkeys(design for entry in entries for design in Space(entry).designs())
    wanted = tuple(datapaths)
    chosen = [design for design in found if not wanted or design.datapath.name() in wanted]
    if not chosen:
        raise DesignError(f"the grid has no points of datapath {', '.join(wanted)}")
    return {" ".join(_described(design)): design for design in chosen}


def _described(design: Design) -> Iterator[str]:
    yield design.datapath.name()
    for part in (design.datapath, design.array):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if value != field.default:
                yield f"{field.name}={value}"


def measured_array(design: Design) -> Array:
    """What stands for a design's array: as few columns as it can, and as many rows as its figures depend on."""
    if design.array.weight_stationary:
        return dataclasses.replace(design.array, cols=1, accumulator_rows=_ACCUMULATOR_ROWS)
    assert isinstance(design.datapath, ArrayDatapath)
    return Array(rows=_ROWS, cols=design.datapath.fewest_cols)


def terms(designs: Iterable[Design]) -> dict[str, tuple[str, ...]]:
    """By component, the products of parameters that figures between measured points are sums of."""
    parts = [part for design in designs for part in design.datapath.components(measured_array(design))]
    return {part.name: part.terms or _numbers(part) for part in parts}


def _numbers(part: Component) -> tuple[str, ...]:
    """The parameters that are numbers."""
    return tuple(name for name, value in part.parameters.items() if not isinstance(value, str))
