"""The tables of a report: heads and cells as text, ready for HTML."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from hwsim.exploration import pareto
from hwsim.plotting import keys, metrics
from hwsim.reporting.energy import energy_frame
from hwsim.result import Result
from hwsim.technology.rows import EnergyRow

OBJECTIVES = ("energy_pj", "latency_s", "area_um2", "edp_js")
RANKED = ("latency_s", "energy_pj", "area_um2", "edp_js", "tops_per_w", "accuracy")
RANKED_PER_NETWORK = 10


@dataclasses.dataclass(frozen=True)
class Table:
    """Heads, rows of text, and which columns are numbers."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()


def swept(values: Mapping[str, Iterable[Any]]) -> Table:
    """Design keys that take more than one value, and their values."""
    rows = []
    for key, found in values.items():
        if len(ordered := keys.ordered(found)) > 1:
            rows.append((key, ", ".join(keys.text(value) for value in ordered)))
    return Table(("Parameter", "Values"), rows)


def best(points: pd.DataFrame) -> Table:
    """Each network's best point by each objective: the value and the design."""
    heads = ["Network", *(f"Least {_in_sentence(metrics.METRICS[column].title)}" for column in OBJECTIVES)]
    rows = []
    for name, group in points.groupby("workload", sort=False):
        found = [group.loc[group[column].idxmin()] for column in OBJECTIVES]
        cells = [
            f"{metrics.show(column, row[column])}\n{row['label']}"
            for column, row in zip(OBJECTIVES, found, strict=True)
        ]
        rows.append((str(name), *cells))
    return Table(heads, rows)


def _in_sentence(title: str) -> str:
    return title if title.isupper() else title.lower()


def ranked(points: pd.DataFrame, count: int = RANKED_PER_NETWORK) -> Table:
    """Each network's ``count`` best points by EDP; a star marks the front of latency, energy and area."""
    columns = [column for column in RANKED if column in points]
    heads = ["#", "Network", "Design", *(metrics.METRICS[column].title for column in columns), "Front", "Verified"]
    rows = []
    for name, group in points.groupby("workload", sort=False):
        front = set(pareto(group).index)
        for rank, (index, row) in enumerate(group.nsmallest(count, "edp_js").iterrows(), 1):
            values = [metrics.show(column, row[column]) for column in columns]
            star = "★" if index in front else ""
            rows.append((str(rank), str(name), row["label"], *values, star, row["verified"]))
    return Table(heads, rows, frozenset({0, *range(3, 3 + len(columns))}))


def points(frame: pd.DataFrame, columns: Sequence[str]) -> Table:
    """A sweep's feasible rows in their order, with these metrics."""
    heads = ["#", "Network", "Design", *(metrics.METRICS[column].title for column in columns), "Verified"]
    rows = [
        (str(rank), str(row["workload"]), row["label"], *(metrics.show(column, row[column]) for column in columns),
         row["verified"])
        for rank, row in enumerate(frame.to_dict("records"), 1)
    ]  # fmt: skip
    return Table(heads, rows, frozenset({0, *range(3, 3 + len(columns))}))


def infeasible(reasons: Mapping[tuple[str, str], tuple[int, str]]) -> Table:
    """Why points have no totals, how many, and one of them: ``reasons`` by network and why."""
    rows = [(name, f"{count:,}", why, example) for (name, why), (count, example) in reasons.items()]
    return Table(("Network", "Points", "Why", "One of them"), rows, frozenset({1}))


def layers(result: Result) -> Table:
    """Cycles, bound, utilization and energy of each layer."""
    heads = (
        "Layer", "M x N x K", "MACs", "Compute cycles", "Memory cycles", "Cycles", "Bound by", "Utilization", "Energy",
        "Verified",
    )  # fmt: skip
    rows = []
    for layer in result.layers:
        matmul = layer.kind == "matmul"
        shape = " x ".join(map(str, layer.shape)) + (f" ({layer.matmuls} times)" if layer.matmuls > 1 else "")
        rows.append(
            (
                layer.name, shape if matmul else "host operator", f"{layer.macs:,}" if matmul else "",
                f"{layer.compute_cycles:,}", f"{layer.memory_cycles:,}", f"{layer.cycles:,}",
                metrics.bound(layer.bound), f"{layer.utilization:.1%}" if matmul else "",
                metrics.show("energy_pj", layer.energy_pj()), layer.verified,
            )
        )  # fmt: skip
    return Table(heads, rows, frozenset({2, 3, 4, 5, 7, 8}))


def repetition(result: Result) -> Table:
    """Density of the weights and how much of them repeats, of each layer that makes use of it."""
    heads = ("Layer", "Weights that are not 0", "Output channels that differ", "Patterns per channel and step")
    rows = [
        (row["layer"], *(f"{row[name]:.1%}" for name in ("density", "distinct_rows", "distinct_patterns")))
        for row in result.repetition().to_dict("records")
    ]
    return Table(heads, rows, frozenset({1, 2, 3}))


def energy(result: Result) -> Table:
    """Where the energy goes, largest first: component, action, count, pJ per action, total, share."""
    heads = ("Component", "Action", "Count", "pJ/action", "Total", "At zero delay", "Share", "Status", "Source")
    rows = [
        (
            row["component"].replace("_", " "), row["action"], f"{row['count']:,}", f"{row['pj_per_action']:.4g}",
            metrics.show("energy_pj", row["total_pj"]), metrics.show("energy_pj", row["zero_delay_pj"]),
            f"{row['percent']:.1f}%", row["status"], row["source"],
        )
        for row in energy_frame(result).to_dict("records")
    ]  # fmt: skip
    return Table(heads, rows, frozenset({2, 3, 4, 5, 6}))


def sources(results: Sequence[Result]) -> Table:
    """Every technology row that the results used: what, value, status, error and source."""
    found: dict[tuple[str, ...], None] = {}
    for result in results:
        used = [event.row for layer in result.layers for event in layer.events if event.row and event.count]
        for row in [*used, *(part.row for part in result.parts)]:
            energy = isinstance(row, EnergyRow)
            what = f"{row.component} {row.action}" if isinstance(row, EnergyRow) else row.component
            volt = f"{row.voltage_v:g} V" if row.voltage_v else ""
            error = f"{row.error_pct:g} %" if row.error_pct is not None else ""
            kind = "energy" if energy else "area"
            found[(kind, what, result.design.technology, volt, row.status, error, row.source)] = None
    heads = ("Table", "Row", "Technology", "Supply", "Status", "Error", "Source")
    return Table(heads, sorted(found))
