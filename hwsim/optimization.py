"""The best points of a space: all of it where it is small or cheap enough, else a sample that learns: `search`."""

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hwsim.criteria import Attained, Criteria
from hwsim.design import Design
from hwsim.errors import DesignError, nearest
from hwsim.execution import executor_of
from hwsim.exploration import AT_ONCE, OBJECTIVES, Subject, design_columns, rows
from hwsim.hypervolume import hypervolume
from hwsim.kernels.pareto import front
from hwsim.points import Points
from hwsim.progress import track
from hwsim.proposals import METHODS, Proposals
from hwsim.space import Grid, Space

if TYPE_CHECKING:
    from hwsim.candidates import Candidates, Data
    from hwsim.store import Store

ENUMERATED = 10_000_000
"""Points of a space that is looked at as a whole, unless it takes running the network too often."""
FEW = 300
"""Evaluations from which NSGA-II does better than TPE."""
IDLE = 20
"""Batches without a new point that end a search, drawn by chance all of them but the first."""
NETWORK = ""
"""The axis of networks, beside the keys of the space."""


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """What a search found.

    Attributes:
        front: a sweep's rows (with ``accuracy`` if it was asked for) that no other one beats, and that keep the limits.
        frame: rows of every point looked at; of an enumeration those of ``front``.
        criteria: what was looked for.
        method: ``"enumerate"``, or who proposed the points.
        size: points of the space, of all networks.
        evaluated: points looked at.
        growth: how much of the hypervolume of the front the last quarter of the points added: 0 of an enumeration.
    """

    front: pd.DataFrame
    frame: pd.DataFrame
    criteria: Criteria
    method: str
    size: int
    evaluated: int
    growth: float

    @property
    def exhaustive(self) -> bool:
        """Whether every point was looked at."""
        return self.evaluated == self.size

    def __str__(self) -> str:
        found = f"{len(self.front):,} points on the front"
        if self.method == "enumerate":
            return f"{found}: exact, all {self.size:,} points enumerated"
        if self.exhaustive:
            return f"{found}: exact, all {self.size:,} points looked at ({self.method})"
        return (
            f"{found}: {self.evaluated:,} of {self.size:,} points looked at ({self.evaluated / self.size:.3g} of them, "
            f"{self.method}); the last quarter added {self.growth:.2%} of the hypervolume"
        )


