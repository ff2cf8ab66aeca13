"""Between measured points: rows whose figures are weighted sums of products of parameters.

For each action and part, and each choice of its named options (scheme and the like), non-negative weights are fitted to
all measured points by least squares of relative errors. Such a row holds between the smallest and largest
measured value of every parameter. Its error is that of points left out, one by one.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from scipy.optimize import nnls

from hwsim.technology.rows import AreaRow, EnergyRow, Range, Row

R = TypeVar("R", EnergyRow, AreaRow)
FEWEST = 4
"""Points from which a fit is made."""
FITTED = "fit of"
"""How the sources of fitted rows begin."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """Weights of the terms, the constant first, and relative errors of points left out (float64[points])."""

    weights: np.ndarray
    held_out: np.ndarray

    @property
    def error_pct(self) -> float:
        """Largest error of a point left out."""
        return float(np.abs(self.held_out).max() * 100)

    @property
    def mean_error_pct(self) -> float:
        """Their mean."""
        return float(np.abs(self.held_out).mean() * 100)


def fit(points: np.ndarray, values: np.ndarray) -> Fit:
    """Weights of terms float64[points, terms] that meet positive ``values`` float64[points]."""
    scaled = points / values[:, None]
    left_out = [_solve(np.delete(scaled, i, axis=0)) @ scaled[i] - 1 for i in range(len(values))]
    return Fit(_solve(scaled), np.array(left_out))


def _solve(scaled: np.ndarray) -> np.ndarray:
    """Non-negative weights that bring every row's sum near 1."""
    norm = np.linalg.norm(scaled, axis=0)
    norm[norm == 0] = 1.0
    return nnls(scaled / norm, np.ones(len(scaled)))[0] / norm


def energies(rows: Iterable[EnergyRow], terms: Mapping[str, Sequence[str]]) -> list[EnergyRow]:
    """A fitted row for every action of the components that ``terms`` names."""

    def make(points: Sequence[EnergyRow], common: dict, weights: dict[str, float], constant: float) -> EnergyRow:
        fractions = [row.zero_delay_fraction for row in points if row.zero_delay_fraction is not None]
        zero = math.fsum(fractions) / len(fractions) if fractions else None
        return EnergyRow(
            **common, action=points[0].action, e0_pj=constant, coefficients=weights, zero_delay_fraction=zero
        )

    return _fitted(rows, terms, lambda row: row.e0_pj, make)


def areas(rows: Iterable[AreaRow], terms: Mapping[str, Sequence[str]]) -> list[AreaRow]:
    """A fitted row for every component that ``terms`` names; leakage in proportion, the longest critical path."""

    def make(points: Sequence[AreaRow], common: dict, weights: dict[str, float], constant: float) -> AreaRow:
        paths = [row.critical_path_ns for row in points if row.critical_path_ns]
        total = math.fsum(row.area_um2 for row in points)
        return AreaRow(
            **common, area_um2=constant, coefficients=weights, leakage_uw=0.0,
            leakage_uw_per_um2=math.fsum(row.leakage_uw for row in points) / total if total else 0.0,
            critical_path_ns=max(paths, default=None),
        )  # fmt: skip

    return _fitted(rows, terms, lambda row: row.area_um2, make)


def _fitted(
    rows: Iterable[R],
    terms: Mapping[str, Sequence[str]],
    value: Callable[[R], float],
    make: Callable[[Sequence[R], dict, dict[str, float], float], R],
) -> list[R]:
    groups: dict[tuple, list[R]] = {}
    for row in rows:
        if row.exact and row.component in terms and row.parameters:
            options = tuple((k, v) for k, v in row.parameters.items() if isinstance(v, str))
            groups.setdefault((row.component, getattr(row, "action", ""), options), []).append(row)
    found: list[R] = []
    for (component, *_), points in groups.items():
        if len(points) < FEWEST:
            continue
        # A figure that is 0 for some parts, as of a stage that they lack, is 0 for all of them or has no fit.
        values = np.array([value(point) for point in points])
        if not values.any():
            found.append(make(points, _common(points, 0.0, 0.0), {}, 0.0))
        elif (values > 0).all():
            names = _varying(points, terms[component])
            result = fit(_matrix(points, names), values)
            weights = {name: float(w) for name, w in zip(names, result.weights[1:], strict=True) if w > 0}
            common = _common(points, result.mean_error_pct, result.error_pct)
            found.append(make(points, common, weights, float(result.weights[0])))
    return found


def _matrix(points: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    """float64[points, 1 + terms], a one first."""
    return np.array([[1.0, *(_product(row, name) for name in names)] for row in points])


def _varying(points: Sequence[Row], terms: Sequence[str]) -> list[str]:
    """Terms that are not the same for all points."""
    return [term for term in terms if len({_product(row, term) for row in points}) > 1]


def _product(row: Row, term: str) -> float:
    return math.prod(row.number(name) for name in term.split("*"))


def _common(points: Sequence[Row], mean_error_pct: float, error_pct: float) -> dict:
    """What a fitted row has of the points'."""
    first = points[0]
    ranges: dict[str, float | str | Range] = {}
    for name, value in first.parameters.items():
        if isinstance(value, str):
            ranges[name] = value
        else:
            values = [row.number(name) for row in points]
            ranges[name] = Range(min(values), max(values)) if min(values) < max(values) else values[0]
    return {
        "node": first.node, "voltage_v": first.voltage_v, "component": first.component, "parameters": ranges,
        "source": f"{FITTED} {len(points)} measured points of this table; points left out one by one are met to "
        f"{mean_error_pct:.1f} % on average, {error_pct:.1f} % at worst",
        "status": "scaled", "error_pct": round(error_pct, 1),
    }  # fmt: skip
