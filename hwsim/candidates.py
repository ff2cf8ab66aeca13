"""Costs and accuracy of the points that a search looks at."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
import pandas as pd

from hwsim import exploration, filling
from hwsim.design import Design
from hwsim.errors import HwsimError, NetworkError
from hwsim.evaluation import checked, evaluate
from hwsim.execution import price_all
from hwsim.network import Network
from hwsim.points import Points
from hwsim.pricing import Pricing
from hwsim.progress import track
from hwsim.simulation import as_workload
from hwsim.space import Grid
from hwsim.store import Store
from hwsim.workload import Workload

Data = tuple[np.ndarray, np.ndarray]


class Candidates:
    """The points of several networks or workloads: `totals` with ``error`` and, with ``data``, ``accuracy``.

    What ``store`` knows is read, the rest computed, by ``workers`` if there are any, and written.
    """

    def __init__(
        self,
        subjects: Sequence[Network | Workload],
        batch: int,
        store: Store | None,
        workers: Executor | None,
        data: Data | Mapping[str, Data] | None,
    ) -> None:
        self.workloads = [as_workload(subject, batch) for subject in subjects]
        self._pricings = [Pricing(workload) for workload in self.workloads]
        self._store, self._workers = store, workers
        self._networks = None if data is None else [_with_data(subject, data) for subject in subjects]

    def frame(self, subject: int, points: Points) -> pd.DataFrame:
        """One row per point."""
        ((_, found),) = self.parts(subject, points, max(len(points), 1))
        return found

    def parts(
        self, subject: int, points: Grid | Points, at_once: int, progress: bool = False
    ) -> Iterator[tuple[int, pd.DataFrame]]:
        """The rows of ``at_once`` points at a time, with the number of the first; in any order."""
        pricing, starts = self._pricings[subject], range(0, len(points), at_once)
        if self._store is None:
            if self._workers is None:
                pricing.prepare(points.arrays(), progress)
            shown = track(starts, f"search {pricing.workload.name}", progress)
            tasks = ((start, points.part(start, start + at_once)) for start in shown)
            found = price_all(pricing.workload, tasks, self._workers, pricing)
        else:
            filling.fill(self._store, pricing, points, self._workers, min(at_once, exploration.AT_ONCE), progress)
            found = self._stored(pricing.workload, points, starts, at_once)
        for start, frame in found:
            yield start, self._judged(subject, points.part(start, start + at_once), frame)

    def _stored(
        self, workload: Workload, points: Grid | Points, starts: range, at_once: int
    ) -> Iterator[tuple[int, pd.DataFrame]]:
        assert self._store is not None
        for start in starts:
            part = points.part(start, start + at_once)
            yield start, filling.known(self._store, workload, part, part.hashes())

    def _judged(self, subject: int, points: Points, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with ``accuracy``; a point whose datapath cannot run the network is infeasible."""
        if self._networks is None:
            return frame
        network, (x, y) = self._networks[subject]
        keys, which = points.distinct("datapath", "overrides")
        feasible = (frame["error"] == "").to_numpy()
        accuracy = np.full(len(keys), np.nan)
        problems = np.full(len(keys), "", object)
        for i in np.unique(which[feasible]):
            try:
                accuracy[i] = evaluate(network, _first(points, feasible & (which == i)), x, y)
            except HwsimError as error:
                problems[i] = str(error)
        bad = feasible & (problems[which] != "")
        frame = frame.mask(np.broadcast_to(bad[:, None], frame.shape)) if bad.any() else frame.copy()
        frame["error"] = np.where(bad, problems[which], frame["error"].fillna(""))
        frame["accuracy"] = np.where(feasible, accuracy[which], np.nan)
        return frame


def _first(points: Points, where: np.ndarray) -> Design:
    return points[int(np.flatnonzero(where)[0])]


def _with_data(subject: Network | Workload, data: Data | Mapping[str, Data]) -> tuple[Network, Data]:
    if not isinstance(subject, Network):
        raise NetworkError(f"workload {subject.name!r} computes no values: accuracy needs a network")
    if isinstance(data, Mapping) and subject.name not in data:
        raise NetworkError(f"no data for network {subject.name!r}: expected inputs and labels under its name")
    x, y = data[subject.name] if isinstance(data, Mapping) else data
    return subject, checked(subject, x, y)
