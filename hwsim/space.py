"""A grid of design points, of which any part can be made without the others: `Space`."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim import datapaths, schema
from hwsim.design import Design
from hwsim.errors import DesignError, nearest
from hwsim.points import ARRAYS, FIELDS, Points

CHECKED_TOGETHER = ("output_buffer", "overlap", "refetch")
"""Fields whose values `Design` accepts or not depending on each other; of others any value goes with any."""


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """A grid of design points: dotted keys of `Design` and the values of each.

    ``{"datapath.name": ["mac", "bit_serial"], "array.rows": [8, 16]}``. A datapath parameter is
    left out for datapaths that do not have it, as is ``array.accumulator_rows`` where sums stay in the
    PEs; points that become equal count once.
    """

    values: Mapping[str, Sequence[Any]]

    def __post_init__(self) -> None:
        if not self.values:
            raise DesignError("the space is empty: name at least one parameter")
        for key, items in self.values.items():
            if isinstance(items, str) or not isinstance(items, Sequence) or not len(items):
                raise DesignError(f"space key {key!r}: expected a list of values, got {items!r}")

    def designs(self, base: Design | None = None) -> list[Design]:
        """Every distinct point, other parameters as in ``base``; DesignError names a wrong key or value."""
        return list(self.grid(base).all())

    def grid(self, base: Design | None = None) -> "Grid":
        """The points without making them; see `designs`."""
        base = base or Design()
        self._check_keys(base)
        keys: dict[str, list[str]] = {}
        for key in self.values:
            keys.setdefault(key.partition(".")[0], []).append(key)
        fields = {name: tuple(self._field_values(base, name, keys[name])) for name in keys}
        for name in set(fields) - set(CHECKED_TOGETHER):
            for value in fields[name]:
                dataclasses.replace(base, **{name: value})
        for choice in itertools.product(*(fields.get(name, (getattr(base, name),)) for name in CHECKED_TOGETHER)):
            dataclasses.replace(base, **dict(zip(CHECKED_TOGETHER, choice, strict=True)))
        return Grid(base, fields)

    def design(self, choice: Mapping[str, Any], base: Design | None = None) -> Design:
        """The point with these values of the space's keys; what its datapath or dataflow has not is left out."""
        base = base or Design()
        chosen: dict[str, dict[str, Any]] = {}
        for key, value in choice.items():
            chosen.setdefault(key.partition(".")[0], {})[key] = value
        return dataclasses.replace(base, **{name: _field_value(base, name, values) for name, values in chosen.items()})

    def _field_values(self, base: Design, field: str, keys: Sequence[str]) -> Iterable[Any]:
        """The distinct values of one field of `Design`."""
        choices = itertools.product(*(self.values[key] for key in keys))
        return dict.fromkeys(_field_value(base, field, dict(zip(keys, choice, strict=True))) for choice in choices)

    def _check_keys(self, base: Design) -> None:
        known, names = set(_keys(base.to_plain())), self.values.get("datapath.name", [base.datapath.name()])
        for name in names:
            known |= _parameters(name)
        for key in self.values:
            if key not in known:
                others = [name for name in datapaths.available() if key in _parameters(name)]
                where = f"{', '.join(others)}, not of {', '.join(map(str, names))}"
                hint = f"it is a parameter of {where}" if others else nearest(key, known)
                raise DesignError(f"unknown space key {key!r}; {hint}")


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """All combinations of the values of each field, the others as in ``base``: the last field varies fastest."""

    base: Design
    fields: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        count = 1
        for values in self.fields.values():
            count *= len(values)
        return count

    def part(self, start: int, stop: int) -> Points:
        """The points ``start:stop``."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, index: np.ndarray) -> Points:
        """The points at ``index``."""
        codes = {name: np.zeros(len(index), np.int32) for name in FIELDS}
        for name, values in reversed(list(self.fields.items())):
            index, codes[name] = index // len(values), (index % len(values)).astype(np.int32)
        return Points({name: self.fields.get(name, (getattr(self.base, name),)) for name in FIELDS}, codes)

    def arrays(self) -> Points:
        """A point for every array that there is."""
        return Grid(self.base, {name: values for name, values in self.fields.items() if name in ARRAYS}).all()

    def all(self) -> Points:
        """Every point."""
        return self.part(0, len(self))


def _field_value(base: Design, field: str, choice: Mapping[str, Any]) -> Any:
    """A field of `Design` with these dotted keys' values, its other parts as in ``base``."""
    plain = schema.to_plain(getattr(base, field))
    for key, value in _applicable(field, plain, choice):
        *path, last = key.split(".")
        inner = whole = {field: plain}
        for part in path:
            inner = inner[part]
        inner[last] = schema.to_plain(value)
        plain = whole[field]
    return schema.field_from_plain(Design, field, plain)


def _parameters(name: str) -> set[str]:
    return {f"datapath.{field.name}" for field in dataclasses.fields(datapaths.find(name))}


def _keys(plain: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
        yield prefix + key


def _applicable(field: str, plain: Any, choice: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What of ``choice`` the field has; a datapath loses what another had."""
    if field == "datapath":
        names = {each.name for each in dataclasses.fields(datapaths.find(choice.get("datapath.name", plain["name"])))}
        for key in set(plain) - names - {"name"}:
            del plain[key]
    for key, value in choice.items():
        name = key.partition(".")[2].partition(".")[0]
        if field == "datapath" and name not in ("", "name") and name not in names:
            continue
        if key == "array.accumulator_rows":
            dataflow = choice.get("array.dataflow", plain["dataflow"])
            if dataflow != "weight_stationary":
                continue
        yield key, value
