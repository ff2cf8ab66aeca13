"""What a search looks for: objectives, and limits that a point must keep."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from hwsim.errors import DesignError, nearest
from hwsim.result import TOTALS

MEASURES = (*(name for name in TOTALS if name not in ("verified", "macs")), "accuracy", "error")
"""Columns of a sweep, and the share of right and wrong answers."""
LARGER_IS_BETTER = ("tops", "tops_per_w", "accuracy")
SMALLEST = 1e-30
"""Costs that are 0, as the leakage of a technology that tells none, count as this where logarithms are taken."""

Limit = tuple[float | None, float | None]


@dataclasses.dataclass(frozen=True)
class Criteria:
    """Measures to be as good as possible, and for others (or the same) the lowest and highest value allowed."""

    objectives: tuple[str, ...]
    limits: Mapping[str, Limit]

    @classmethod
    def of(cls, objectives: Sequence[str], constraints: Mapping[str, Any] | None) -> Self:
        """Checked criteria; a constraint is the worst value allowed, or a pair (lowest, highest), either None.

        DesignError for an unknown measure (with the nearest), one named twice, and limits that nothing can keep.
        """
        if isinstance(objectives, str) or not objectives:
            raise DesignError(f"objectives = {objectives!r}: expected a list of measures such as 'energy_pj'")
        for name in (*objectives, *(constraints or {})):
            if name not in MEASURES:
                raise DesignError(f"unknown measure {name!r}; {nearest(str(name), MEASURES)}")
        if len(set(objectives)) < len(objectives):
            raise DesignError(f"objectives {', '.join(objectives)}: one is named twice")
        return cls(tuple(objectives), {name: _limit(name, value) for name, value in (constraints or {}).items()})

    @property
    def needs_accuracy(self) -> bool:
        """Whether the network must be run."""
        return bool({"accuracy", "error"} & {*self.objectives, *self.limits})

    def values(self, frame: pd.DataFrame) -> np.ndarray:
        """float64[P, objectives] of a sweep's rows: smaller is better, NaN where a point is infeasible."""
        columns = [_column(frame, name) * (-1 if name in LARGER_IS_BETTER else 1) for name in self.objectives]
        return np.stack(columns, axis=1)

    def scaled(self, frame: pd.DataFrame) -> np.ndarray:
        """`values` of which costs, which span decades, are logarithms: in the same order."""
        columns = []
        for name in self.objectives:
            column = _column(frame, name)
            if name not in ("accuracy", "error"):
                column = np.log10(np.maximum(column, SMALLEST))
            columns.append(column * (-1 if name in LARGER_IS_BETTER else 1))
        return np.stack(columns, axis=1)

    def excess(self, frame: pd.DataFrame) -> np.ndarray:
        """float64[P, limits]: by how much a point misses each limit, relative to it; 0 where it keeps it."""
        columns = [np.zeros((len(frame), 0))]
        for name, (low, high) in self.limits.items():
            column = _column(frame, name)
            over = np.zeros(len(column)) if high is None else (column - high) / (abs(high) or 1.0)
            under = np.zeros(len(column)) if low is None else (low - column) / (abs(low) or 1.0)
            columns.append(np.maximum(np.maximum(over, under), 0.0)[:, None])
        return np.concatenate(columns, axis=1)


class Attained:
    """How near the points seen so far come to the limits, to say which of them nothing keeps."""

    def __init__(self, criteria: Criteria) -> None:
        self.criteria = criteria
        self.kept = 0
        self.feasible = 0
        self.problem = ""
        self._alone = [_Nearest() for _ in criteria.limits]
        self._together = [_Nearest() for _ in criteria.limits]

    def update(self, frame: pd.DataFrame) -> np.ndarray:
        """bool[P]: which rows are feasible and keep every limit."""
        feasible = (frame["error"] == "").to_numpy()
        if not feasible.all() and not self.problem:
            self.problem = str(frame.loc[~feasible, "error"].iloc[0])
        excess = self.criteria.excess(frame)
        missed = ~(excess <= 0)
        kept = feasible & ~missed.any(axis=1)
        self.feasible += int(feasible.sum())
        self.kept += int(kept.sum())
        for i, name in enumerate(self.criteria.limits):
            column = _column(frame, name)
            others = np.delete(missed, i, axis=1).any(axis=1)
            self._alone[i].update(excess[feasible, i], column[feasible])
            self._together[i].update(excess[feasible & ~others, i], column[feasible & ~others])
        return kept

    def check(self) -> None:
        """DesignError saying which limits no point keeps, or that none is feasible, if no point was accepted."""
        if self.kept:
            return
        if not self.feasible:
            raise DesignError(f"no point of the space is feasible: {self.problem}")
        seen = f"none of the {self.feasible:,} feasible points"
        alone = list(zip(self.criteria.limits.items(), self._alone, strict=True))
        lost = [f"{_words(*limit)} (nearest: {near.value:.6g})" for limit, near in alone if near.excess > 0]
        if lost:
            raise DesignError(f"{seen} keeps {' or '.join(lost)}")
        together = zip(self.criteria.limits.items(), self._together, strict=True)
        trade = [
            f"{_words(*limit)} (nearest where the others are kept: {near.value:.6g})"
            for limit, near in together
            if np.isfinite(near.excess)
        ]
        names = " and ".join(trade or [_words(*limit) for limit in self.criteria.limits.items()])
        raise DesignError(f"{seen} keeps all of the limits at once, though each is kept by some: {names}")


class _Nearest:
    """The value that misses a limit by least."""

    def __init__(self) -> None:
        self.excess, self.value = np.inf, np.nan

    def update(self, excess: np.ndarray, values: np.ndarray) -> None:
        if len(excess) and excess.min() < self.excess:
            at = int(excess.argmin())
            self.excess, self.value = float(excess[at]), float(values[at])


def _limit(name: str, value: Any) -> Limit:
    pair = value if isinstance(value, tuple | list) else (value, None) if name in LARGER_IS_BETTER else (None, value)
    wrong = len(pair) != 2 or not all(
        each is None or (isinstance(each, int | float) and not isinstance(each, bool) and np.isfinite(each))
        for each in pair
    )
    if wrong or all(each is None for each in pair):
        raise DesignError(f"constraint {name} = {value!r}: expected a number, or a pair (lowest, highest)")
    low, high = (None if each is None else float(each) for each in pair)
    if low is not None and high is not None and low > high:
        raise DesignError(f"constraint {name} = {value!r}: the lowest value is above the highest")
    return low, high


def _words(name: str, limit: Limit) -> str:
    low, high = limit
    if low is None:
        return f"{name} <= {high:g}"
    return f"{name} >= {low:g}" if high is None else f"{low:g} <= {name} <= {high:g}"


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name == "error":  # of a sweep's rows that column says why a point is infeasible
        return 1.0 - frame["accuracy"].to_numpy(dtype=np.float64)
    return frame[name].to_numpy(dtype=np.float64)
