"""One measured figure, and how time is taken."""

import dataclasses
import statistics
import time
from collections.abc import Callable

PAUSE_S = 0.15
"""Longer than OpenBLAS's threads wait for more work."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
    """``value`` in ``unit``, measured beside ``baseline`` in the same run; ``ratio`` above 1 is better."""

    name: str
    value: float
    unit: str
    baseline: str
    ratio: float | None
    note: str


def seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """Median wall time of ``work``, after one call that warms caches and compiles."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def side_by_side(first: Callable[[], object], second: Callable[[], object], repeats: int = 7) -> tuple[float, float]:
    """Median wall times of two pieces of work that take turns, so that a busy machine slows both.

    Before it is timed each runs once more, after a pause: OpenBLAS's threads keep a core busy for a tenth of a second
    after they have worked, which is not for the other one to pay, and threads that sleep wake up late.
    """
    first(), second()
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        times.append((_rested(first), _rested(second)))
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def _rested(work: Callable[[], object]) -> float:
    time.sleep(PAUSE_S)
    work()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
