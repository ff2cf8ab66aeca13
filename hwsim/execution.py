"""Design points priced here, in worker processes, or by any executor."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from typing import TypeVar

import numba
import pandas as pd

from hwsim.errors import DesignError, HwsimError
from hwsim.measurement import version
from hwsim.points import Points
from hwsim.pricing import Pricing
from hwsim.totals import totals
from hwsim.workload import Workload

Tag = TypeVar("Tag")
IN_FLIGHT = 32
"""Tasks that an executor has at a time: results are taken as they come, so memory does not grow with the sweep."""

_PRICINGS: dict[str, Pricing] = {}
"""Of a worker: the last workload's."""


@contextlib.contextmanager
def executor_of(jobs: int, executor: Executor | None) -> Iterator[Executor | None]:
    """``executor``, or ``jobs`` worker processes for as long as the context lasts, or None for one job."""
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1:
        raise DesignError(f"jobs = {jobs!r}: accepted are whole numbers from 1")
    if executor is not None or jobs == 1:
        yield executor
        return
    # A forked process cannot use the threads that kernels of its parent started.
    context = multiprocessing.get_context("spawn")
    own = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(jobs,))
    try:
        yield own
    finally:
        own.shutdown(cancel_futures=True)


def _start_worker(jobs: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    numba.set_num_threads(min(numba.get_num_threads(), max(1, (os.cpu_count() or 1) // jobs)))


def price_all(
    workload: Workload, tasks: Iterable[tuple[Tag, Points]], executor: Executor | None, pricing: Pricing
) -> Iterator[tuple[Tag, pd.DataFrame]]:
    """The totals of each task's points, in any order; with ``pricing`` if there is no executor.

    HwsimError if the executor's workers die.
    """
    if executor is None:
        for tag, points in tasks:
            yield tag, totals(pricing, points)
        return
    pending: dict[Future[pd.DataFrame], Tag] = {}
    try:
        for tag, points in tasks:
            pending[executor.submit(_price, version(), workload, points)] = tag
            if len(pending) >= IN_FLIGHT:
                yield from _finished(pending)
        while pending:
            yield from _finished(pending)
    except BrokenExecutor as error:
        raise HwsimError(
            f"a worker ended before its work was done ({error}); process pools need "
            "mp_context=multiprocessing.get_context('spawn'), and scripts an if __name__ == '__main__' around the sweep"
        ) from None
    finally:
        for future in pending:
            future.cancel()


def _finished(pending: dict[Future[pd.DataFrame], Tag]) -> Iterator[tuple[Tag, pd.DataFrame]]:
    """What is ready; waits for the first."""
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        yield pending.pop(future), future.result()


def _price(wanted: str, workload: Workload, points: Points) -> pd.DataFrame:
    """What a worker does: it keeps what it looked up of a workload from task to task.

    HwsimError unless its hwsim is the ``wanted`` one, as on another machine it may not be.
    """
    if version() != wanted:
        raise HwsimError(f"a worker has hwsim {version()}, this is {wanted}: results would differ")
    if workload.hash not in _PRICINGS:
        _PRICINGS.clear()
        _PRICINGS[workload.hash] = Pricing(workload)
    return totals(_PRICINGS[workload.hash], points)
