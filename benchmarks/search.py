"""How near searches of 2,000 evaluations come to the exact front of 100,000 points."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import qmc

import hwsim
from benchmarks.exploration import MILLION
from benchmarks.measurement import Measurement
from hwsim import workloads
from hwsim.criteria import Criteria
from hwsim.exploration import OBJECTIVES, pareto
from hwsim.hypervolume import hypervolume

SPACE = {key: values for key, values in MILLION.items() if key not in ("clock_mhz", "overlap")}
EVALUATIONS = 2_000
SEEDS = range(5)


def measure() -> Iterator[Measurement]:
    """Share of the exact front's hypervolume, of logarithms and as it is, reference point: its worst values."""
    workload = workloads.load("bert-base")
    exact = hwsim.search(workload, SPACE)
    found = [hwsim.search(workload, SPACE, method="nsga2", evaluations=EVALUATIONS, seed=seed) for seed in SEEDS]
    logs = [_share(each.front, exact.front) for each in found]
    plain = [_share(each.front, exact.front, logarithms=False) for each in found]
    chance = [_share(_sobol(workload, seed), exact.front) for seed in SEEDS]
    counts = f"{exact.size:,} points, {len(exact.front)} of them on the exact front; {EVALUATIONS:,} evaluations"
    yield Measurement(
        name="search, NSGA-II after a Sobol start", value=100 * min(logs), unit="% of the exact hypervolume (log)",
        baseline=f"Sobol sample of as many points (worst: {100 * min(chance):.1f} %)", ratio=min(logs) / min(chance),
        note=f"BERT-base, latency, energy, area; {counts}; seeds: {_list(logs)}; without logarithms: {_list(plain)}",
    )  # fmt: skip


def _share(front: pd.DataFrame, exact: pd.DataFrame, logarithms: bool = True) -> float:
    criteria = Criteria.of(OBJECTIVES, None)
    values = [criteria.scaled(each) if logarithms else criteria.values(each) for each in (front, exact)]
    worst = values[1].max(axis=0)
    return hypervolume(values[0], worst) / hypervolume(values[1], worst)


def _sobol(workload: hwsim.Workload, seed: int) -> pd.DataFrame:
    space = hwsim.Space(SPACE)
    sizes = [len(values) for values in SPACE.values()]
    rows = qmc.Sobol(len(sizes), rng=np.random.default_rng(seed)).random_base2(11)[:EVALUATIONS] * sizes
    choices = [dict(zip(SPACE, map(int, row), strict=True)) for row in rows]
    designs = [space.design({key: SPACE[key][at] for key, at in choice.items()}) for choice in choices]
    return pareto(hwsim.sweep(workload, list(dict.fromkeys(designs))))


def _list(shares: list[float]) -> str:
    return ", ".join(f"{100 * share:.1f} %" for share in shares)
