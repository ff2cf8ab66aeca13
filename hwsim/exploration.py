"""Many design points at once: `sweep`, `pareto`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hwsim import schema
from hwsim.design import Design
from hwsim.errors import DesignError, nearest
from hwsim.labels import labels
from hwsim.network import Network
from hwsim.points import FIELDS, Points, texts
from hwsim.pricing import Pricing
from hwsim.progress import track
from hwsim.result import CATEGORIES, TOTALS, edp_js, latency_s, tops, tops_per_w
from hwsim.simulation import as_workload
from hwsim.space import Grid, Space
from hwsim.workload import Workload

OBJECTIVES = ("latency_s", "energy_pj", "area_um2")
AT_ONCE = 1 << 14
"""Points priced at a time."""

Subject = Network | Workload


def sweep(
    subjects: Subject | Sequence[Subject],
    space: Space | Mapping[str, Sequence[Any]] | Iterable[Design],
    *,
    base: Design | None = None,
    batch: int = 1,
    progress: bool = False,
) -> pd.DataFrame:
    """Costs of every network or workload on every design point, as `simulate` finds them.

    Returns one row per pair: ``workload``, ``label`` (the design in words), every Design key,
    `Result.totals`, ``batch``, ``design_hash``, ``workload_hash``, ``design`` (JSON of what is not a default) and
    ``error``: why a point is infeasible (its totals are missing then), else "".
    """
    points = points_of(space, base)
    chosen = [subjects] if isinstance(subjects, (Network, Workload)) else list(subjects)
    designs = design_columns(points.part(0, len(points)))
    frames = []
    for subject in chosen:
        workload = as_workload(subject, batch)
        found = pd.concat(list(evaluate(workload, points, progress)), ignore_index=True)
        front = pd.DataFrame({"workload": workload.name, "batch": workload.batch}, index=designs.index)
        front["workload_hash"] = workload.hash
        frames.append(pd.concat([front, designs, found], axis=1))
    return pd.concat(frames, ignore_index=True)


def points_of(space: Space | Mapping[str, Sequence[Any]] | Iterable[Design], base: Design | None) -> Grid | Points:
    """The points of a space or of designs; DesignError if there are none."""
    if isinstance(space, Mapping):
        space = Space(space)
    points = space.grid(base) if isinstance(space, Space) else Points.of(space)
    if not len(points):
        raise DesignError("no design points to sweep")
    return points


def evaluate(workload: Workload, points: Grid | Points, progress: bool = False) -> Iterator[pd.DataFrame]:
    """`totals` of all points, so many rows at a time that memory does not depend on how many there are."""
    pricing = Pricing(workload, progress=progress)
    pricing.prepare(points.arrays())
    for start in track(range(0, len(points), AT_ONCE), f"sweep {workload.name}", progress):
        yield totals(pricing, points.part(start, start + AT_ONCE))


def totals(pricing: Pricing, points: Points) -> pd.DataFrame:
    """`Result.totals` of each point, and ``error``."""
    prices = pricing.price(points)
    macs, seconds = pricing.workload.macs, latency_s(prices.cycles[:, 0], points.column("clock_mhz"))
    energy_pj = prices.picojoules[:, 0]
    bad = prices.tables.problem > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # of infeasible points
        columns = (
            prices.cycles[:, 0], seconds, energy_pj, prices.tables.area_um2, edp_js(energy_pj, seconds),
            tops(macs, seconds), tops_per_w(macs, energy_pj), prices.cycles[:, 1], prices.picojoules[:, 1],
            np.full(len(points), macs), np.where(prices.tables.verified, "rtl", "model only"),
            *prices.picojoules[:, -len(CATEGORIES) :].T,
        )  # fmt: skip
    frame = pd.DataFrame(dict(zip(TOTALS, columns, strict=True)))
    if bad.any():
        frame = frame.mask(np.broadcast_to(bad[:, None], frame.shape))
    messages = np.array(["", *map(str, prices.tables.problems)])
    frame["error"] = messages[prices.tables.problem]
    return frame


def design_columns(points: Points) -> pd.DataFrame:
    """What a row says of its design: ``label``, every key, ``design_hash``, ``design``."""
    columns = []
    for name in FIELDS:
        known = pd.DataFrame([dict(flat({name: schema.to_plain(value)})) for value in points.values[name]])
        columns.append(known.take(points.codes[name]).reset_index(drop=True))
    frame = pd.concat(columns, axis=1)
    frame.insert(0, "label", texts(labels(points)))
    frame["design_hash"] = points.hashes()
    frame["design"] = texts(points.briefs())
    return frame


def flat(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a design's plain data, lists left out."""
    for key, value in plain.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield prefix + key, value


def pareto(frame: pd.DataFrame, objectives: Sequence[str] = OBJECTIVES) -> pd.DataFrame:
    """The rows that no other row beats in one objective without losing in another, smaller is better.

    Infeasible rows are left out; equal rows are all kept. Sorted by the first objective.
    """
    for name in objectives:
        if name not in frame:
            raise DesignError(f"unknown objective {name!r}; {nearest(name, map(str, frame.columns))}")
    feasible = frame.dropna(subset=list(objectives))
    values = feasible[list(objectives)].to_numpy(dtype=np.float64)
    keep = np.ones(len(values), dtype=bool)
    for i, point in enumerate(values):
        keep[i] = not ((values <= point).all(axis=1) & (values < point).any(axis=1)).any()
    return feasible[keep].sort_values(objectives[0], kind="stable")
