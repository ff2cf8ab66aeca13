"""A study filled with what it does not know yet, and read for what was asked."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd

from hwsim.execution import price_all
from hwsim.points import Points
from hwsim.pricing import Pricing
from hwsim.progress import track
from hwsim.space import Grid
from hwsim.store import Store, Subject
from hwsim.workload import Workload


@contextlib.contextmanager
def opened(study: str | Path | Store) -> Iterator[Store]:
    """The store ``study``, or the one at this place, closed afterwards."""
    if isinstance(study, Store):
        yield study
        return
    with Store(study) as store:
        yield store


@contextlib.contextmanager
def opened_or_none(study: str | Path | Store | None) -> Iterator[Store | None]:
    """`opened`, if there is a study."""
    if study is None:
        yield None
        return
    with opened(study) as store:
        yield store


def fill(
    store: Store, pricing: Pricing, points: Grid | Points, workers: Executor | None, at_once: int, progress: bool
) -> int:
    """Computes and writes what is not there, ``at_once`` points per transaction; returns how many points that were."""
    workload = pricing.workload
    starts = track(range(0, len(points), at_once), f"sweep {workload.name}", progress)
    parts = (points.part(start, start + at_once) for start in starts)
    tasks = ((task, task[1]) for part in parts for task in _unknown(store, workload, part))
    first = next(tasks, None)
    if first is None:
        return 0
    if workers is None:
        pricing.prepare(points.arrays())
    return sum(
        store.add(subject, part, hashes, found)
        for (subject, part, hashes), found in price_all(workload, itertools.chain([first], tasks), workers, pricing)
    )


def _unknown(store: Store, workload: Workload, points: Points) -> Iterator[tuple[Subject, Points, list[str]]]:
    """Points that the store does not know, with their hashes, technology by technology."""
    for subject, index in _subjects(store, workload, points):
        part = points.take(index)
        hashes = part.hashes()
        there = store.known(subject, hashes)
        if len(there) < len(hashes):
            left = np.array([i for i, each in enumerate(hashes) if each not in there])
            yield subject, part.take(left), [hashes[i] for i in left]


def _subjects(store: Store, workload: Workload, points: Points) -> Iterator[tuple[Subject, np.ndarray]]:
    """What the store calls ``workload`` with each technology, and which points have this one."""
    names, which = points.distinct("technology")
    for i, (name,) in enumerate(names):
        yield store.subject(workload, name), np.flatnonzero(which == i)


def known(store: Store, workload: Workload, points: Grid | Points, hashes: Sequence[str]) -> pd.DataFrame:
    """`Result.totals` and ``error`` of all ``points``, whose hashes are ``hashes``, from the store."""
    everything = points.part(0, len(points))
    found = []
    for subject, index in _subjects(store, workload, everything):
        frame = store.totals(subject, [hashes[i] for i in index])
        frame.index = pd.Index(index)
        found.append(frame)
    return pd.concat(found).sort_index()
