"""Energy rows between measured points: what a changing bit costs is a sum of products of parameters.

All points of an action and choice of named options are fitted together, by non-negative least squares. How well a row
holds is told on points that are left out and lie between others, one by one: nothing is extrapolated.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hwsim.technology.energy_fits import Origin, constants, feature_names, none, zero_delay_fraction
from hwsim.technology.fitting import FEWEST, FITTED, ranges, varying
from hwsim.technology.least_squares import Normal
from hwsim.technology.rows import EnergyRow, Range
from hwsim.technology.samples import FAMILY, Sample, by_point, totals

FEATURE_TERMS = (
    "tree_depth",
    "weight_bits",
    "activation_bits",
    "lanes",
    "multiplier_bits",
    "rows",
    "row_lanes",
)
"""Parameters that a changing bit's energy may depend on."""
Terms = Mapping[str, Sequence[str]]
"""By component, the products of parameters that constants are sums of."""


def rows(samples: Sequence[Sample], terms: Terms, origin: Origin) -> list[EnergyRow]:
    """For each action and choice of named options a row that holds between the measured points."""
    return [fit.row(origin) for fit in _fits(samples, terms)]


def left_out(samples: Sequence[Sample], terms: Terms) -> pd.DataFrame:
    """Energy of whole arrays over all stimuli, predicted by rows that were fitted without the design's points.

    One row per design whose points all lie between others: design, datapath, dataflow, pj, predicted_pj, error_pct.
    Actions that depend on no parameter are taken as measured.
    """
    predicted: dict[str, float] = {}
    edge: set[str] = set()
    fitted: set[tuple] = set()
    for fit in _fits(samples, terms):
        for i, point in enumerate(fit.points):
            fitted.add(point[0].point)
            for sample, pj in zip(point, fit.predicted_pj(i).tolist(), strict=True):
                predicted[sample.design] = predicted.get(sample.design, 0.0) + pj
            if not fit.between(i):
                edge |= {sample.design for sample in point}
    for sample in samples:
        if sample.point not in fitted:
            predicted[sample.design] = predicted.get(sample.design, 0.0) + sample.pj
            if any(not isinstance(value, str) for value in sample.parameters.values()):
                edge.add(sample.design)
    measured: dict[str, float] = {}
    for (design, _), pj in totals(samples).items():
        measured[design] = measured.get(design, 0.0) + pj
    about = {sample.design: (sample.datapath, sample.dataflow) for sample in samples}
    listed = [(design, *about[design], pj, predicted[design]) for design, pj in measured.items() if design not in edge]
    frame = pd.DataFrame(listed, columns=["design", "datapath", "dataflow", "pj", "predicted_pj"])
    frame["error_pct"] = (frame["predicted_pj"] / frame["pj"] - 1) * 100
    return frame


@dataclasses.dataclass(frozen=True)
class _Fit:
    """The points of one row: their samples, the terms that it sums (the constant first), matrices and equations."""

    points: tuple[list[Sample], ...]
    names: tuple[str, ...]
    matrices: tuple[np.ndarray, ...]
    normals: tuple[Normal, ...]

    @functools.cached_property
    def total(self) -> Normal:
        """The equations of all points."""
        return sum(self.normals, start=none(len(self.names)))

    def predicted_pj(self, i: int) -> np.ndarray:
        """float64[samples] of a point, by a fit without it."""
        return self.matrices[i] @ (self.total - self.normals[i]).solve()

    def between(self, i: int) -> bool:
        """Whether each parameter of a point is in the range of the others'."""
        others = ranges([_parameters(point) for k, point in enumerate(self.points) if k != i])
        own = _parameters(self.points[i])
        return all(own[name] in span if isinstance(span, Range) else own[name] == span for name, span in others.items())

    def row(self, origin: Origin) -> EnergyRow:
        """The row that holds for the ranges of the points' parameters."""
        solved = self.total.solve()
        energies = [math.fsum(sample.pj for sample in point) for point in self.points]
        errors = [
            abs(float(self.predicted_pj(i).sum() / pj - 1))
            for i, pj in enumerate(energies)
            if pj and self.between(i)
        ]  # fmt: skip
        first = self.points[0][0]
        source = f"{FITTED} {len(self.points)} measured points of this table"
        if errors:
            mean, worst = np.mean(errors) * 100, max(errors) * 100
            source += f"; {len(errors)} between others, left out one by one, are met to {mean:.1f} % on average, "
            source += f"{worst:.1f} % at worst"
        return EnergyRow(
            node=origin.node, voltage_v=origin.voltage_v, component=first.component, action=first.action,
            parameters=ranges([_parameters(point) for point in self.points]), e0_pj=float(solved[0]),
            coefficients={n: float(v) for n, v in zip(self.names[1:], solved[1:], strict=True) if v > 0},
            source=source, status="scaled", error_pct=round(max(errors) * 100, 1) if errors else None,
            zero_delay_fraction=zero_delay_fraction([sample for point in self.points for sample in point]),
        )  # fmt: skip


def _parameters(point: Sequence[Sample]) -> dict[str, float | str]:
    """What a row between points depends on."""
    return {name: value for name, value in point[0].parameters.items() if name != FAMILY}


def _fits(samples: Sequence[Sample], terms: Terms) -> list[_Fit]:
    whole = totals(samples)
    groups: dict[tuple, list[list[Sample]]] = {}
    for point in by_point(samples).values():
        first = point[0]
        if first.component in terms and first.parameters:
            options = tuple(value for value in _parameters(point).values() if isinstance(value, str))
            groups.setdefault((first.component, first.action, options), []).append(point)
    return [_fit(points, terms[key[0]], whole) for key, points in groups.items() if len(points) >= FEWEST]


def _fit(points: Sequence[list[Sample]], terms: Sequence[str], whole: Mapping[tuple[str, str], float]) -> _Fit:
    parameters = [point[0].parameters for point in points]
    names = ["", *varying(parameters, terms)]  # "" stands for the constant
    more = varying(parameters, FEATURE_TERMS)
    for feature in feature_names([sample for point in points for sample in point]):
        names += [feature, *(f"{feature}*{term}" for term in more)]
    matrices, normals = [], []
    for point in points:
        weight = 1 / np.array([whole[sample.design, sample.stimulus] for sample in point])
        matrices.append(_products(point, names))
        normals.append(Normal.of(matrices[-1] * weight[:, None], np.array([sample.pj for sample in point]) * weight))
    return _Fit(tuple(points), tuple(names), tuple(matrices), tuple(normals))


def _products(point: Sequence[Sample], names: Sequence[str]) -> np.ndarray:
    """float64[samples, names]: each term times actions, or times the feature that it names."""
    parameters = point[0].parameters
    columns = []
    for name in names:
        parts = name.split("*") if name else []
        known = [part for part in parts if part in parameters]
        feature = next((part for part in parts if part not in parameters), None)
        factor = math.prod(float(parameters[part]) for part in known)
        columns.append(
            [factor * (constants(sample) if feature is None else sample.features.get(feature, 0.0)) for sample in point]
        )
    return np.array(columns, float).T
