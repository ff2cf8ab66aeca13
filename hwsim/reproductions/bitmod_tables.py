"""BitMoD's comparison as tables."""

import pandas as pd

from hwsim.reporting.tables import Table


def points(frame: pd.DataFrame) -> Table:
    """Of `bitmod.points`: ours beside what is published."""
    heads = (
        "Accelerator", "Model", "Stage", "Weight bits", "Cycles", "Published", "On chip (uJ)", "Published",
        "Energy (uJ)", "Published", "Verified",
    )  # fmt: skip
    rows = [
        (
            row.accelerator, row.workload, row.stage, f"{row.weight_bits:g}", f"{row.cycles:,}",
            _or_dash(row.published_cycles, ",.0f"), f"{row.onchip_uj:,.0f}", _or_dash(row.published_onchip_uj, ",.0f"),
            f"{row.energy_uj:,.0f}", _or_dash(row.published_energy_uj, ",.0f"), row.verified,
        )
        for row in frame.itertuples()
    ]  # fmt: skip
    return Table(heads, rows, frozenset(range(3, 10)))


def ratios(frame: pd.DataFrame) -> Table:
    """Of `bitmod.ratios`."""
    heads = ("Version", "Of", "BitMoD", "Against", "Tasks", "Mean", "Published", "In the paper", "Geometric mean")
    rows = [
        (
            str(row.version), row.quantity, row.accelerator, row.base, row.task, f"{row.mean:.3f}",
            _or_dash(row.published, "g"), _or_dash(row.paper, ".2f"), f"{row.geometric_mean:.3f}",
        )
        for row in frame.itertuples()
    ]  # fmt: skip
    return Table(heads, rows, frozenset(range(5, 9)))


def left_out(frame: pd.DataFrame) -> Table:
    """Of `bitmod.left_out`."""
    rows = [(row.counted, f"{row.cycles_percent:+.2f} %", f"{row.energy_percent:+.2f} %") for row in frame.itertuples()]
    return Table(("Counted", "Cycles", "Energy"), rows, frozenset({1, 2}))


def counterpart(frame: pd.DataFrame, published: pd.DataFrame) -> Table:
    """Of `bitmod.counterpart`, beside BitMoD-LY in the latest version of `bitmod.points`."""
    latest = published[published["version"] == published["version"].max()]
    latest = latest[latest["accelerator"] == "BitMoD-LY"]
    both = frame.merge(latest, on=["model", "workload", "stage"], suffixes=("", "_published"))
    heads = (
        "Model", "Stage", "Design", "Weights", "Cycles, matmuls", "Of BitMoD-LY's", "Cycles", "Energy (uJ)",
        "Technology", "Verified",
    )  # fmt: skip
    rows = [
        (
            row.workload, row.stage, row.design, row.format, f"{row.array_cycles:,}",
            f"{row.array_cycles / row.cycles_published:.2f}", f"{row.cycles:,}", f"{row.energy_uj:,.0f}",
            row.technology, row.verified,
        )
        for row in both.itertuples()
    ]  # fmt: skip
    return Table(heads, rows, frozenset({4, 5, 6, 7}))


def _or_dash(value: float, form: str) -> str:
    return "-" if pd.isna(value) else format(value, form)
