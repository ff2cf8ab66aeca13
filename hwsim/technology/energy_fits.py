"""Energy rows from samples: an action costs so much for every bit that changes, and if it is clocked a constant.

An action that has no features costs a constant alone. Constant and coefficients are not negative, and fitted by least
squares of errors relative to the energy of the whole array during a stimulus. How well they predict is told on stimuli
of networks that the fit has not seen.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hwsim.technology.least_squares import Normal
from hwsim.technology.rows import EnergyRow
from hwsim.technology.samples import Sample, by_point, totals

RANDOM = "random"
"""The network of stimuli that are of none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """What all rows of a table have in common."""

    node: str
    voltage_v: float


def rows(samples: Sequence[Sample], origin: Origin) -> list[EnergyRow]:
    """A row of every action and configuration that was measured."""
    whole = totals(samples)
    return [_row(point, whole, origin) for point in by_point(samples).values()]


def _row(point: Sequence[Sample], whole: Mapping[tuple[str, str], float], origin: Origin) -> EnergyRow:
    names = feature_names(point)
    solved = sum(_normals(point, whole).values(), start=none(len(names) + 1)).solve()
    errors = [abs(pj / sample.pj - 1) for sample, pj in predicted(point, whole) if sample.pj]
    first = point[0]
    networks = {sample.network for sample in point if sample.network != RANDOM}
    text = f"hwsim characterize: RTL {first.rtl}, {len(point)} sets of tiles, of {len(networks)} networks and random"
    if errors:
        text += f"; networks left out one by one are met to {np.mean(errors) * 100:.1f} % on average"
    return EnergyRow(
        node=origin.node, voltage_v=origin.voltage_v, component=first.component, action=first.action,
        parameters=first.parameters, e0_pj=float(solved[0]),
        coefficients={name: float(value) for name, value in zip(names, solved[1:], strict=True) if value > 0},
        source=text, status="measured", error_pct=round(float(np.mean(errors)) * 100, 1) if errors else None,
        zero_delay_fraction=zero_delay_fraction(point),
    )  # fmt: skip


def feature_names(point: Sequence[Sample]) -> list[str]:
    """Features of an action."""
    return list(dict.fromkeys(name for sample in point for name in sample.features))


def zero_delay_fraction(point: Sequence[Sample]) -> float | None:
    total = math.fsum(sample.pj for sample in point)
    return math.fsum(sample.zero_delay_pj for sample in point) / total if total else None


def none(unknowns: int) -> Normal:
    return Normal(np.zeros((unknowns, unknowns)), np.zeros(unknowns))


def _matrix(point: Sequence[Sample], names: Sequence[str]) -> np.ndarray:
    """float64[samples, 1 + features]: what constant and coefficients are multiplied with; 0 for a constant of 0."""
    return np.array(
        [[constants(sample), *(sample.features.get(name, 0.0) for name in names)] for sample in point], float
    )


def constants(sample: Sample) -> int:
    """How often the constant is in a sample."""
    return sample.count if sample.clocked or not sample.features else 0


def _normals(point: Sequence[Sample], whole: Mapping[tuple[str, str], float]) -> dict[str, Normal]:
    """Equations of each network's samples."""
    names, found = feature_names(point), dict[str, Normal]()
    for network in dict.fromkeys(sample.network for sample in point):
        chosen = [sample for sample in point if sample.network == network]
        weight = 1 / np.array([whole[sample.design, sample.stimulus] for sample in chosen])
        right = np.array([sample.pj for sample in chosen]) * weight
        found[network] = Normal.of(_matrix(chosen, names) * weight[:, None], right)
    return found


def predicted(point: Sequence[Sample], whole: Mapping[tuple[str, str], float]) -> list[tuple[Sample, float]]:
    """Samples of networks with the pJ that a fit without their network predicts; none if there is one network."""
    normals, names = _normals(point, whole), feature_names(point)
    total = sum(normals.values(), start=none(len(names) + 1))
    found: list[tuple[Sample, float]] = []
    for network, normal in normals.items():
        chosen = [sample for sample in point if sample.network == network]
        if network != RANDOM and len(normals) > 1:
            values = _matrix(chosen, names) @ (total - normal).solve()
            found += zip(chosen, values.tolist(), strict=True)
    return found


def held_out(samples: Sequence[Sample]) -> pd.DataFrame:
    """Energy of whole arrays, predicted without the stimulus's network, against what gates said.

    One row per design and stimulus of a network: design, datapath, dataflow, stimulus, pj, predicted_pj, error_pct.
    Arrays of which an action cannot be predicted are left out.
    """
    whole = totals(samples)
    guesses: dict[tuple[str, str], float] = {}
    missing: set[tuple[str, str]] = set()
    for point in by_point(samples).values():
        known = {(sample.design, sample.stimulus): pj for sample, pj in predicted(point, whole)}
        for sample in point:
            key = sample.design, sample.stimulus
            if key in known:
                guesses[key] = guesses.get(key, 0.0) + known[key]
            else:
                missing.add(key)
    about = {(sample.design, sample.stimulus): (sample.datapath, sample.dataflow) for sample in samples}
    listed = [(*key, *about[key], whole[key], pj) for key, pj in guesses.items() if key not in missing]
    frame = pd.DataFrame(listed, columns=["design", "stimulus", "datapath", "dataflow", "pj", "predicted_pj"])
    frame["error_pct"] = (frame["predicted_pj"] / frame["pj"] - 1) * 100
    return frame
