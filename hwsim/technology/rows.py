"""One row of a technology table, and how a row is read from CSV."""

import csv
import dataclasses
import math
from collections.abc import Mapping
from typing import IO, Literal

from hwsim.errors import TechnologyError

Status = Literal["measured", "published", "scaled", "assumed"]
CONDITIONS = "conditions.yaml"
"""The file of a technology that says what all its figures suppose."""
STATUSES: tuple[Status, ...] = ("measured", "published", "scaled", "assumed")
Parameters = Mapping[str, float | str]


@dataclasses.dataclass(frozen=True)
class Range:
    """Values of a parameter for which a row holds, both ends included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What energy and area rows have in common.

    ``coefficients`` multiply component parameters or event features of the same name, or products of them
    (``lanes*weight_bits``). A row holds for equal ``parameters``, or for those within a `Range`.
    """

    node: str
    voltage_v: float | None
    component: str
    parameters: Mapping[str, float | str | Range]
    coefficients: Mapping[str, float]
    source: str
    status: Status
    error_pct: float | None

    def holds(self, parameters: Parameters) -> bool:
        """Whether the row is about a part with these parameters."""
        return all(
            parameters.get(key) in value if isinstance(value, Range) else parameters.get(key) == value
            for key, value in self.parameters.items()
        )

    def number(self, name: str) -> float:
        """A parameter's value; TechnologyError unless it is a number."""
        value = self.parameters[name]
        if not isinstance(value, int | float):
            raise TechnologyError(f"row of {self.component}: {name}={value} is not a number")
        return float(value)

    @property
    def exact(self) -> bool:
        """Whether it is about one configuration, not a range."""
        return not any(isinstance(value, Range) for value in self.parameters.values())


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnergyRow(Row):
    """Energy of one action: ``e0_pj + sum(coefficient * value)`` picojoules.

    ``zero_delay_fraction`` of it is left if gates had no delays and so no glitches; None where nobody told.
    """

    action: str
    e0_pj: float
    zero_delay_fraction: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AreaRow(Row):
    """Area of one part: ``area_um2 + sum(coefficient * value)`` square micrometres.

    Leakage in microwatts is ``leakage_uw + leakage_uw_per_um2 * area``.
    """

    area_um2: float
    leakage_uw: float
    leakage_uw_per_um2: float
    critical_path_ns: float | None


def read_energy(file: IO[str], name: str) -> list[EnergyRow]:
    """The rows of an energy table; TechnologyError naming file, line and column."""
    return [
        EnergyRow(
            **_common(line),
            action=line.text("action"),
            e0_pj=line.number("e0_pj"),
            zero_delay_fraction=line.optional("zero_delay_fraction"),
        )
        for line in _lines(file, name, EnergyRow)
    ]


def read_area(file: IO[str], name: str) -> list[AreaRow]:
    """The rows of an area table; TechnologyError naming file, line and column."""
    return [
        AreaRow(
            **_common(line),
            area_um2=line.number("area_um2"),
            leakage_uw=line.optional("leakage_uw") or 0.0,
            leakage_uw_per_um2=line.optional("leakage_uw_per_um2") or 0.0,
            critical_path_ns=line.optional("critical_path_ns"),
        )
        for line in _lines(file, name, AreaRow)
    ]


@dataclasses.dataclass(frozen=True)
class _Line:
    where: str
    values: dict[str, str]

    def text(self, column: str) -> str:
        if not self.values[column]:
            raise TechnologyError(f"{self.where}: column {column!r} is empty")
        return self.values[column]

    def optional(self, column: str) -> float | None:
        return self.number(column) if self.values[column] else None

    def number(self, column: str) -> float:
        try:
            value = float(self.values[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TechnologyError(f"{self.where}: {column} {self.values[column]!r} is not a finite number")
        return value

    def pairs(self, column: str) -> dict[str, float | str | Range]:
        try:
            return pairs(self.values[column])
        except ValueError as error:
            raise TechnologyError(f"{self.where}: {column} {error}") from None


def pairs(text: str) -> dict[str, float | str | Range]:
    """What ``key=value key=value`` says; ValueError naming what is no such pair."""
    result: dict[str, float | str | Range] = {}
    for pair in text.split():
        key, separator, value = pair.partition("=")
        if not separator or not key or not value:
            raise ValueError(f"{pair!r} is not key=value")
        result[key] = _value(value)
    return result


def cell(value: object) -> str:
    """A value as tables have it, five digits of a fraction: the inverse of what reads it."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={cell(each)}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:.5g}" if value != int(value) else f"{value:.0f}"
    return str(value)


def _value(text: str) -> float | str | Range:
    """A number, a range of them, or a word."""
    try:
        low, separator, high = text.partition("..")
        return Range(float(low), float(high)) if separator else float(text)
    except ValueError:
        return text


def _lines(file: IO[str], name: str, cls: type[Row]) -> list[_Line]:
    reader = csv.DictReader(file, restval="")
    expected = {field.name for field in dataclasses.fields(cls)}
    if set(reader.fieldnames or ()) != expected:
        raise TechnologyError(f"{name}: columns are {reader.fieldnames}, expected {sorted(expected)}")
    return [_Line(f"{name} line {number}", values) for number, values in enumerate(reader, 2)]


def _common(line: _Line) -> dict:
    status = line.text("status")
    if status not in STATUSES:
        raise TechnologyError(f"{line.where}: status {status!r} is not one of {', '.join(STATUSES)}")
    coefficients = line.pairs("coefficients")
    for key, value in coefficients.items():
        if not isinstance(value, float):
            raise TechnologyError(f"{line.where}: coefficient {key}={str(value)!r} is not a number")
    return {
        "node": line.values["node"],
        "voltage_v": line.optional("voltage_v"),
        "component": line.text("component"),
        "parameters": line.pairs("parameters"),
        "coefficients": coefficients,
        "source": line.text("source"),
        "status": status,
        "error_pct": line.optional("error_pct"),
    }
