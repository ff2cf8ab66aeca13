"""Many design points at once: `sweep`, `pareto`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hwsim import schema
from hwsim.design import Design
from hwsim.errors import DesignError, nearest
from hwsim.execution import executor_of, price_all
from hwsim.kernels.pareto import front
from hwsim.labels import labels
from hwsim.measurement import version
from hwsim.network import Network
from hwsim.points import FIELDS, Points, texts
from hwsim.pricing import Pricing
from hwsim.progress import track
from hwsim.simulation import as_workload
from hwsim.space import Grid, Space
from hwsim.workload import Workload

if TYPE_CHECKING:
    from hwsim.store import Store

OBJECTIVES = ("latency_s", "energy_pj", "area_um2")
AT_ONCE = 1 << 14
"""Points of a task."""

Subject = Network | Workload
Designs = Space | Grid | Points | Mapping[str, Sequence[Any]] | Iterable[Design]


def sweep(
    subjects: Subject | Sequence[Subject],
    space: Designs,
    *,
    base: Design | None = None,
    batch: int = 1,
    study: "str | Path | Store | None" = None,
    jobs: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Costs of every network or workload on every design point, as `simulate` finds them.

    ``study`` keeps them: a file (SQLite), or a URL of SQLAlchemy; what it knows is not computed again, whatever
    sweep it is from, so that a sweep that was killed goes on where it was. ``jobs`` worker processes, or any
    ``executor``, share the work. `fill` does the same without the frame, which takes some 0.9 kB per point.

    Returns one row per pair: ``workload``, ``label`` (the design in words), every Design key,
    `Result.totals`, ``batch``, ``design_hash``, ``workload_hash``, ``hwsim`` (its version), ``design`` (JSON of what
    is not a default) and ``error``: why a point is infeasible (its totals are missing then), else "".
    """
    points = points_of(space, base)
    workloads = _workloads(subjects, batch)
    designs = design_columns(points.part(0, len(points)))
    if study is None:
        with executor_of(jobs, executor) as workers:
            found = [_in_memory(workload, points, workers, progress) for workload in workloads]
    else:
        from hwsim import filling

        with filling.opened(study) as store:
            fill(store, workloads, points, jobs=jobs, executor=executor, progress=progress)
            found = [filling.known(store, workload, points, designs["design_hash"]) for workload in workloads]
    return pd.concat(
        [
            rows(workload.name, workload.batch, workload.hash, designs, each)
            for workload, each in zip(workloads, found, strict=True)
        ],
        ignore_index=True,
    )


def fill(
    study: "str | Path | Store",
    subjects: Subject | Sequence[Subject],
    space: Designs,
    *,
    base: Design | None = None,
    batch: int = 1,
    jobs: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> int:
    """Computes what ``study`` does not know of a sweep; memory does not grow with its points.

    Returns how many points that were. Arguments are those of `sweep`.
    """
    from hwsim import filling

    points = points_of(space, base)
    with filling.opened(study) as store, executor_of(jobs, executor) as workers:
        return sum(
            filling.fill(store, Pricing(workload), points, workers, AT_ONCE, progress)
            for workload in _workloads(subjects, batch)
        )


def _workloads(subjects: Subject | Sequence[Subject], batch: int) -> list[Workload]:
    chosen = [subjects] if isinstance(subjects, (Network, Workload)) else list(subjects)
    return [as_workload(subject, batch) for subject in chosen]


def points_of(space: Designs, base: Design | None) -> Grid | Points:
    """The points of a space or of designs; DesignError if there are none."""
    if isinstance(space, Mapping):
        space = Space(space)
    if isinstance(space, Space):
        space = space.grid(base)
    points = space if isinstance(space, Grid | Points) else Points.of(space)
    if not len(points):
        raise DesignError("no design points to sweep")
    return points


def _in_memory(workload: Workload, points: Grid | Points, workers: Executor | None, progress: bool) -> pd.DataFrame:
    """`totals` of all points."""
    pricing = Pricing(workload)
    if workers is None:
        pricing.prepare(points.arrays(), progress)
    starts = track(range(0, len(points), AT_ONCE), f"sweep {workload.name}", progress)
    tasks = ((start, points.part(start, start + AT_ONCE)) for start in starts)
    found = dict(price_all(workload, tasks, workers, pricing))
    return pd.concat([found[start] for start in sorted(found)], ignore_index=True)


def rows(
    workload: str, batch: int, workload_hash: str, designs: pd.DataFrame, found: pd.DataFrame, made_by: str = ""
) -> pd.DataFrame:
    """A sweep's rows: of a workload on ``designs`` (`design_columns`) with the totals ``found``.

    ``made_by`` is the version of hwsim that found them, this one if it is empty.
    """
    known = {"workload": workload, "batch": batch, "workload_hash": workload_hash, "hwsim": made_by or version()}
    return pd.concat([pd.DataFrame(known, index=designs.index), designs, found], axis=1)


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
    order = np.lexsort(values.T[::-1])
    keep = np.zeros(len(values), dtype=bool)
    keep[order] = front(values[order])
    return feasible[keep].sort_values(objectives[0], kind="stable")
