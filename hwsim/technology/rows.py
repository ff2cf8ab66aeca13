"""One row of a technology table, and how a row is read from CSV."""

import csv
import dataclasses
import math
from collections.abc import Mapping
from typing import IO, Literal

from hwsim.errors import TechnologyError

Status = Literal["measured", "published", "scaled", "assumed"]
STATUSES: tuple[Status, ...] = ("measured", "published", "scaled", "assumed")
Parameters = Mapping[str, float | str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What energy and area rows have in common.

    ``coefficients`` multiply component parameters or event features of the same name.
    """

    node: str
    voltage_v: float | None
    component: str
    parameters: Parameters
    coefficients: Mapping[str, float]
    source: str
    status: Status
    error_pct: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnergyRow(Row):
    """Energy of one action: ``e0_pj + sum(coefficient * value)`` picojoules."""

    action: str
    e0_pj: float


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
        EnergyRow(**_common(line), action=line.text("action"), e0_pj=line.number("e0_pj"))
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

    def pairs(self, column: str) -> dict[str, float | str]:
        result: dict[str, float | str] = {}
        for pair in self.values[column].split():
            key, separator, value = pair.partition("=")
            if not separator or not key or not value:
                raise TechnologyError(f"{self.where}: {column} {pair!r} is not key=value")
            try:
                result[key] = float(value)
            except ValueError:
                result[key] = value
        return result


def _lines(file: IO[str], name: str, cls: type[Row]) -> list[_Line]:
    reader = csv.DictReader(file)
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
        if isinstance(value, str):
            raise TechnologyError(f"{line.where}: coefficient {key}={value!r} is not a number")
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
