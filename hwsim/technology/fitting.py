"""Areas between measured points: weighted sums of products of parameters.

For each part, and each choice of its named options (scheme and the like), non-negative weights are fitted to
all measured points by least squares of relative errors. Such a row holds between the smallest and largest
measured value of every parameter. Its error is that of points left out, one by one.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.optimize import nnls

from hwsim.technology.rows import AreaRow, Range

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


def areas(rows: Iterable[AreaRow], terms: Mapping[str, Sequence[str]]) -> list[AreaRow]:
    """A fitted row for every component that ``terms`` names; leakage in proportion, the longest critical path."""
    groups: dict[tuple, list[AreaRow]] = {}
    for row in rows:
        if row.exact and row.component in terms and row.parameters:
            options = tuple((k, v) for k, v in row.parameters.items() if isinstance(v, str))
            groups.setdefault((row.component, options), []).append(row)
    return [_area(points, terms[name]) for (name, _), points in groups.items() if len(points) >= FEWEST]


def _area(points: Sequence[AreaRow], terms: Sequence[str]) -> AreaRow:
    names = varying([row.parameters for row in points], terms)
    values = np.array([row.area_um2 for row in points])
    result = fit(_matrix(points, names), values)
    paths = [row.critical_path_ns for row in points if row.critical_path_ns]
    first = points[0]
    return AreaRow(
        node=first.node, voltage_v=first.voltage_v, component=first.component,
        parameters=ranges([row.parameters for row in points]), area_um2=float(result.weights[0]),
        coefficients={name: float(w) for name, w in zip(names, result.weights[1:], strict=True) if w > 0},
        leakage_uw=0.0, leakage_uw_per_um2=math.fsum(row.leakage_uw for row in points) / float(values.sum()),
        critical_path_ns=max(paths, default=None),
        source=f"{FITTED} {len(points)} measured points of this table; points left out one by one are met to "
        f"{result.mean_error_pct:.1f} % on average, {result.error_pct:.1f} % at worst",
        status="scaled", error_pct=round(result.error_pct, 1),
    )  # fmt: skip


def _matrix(points: Sequence[AreaRow], names: Sequence[str]) -> np.ndarray:
    """float64[points, 1 + terms], a one first."""
    return np.array([[1.0, *(_product(row, name) for name in names)] for row in points])


def varying(points: Sequence[Mapping[str, float | str | Range]], terms: Sequence[str]) -> list[str]:
    """Terms of parameters that points have, and that are not the same for all."""
    found = []
    for term in terms:
        names = term.split("*")
        known = [[point[name] for name in names] for point in points if all(name in point for name in names)]
        if len({math.prod(map(_number, values)) for values in known}) > 1:
            found.append(term)
    return found


def _number(value: float | str | Range) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _product(row: AreaRow, term: str) -> float:
    return math.prod(row.number(name) for name in term.split("*"))


def ranges(points: Sequence[Mapping[str, float | str | Range]]) -> dict[str, float | str | Range]:
    """What parameters of several points span: each the same for all, or a range."""
    found: dict[str, float | str | Range] = {}
    for name, value in points[0].items():
        if isinstance(value, str):
            found[name] = value
        else:
            values = [float(point[name]) for point in points]  # type: ignore[arg-type]
            found[name] = Range(min(values), max(values)) if min(values) < max(values) else values[0]
    return found
