"""Many design points as columns: the distinct values of each field of `Design`, and which of them a point has.

A million points that are made of a few hundred arrays, buffers and clocks are thirteen columns of numbers; what
depends on one field is worked out once for each of its values.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hwsim import schema
from hwsim.design import SCHEMA_VERSION, Design

ARRAYS = ("technology", "datapath", "array", "overrides")
"""Fields of `Design` that say which arrays there are."""
FIELDS = tuple(field.name for field in dataclasses.fields(Design))


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """Design points; ``codes`` int32[P] of a field say which of its distinct ``values`` each has."""

    values: Mapping[str, Sequence[Any]]
    codes: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.codes[FIELDS[0]])

    @classmethod
    def of(cls, designs: Iterable[Design]) -> Self:
        """The columns of ``designs``, in order."""
        known: dict[str, dict[Any, int]] = {name: {} for name in FIELDS}
        codes: dict[str, list[int]] = {name: [] for name in FIELDS}
        for design in designs:
            for name in FIELDS:
                value = getattr(design, name)
                codes[name].append(known[name].setdefault(value, len(known[name])))
        return cls(
            {name: tuple(values) for name, values in known.items()},
            {name: np.array(column, dtype=np.int32) for name, column in codes.items()},
        )

    def take(self, index: np.ndarray | slice) -> "Points":
        """The points at ``index``."""
        return Points(self.values, {name: column[index] for name, column in self.codes.items()})

    def __getitem__(self, index: int) -> Design:
        return Design(**{name: self.values[name][self.codes[name][index]] for name in FIELDS})

    def __iter__(self) -> Iterator[Design]:
        return (self[index] for index in range(len(self)))

    def distinct(self, *names: str, more: np.ndarray | None = None) -> tuple[list[tuple[Any, ...]], np.ndarray]:
        """The combinations that the named fields take, and int64[P]: which each point has.

        ``more`` bool[P] is another column, last of each combination.
        """
        columns = [(self.codes[name], len(self.values[name])) for name in names]
        if more is not None:
            columns.append((more, 2))
        which, count = np.zeros(len(self), np.int64), 1
        for codes, size in columns:
            which = which * size + codes
            count *= size
            if count > FEW:
                which, count = _ranks(which, count)
        which, count = _ranks(which, count)
        first = np.empty(count, np.int64)
        first[which[::-1]] = np.arange(len(self))[::-1]
        found = [tuple(self.values[name][self.codes[name][i]] for name in names) for i in first]
        if more is not None:
            found = [(*key, bool(more[i])) for key, i in zip(found, first, strict=True)]
        return found, which

    def column(self, name: str, value: Callable[[Any], Any] = lambda item: item) -> np.ndarray:
        """``value`` of the field ``name`` of every point."""
        return np.array([value(item) for item in self.values[name]])[self.codes[name]]

    def part(self, start: int, stop: int) -> "Points":
        """The points ``start:stop``."""
        return self.take(slice(start, stop))

    def arrays(self) -> "Points":
        """A point for every array that there is, as far as these points are concerned."""
        _, which = self.distinct(*ARRAYS)
        return self.take(np.unique(which, return_index=True)[1])

    def briefs(self) -> pa.Array:
        """JSON of each point's fields that are not `Design`'s defaults, and of these what is not theirs."""
        parts = []
        for field in dataclasses.fields(Design):
            values = self.values[field.name]
            parts.append(["" if each == field.default else f',"{field.name}":{_brief(each)}' for each in values])
        inner = pc.utf8_ltrim(join(parts, [self.codes[name] for name in FIELDS], ""), ",")
        opening, closing, nothing = (pa.scalar(text, inner.type) for text in ("{", "}", ""))
        return pc.binary_join_element_wise(opening, inner, closing, nothing)

    def hashes(self) -> list[str]:
        """`Design.hash` of every point."""
        prefix = f'"schema":{SCHEMA_VERSION}'
        parts = {name: [f'"{name}":{_canonical(value)}' for value in self.values[name]] for name in FIELDS}
        parts["schema"] = [prefix]
        columns = [parts[name] for name in sorted(parts)]
        zeros = np.zeros(len(self), dtype=np.int32)
        codes = [self.codes.get(name, zeros) for name in sorted(parts)]
        found = []
        for low in range(0, len(self), AT_ONCE):
            joined = join(columns, [column[low : low + AT_ONCE] for column in codes], ",")
            found += [hashlib.sha256(f"{{{text}}}".encode()).hexdigest()[:16] for text in joined.to_pylist()]
        return found


AT_ONCE = 1 << 14
"""Texts in memory at a time."""
FEW = 1 << 22
"""Values that a table has room for."""


def _ranks(values: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """int64[P] ``values`` below ``count``, renumbered without gaps in their order, and how many there are."""
    if count > FEW:
        found, ranks = np.unique(values, return_inverse=True)
        return ranks, len(found)
    seen = np.zeros(count, bool)
    seen[values] = True
    return (np.cumsum(seen) - 1)[values], int(seen.sum())


@functools.lru_cache(maxsize=1 << 14, typed=True)
def _canonical(value: Any) -> str:
    return schema.canonical_json(schema.to_plain(value))


def _brief(value: Any) -> str:
    """JSON of a field without what are its class's defaults; a datapath's name stays."""
    plain = schema.to_plain(value)
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if getattr(value, field.name) == field.default:
                del plain[field.name]
    return schema.canonical_json(plain)


def join(parts: Sequence[Sequence[str]], codes: Sequence[np.ndarray], separator: str) -> pa.Array:
    """Texts made of ``parts[i][codes[i]]``, one after the other."""
    columns = [pa.array(part, pa.large_string()).take(pa.array(code)) for part, code in zip(parts, codes, strict=True)]
    return pc.binary_join_element_wise(*columns, pa.scalar(separator, pa.large_string()))


def texts(array: pa.Array) -> pd.Series:
    """A column of pandas' text type, from arrow memory."""
    return pd.Series(pd.array(array, dtype="str"))
