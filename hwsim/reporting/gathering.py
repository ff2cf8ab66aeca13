"""What a report keeps of the rows of a sweep, however many there are: they are read part by part."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

from hwsim.errors import HwsimError
from hwsim.exploration import OBJECTIVES, pareto
from hwsim.points import FIELDS
from hwsim.result import CATEGORIES

NUMBERS = {
    "batch", "latency_s", "energy_pj", "area_um2", "edp_js", "tops", "tops_per_w",
    *(f"{name}_energy_pj" for name in CATEGORIES),
}  # fmt: skip
REQUIRED = NUMBERS | {
    "workload", "label", "error", "verified", "design", "design_hash", "workload_hash", "datapath.name", "technology",
    "hwsim",
}  # fmt: skip
KEPT = 4000
"""Points of all networks that a page holds: with more, browsers become slow."""
REASONS = 100
"""Kinds of infeasible points that are told apart."""
AT_ONCE = 1 << 16
"""Rows in memory at a time."""
SQLITE = b"SQLite format 3\0"
STUDY_SUFFIXES = (".sqlite", ".sqlite3", ".db")


@dataclasses.dataclass(eq=False)
class Gathering:
    """Rows seen so far: how many, which values their designs take, and those worth showing."""

    count: int = 0
    rtl: int = 0
    points: dict[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    """Of each network by name: the front and the best by EDP of its feasible rows."""
    values: dict[str, set[Any]] = dataclasses.field(default_factory=dict)
    """What the designs' keys are."""
    reasons: dict[tuple[str, str], tuple[int, str]] = dataclasses.field(default_factory=dict)
    """Network and why a point is infeasible: how many, and one of them."""
    unlisted: int = 0
    """Infeasible points beyond `REASONS` reasons."""
    feasible: int = 0

    def add(self, rows: pd.DataFrame) -> None:
        """Takes up some rows; HwsimError if they are not those of a sweep."""
        require_columns(rows)
        self.count += len(rows)
        for key in (name for name in rows.columns if name.partition(".")[0] in FIELDS):
            self.values.setdefault(key, set()).update(rows[key].dropna().unique())
        bad = rows["error"].fillna("") != ""
        self._refuse(rows[bad])
        good = rows[~bad]
        self.feasible += len(good)
        self.rtl += int((good["verified"] == "rtl").sum())
        for name, group in good.groupby("workload", sort=False):
            known = self.points.get(str(name))
            both = group if known is None else pd.concat([known, group])
            self.points[str(name)] = near_front(both.reset_index(drop=True), KEPT)

    def _refuse(self, rows: pd.DataFrame) -> None:
        for (name, error), group in rows.groupby(["workload", "error"], sort=False):
            known = self.reasons.get((name, error), (0, group["label"].iloc[0]))
            if known[0] or len(self.reasons) < REASONS:
                self.reasons[name, error] = known[0] + len(group), known[1]
            else:
                self.unlisted += len(group)

    def kept(self) -> pd.DataFrame:
        """The rows to show, numbered from 0; HwsimError if no row is feasible."""
        if not self.count:
            raise HwsimError("the sweep has no points")
        if not self.points:
            raise HwsimError(f"the sweep has no feasible point: {next(iter(self.reasons))[1]}")
        share = max(1, KEPT // len(self.points))
        return pd.concat([near_front(rows, share) for rows in self.points.values()], ignore_index=True)


def require_columns(rows: pd.DataFrame) -> None:
    """HwsimError unless ``rows`` have the columns of a sweep, with numbers where these belong."""
    missing = sorted(REQUIRED - set(rows.columns))
    if missing:
        raise HwsimError(f"not the results of a sweep: column {missing[0]!r} is missing ({len(missing)} in all)")
    for name in sorted(NUMBERS):
        if not is_numeric_dtype(rows[name]) and rows[name].notna().any():
            raise HwsimError(f"not the results of a sweep: column {name!r} has values that are no numbers")


def gather(parts: Iterable[pd.DataFrame]) -> Gathering:
    """All rows of ``parts``."""
    found = Gathering()
    for part in parts:
        found.add(part)
    return found


def near_front(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """About ``count`` of the rows of one network, in their order: its front, then its best by EDP.

    Of equal points on the front one is kept, of a front that is larger evenly many along the latency; the best in
    each of latency, energy, area and EDP always are.
    """
    if len(rows) <= count:
        return rows
    front = pareto(rows).drop_duplicates(list(OBJECTIVES)).index
    if len(front) > count:
        front = front[np.linspace(0, len(front) - 1, count).round().astype(int)]
    best = pd.Index({rows[name].idxmin() for name in (*OBJECTIVES, "edp_js")})
    chosen = front.union(best)
    rest = rows.drop(chosen).nsmallest(max(0, count - len(chosen)), "edp_js").index
    return rows.loc[chosen.union(rest)]


def is_study(name: str) -> bool:
    """Whether ``name`` is a URL, or a file of SQLite by its content or, if there is none, by its suffix."""
    if "://" in name:
        return True
    with contextlib.suppress(OSError), open(name, "rb") as file:
        return file.read(len(SQLITE)) == SQLITE
    return Path(name).suffix in STUDY_SUFFIXES


def parts_of(place: str | Path) -> Iterator[pd.DataFrame]:
    """The rows of a Parquet file or a study, some at a time; HwsimError naming it if it is neither."""
    if is_study(str(place)):
        from hwsim import exporting

        yield from exporting.frames(place)
        return
    if not Path(place).is_file():
        raise HwsimError(f"no results file {str(place)!r}")
    try:
        with pq.ParquetFile(place) as file:
            if file.metadata.num_rows == 0:
                yield file.schema_arrow.empty_table().to_pandas()
            for batch in file.iter_batches(AT_ONCE):
                yield batch.to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise HwsimError(f"cannot read results {str(place)!r}: {' '.join(str(error).split())}") from None