def search(
    subjects: Subject | Sequence[Subject],
    space: Space | Mapping[str, Sequence[Any]],
    *,
    objectives: Sequence[str] = OBJECTIVES,
    constraints: Mapping[str, Any] | None = None,
    evaluations: int = 1000,
    method: str | None = None,
    data: "Data | Mapping[str, Data] | None" = None,
    seed: int = 0,
    base: Design | None = None,
    batch: int = 1,
    study: "str | Path | Store | None" = None,
    jobs: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> Search:
    """Pareto-optimal points of a space, for one network or several that compete (one network in several formats).

    ``objectives`` are keys of `Result.totals`, or ``"error"``: the share of wrong answers under the datapath's own
    arithmetic to the inputs and labels ``data`` (by network's name if there are several). ``constraints`` give the
    worst value allowed of a measure, or a pair (lowest, highest).

    ``method``: ``"enumerate"`` looks at every point; ``"nsga2"``, ``"tpe"`` and ``"gp"`` (for costly ones; needs torch)
    at ``evaluations`` of them, the first of a Sobol sequence. Without one, spaces up to `ENUMERATED` points in which
    the networks run at most ``evaluations`` times are enumerated; else few evaluations are TPE's, many NSGA-II's.

    ``study``, ``jobs`` and ``executor`` are those of `sweep`. A search that was killed goes on where it was if it is
    started again with the same arguments: it proposes the same points, which the study knows.

    DesignError for unknown measures, and if no point keeps the constraints: it says which.
    """
    from hwsim import filling
    from hwsim.candidates import Candidates

    criteria = Criteria.of(objectives, constraints)
    if not isinstance(evaluations, int) or isinstance(evaluations, bool) or evaluations < 1:
        raise DesignError(f"evaluations = {evaluations!r}: accepted are whole numbers from 1")
    chosen = [subjects] if isinstance(subjects, Subject) else list(subjects)
    whole = space if isinstance(space, Space) else Space(space)
    grid = whole.grid(base)
    if criteria.needs_accuracy and data is None:
        raise DesignError("objective or constraint 'error' or 'accuracy' needs data=(inputs, labels)")
    method = method or _method(grid, len(chosen), evaluations, criteria)
    if method not in ("enumerate", *METHODS):
        raise DesignError(f"unknown method {method!r}; {nearest(method, ('enumerate', *METHODS))}")
    with executor_of(jobs, executor) as workers, filling.opened_or_none(study) as store:
        candidates = Candidates(chosen, batch, store, workers, data if criteria.needs_accuracy else None)
        if method == "enumerate":
            return _enumerate(candidates, grid, criteria, progress)
        sampling = _Sampling(candidates, whole, base, criteria)
        sampling.run(Proposals(
            {**({NETWORK: range(len(chosen))} if len(chosen) > 1 else {}), **whole.values},
            method, len(criteria.objectives), evaluations, seed,
        ), METHODS[method], evaluations, progress)  # fmt: skip
        return sampling.result(method, len(grid) * len(chosen))


def _method(grid: Grid, subjects: int, evaluations: int, criteria: Criteria) -> str:
    runs = subjects if criteria.needs_accuracy else 0
    for name in ("datapath", "overrides"):
        runs *= len(grid.fields.get(name, [None]))
    if len(grid) * subjects <= ENUMERATED and runs <= evaluations:
        return "enumerate"
    return "tpe" if evaluations <= FEW else "nsga2"


def _enumerate(candidates: "Candidates", grid: Grid, criteria: Criteria, progress: bool) -> Search:
    attained = Attained(criteria)
    best = _Front(len(criteria.objectives))
    for subject in range(len(candidates.workloads)):
        for start, frame in candidates.parts(subject, grid, AT_ONCE, progress):
            kept = np.flatnonzero(attained.update(frame))
            best.add(criteria.values(frame)[kept], subject, start + kept)
    attained.check()
    parts = []
    for subject in range(len(candidates.workloads)):
        index = np.sort(best.index[best.subject == subject])
        if len(index):
            parts.append(_rows(candidates, subject, grid.take(index)))
    found = _sorted(pd.concat(parts, ignore_index=True), criteria)
    size = len(grid) * len(candidates.workloads)
    return Search(found, found, criteria, "enumerate", size, size, 0.0)


class _Front:
    """The points seen so far that no other one beats: their ``values``, ``subject`` and ``index``."""

    def __init__(self, objectives: int) -> None:
        self.values = np.empty((0, objectives))
        self.subject = np.empty(0, np.int64)
        self.index = np.empty(0, np.int64)

    def add(self, values: np.ndarray, subject: int, index: np.ndarray) -> None:
        self.values = np.concatenate([self.values, values])
        self.subject = np.concatenate([self.subject, np.full(len(index), subject)])
        self.index = np.concatenate([self.index, index])
        # Equal points stay in their order, so that parts that come in any order give one front.
        order = np.lexsort((self.index, self.subject, *self.values.T[::-1]))
        keep = order[front(self.values[order])]
        self.values, self.subject, self.index = self.values[keep], self.subject[keep], self.index[keep]


class _Sampling:
    """A search that asks for points, evaluates those that are new, and tells what they came to."""

    def __init__(self, candidates: "Candidates", space: Space, base: Design | None, criteria: Criteria) -> None:
        self.candidates, self.space, self.base, self.criteria = candidates, space, base, criteria
        self.attained = Attained(criteria)
        self.seen: dict[tuple[int, Design], tuple[np.ndarray, np.ndarray, bool]] = {}

    def run(self, proposals: Proposals, at_once: int, evaluations: int, progress: bool) -> None:
        """Until so many points are seen, or nothing new is proposed any more."""
        bar = iter(track(range(evaluations), "search", progress))
        idle = 0
        while len(self.seen) < evaluations and idle < IDLE:
            asked = proposals.ask(min(at_once, evaluations - len(self.seen)))
            points = [(trial, self._point(choice)) for trial, choice in asked]
            before = len(self.seen)
            self._look([point for _, point in points])
            for trial, point in points:
                values, excess, _ = self.seen[point]
                proposals.tell(trial, values, excess)
            new = len(self.seen) - before
            idle = 0 if new else idle + 1
            if idle:  # small spaces are soon known: what proposes the best of them again learns nothing
                proposals.scatter(at_once)
            for _ in range(new):
                next(bar, None)
        bar.close()  # type: ignore[attr-defined]

    def _point(self, choice: dict[str, Any]) -> tuple[int, Design]:
        choice = dict(choice)
        subject = choice.pop(NETWORK, 0)
        return subject, self.space.design(choice, self.base)

    def _look(self, asked: Sequence[tuple[int, Design]]) -> None:
        for subject in range(len(self.candidates.workloads)):
            new = [point for point in dict.fromkeys(asked) if point[0] == subject and point not in self.seen]
            if new:
                frame = self.candidates.frame(subject, Points.of(design for _, design in new))
                kept = self.attained.update(frame)
                found = zip(self.criteria.scaled(frame), self.criteria.excess(frame), kept, strict=True)
                self.seen.update(zip(new, found, strict=True))

    def result(self, method: str, size: int) -> Search:
        """What was found; DesignError if no point keeps the limits."""
        self.attained.check()
        parts = []
        for subject in range(len(self.candidates.workloads)):
            designs = [design for at, design in self.seen if at == subject]
            if designs:
                parts.append(_rows(self.candidates, subject, Points.of(designs)))
        frame = pd.concat(parts, ignore_index=True)
        kept = np.flatnonzero(Attained(self.criteria).update(frame))
        best = _Front(len(self.criteria.objectives))
        best.add(self.criteria.values(frame)[kept], 0, kept)
        found = _sorted(frame.iloc[np.sort(best.index)].reset_index(drop=True), self.criteria)
        return Search(found, frame, self.criteria, method, size, len(self.seen), self._growth())

    def _growth(self) -> float:
        values = np.array([values for values, _, _ in self.seen.values()])
        kept = np.array([kept for _, _, kept in self.seen.values()])
        worst = values[kept].max(axis=0)
        whole = hypervolume(values[kept], worst)
        early = np.arange(len(values)) < len(values) * 3 // 4
        return 1.0 - hypervolume(values[kept & early], worst) / whole if whole > 0 else 0.0


def _rows(candidates: "Candidates", subject: int, points: Points) -> pd.DataFrame:
    workload = candidates.workloads[subject]
    found = candidates.frame(subject, points)
    return rows(workload.name, workload.batch, workload.hash, design_columns(points), found)


def _sorted(frame: pd.DataFrame, criteria: Criteria) -> pd.DataFrame:
    order = np.argsort(criteria.values(frame)[:, 0], kind="stable")
    return frame.iloc[order].reset_index(drop=True)
