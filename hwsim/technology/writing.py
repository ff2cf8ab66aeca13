"""Technology tables as files: rows added to a folder, nothing lost."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from hwsim.files import write_atomically
from hwsim.technology.rows import CONDITIONS, AreaRow, EnergyRow, Row, cell, read_area, read_energy

R = TypeVar("R", bound=Row)
_ENERGY = ("node", "voltage_v", "component", "action", "parameters", "e0_pj", "coefficients", "source", "status",
           "error_pct", "zero_delay_fraction")  # fmt: skip
_AREA = ("node", "voltage_v", "component", "parameters", "area_um2", "coefficients", "leakage_uw", "leakage_uw_per_um2",
         "critical_path_ns", "source", "status", "error_pct")  # fmt: skip


def read(folder: Path) -> tuple[list[EnergyRow], list[AreaRow]]:
    """The rows of a folder; none where there is no file yet."""
    energy: list[EnergyRow] = []
    area: list[AreaRow] = []
    if (folder / "energy.csv").exists():
        with (folder / "energy.csv").open(encoding="utf-8") as file:
            energy = read_energy(file, "energy.csv")
    if (folder / "area.csv").exists():
        with (folder / "area.csv").open(encoding="utf-8") as file:
            area = read_area(file, "area.csv")
    return energy, area


def write(folder: Path, energy: Sequence[EnergyRow], area: Sequence[AreaRow], conditions: Mapping[str, str]) -> None:
    """Writes both tables of a folder, and what all their figures suppose."""
    write_atomically(folder / CONDITIONS, yaml.safe_dump(dict(conditions), sort_keys=False, width=110).encode())
    write_atomically(folder / "energy.csv", _text(_ENERGY, energy))
    write_atomically(folder / "area.csv", _text(_AREA, area))


def merge(old: Sequence[R], new: Sequence[R], replace: bool) -> list[R]:
    """The old rows and those new ones that say something else; ``replace``: new ones instead of old ones."""
    rows = {key(row): row for row in old}
    for row in new:
        if replace or key(row) not in rows:
            rows[key(row)] = row
    return list(rows.values())


def key(row: Row) -> tuple:
    """What a row is about."""
    return row.component, getattr(row, "action", ""), tuple(sorted((k, cell(v)) for k, v in row.parameters.items()))


def _text(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(getattr(row, column)) for column in columns] for row in rows)
    return text.getvalue().encode()
