"""``hwsim reproduce``."""

from pathlib import Path

import click
import pandas as pd

from hwsim.cli import inputs, output
from hwsim.files import write_atomically
from hwsim.reporting.tables import Table

CSV_COLUMNS = ["version", "accelerator", "model", "stage", "cycles", "energy_uj"]


@click.group()
def reproduce() -> None:
    """Published comparisons, recomputed and set beside the published figures."""


@reproduce.command()
@click.option("--version", type=click.Choice(["2024", "2025"]), help="One simulator of the authors; both by default.")
@click.option("--csv", type=click.Path(path_type=Path, dir_okay=False), help="Cycles and energy of every point.")
@inputs.json_option
def bitmod(version: str | None, csv: Path | None, as_json: bool) -> None:
    """BitMoD (HPCA 2025): six language models on FP16, ANT, OliVe and BitMoD, and on our bit-serial array.

    \b
    Examples:
      hwsim reproduce bitmod
      hwsim reproduce bitmod --version 2024 --csv bitmod.csv
    """
    from hwsim.reproductions import bitmod as published

    versions = [int(version)] if version else list(published.VERSIONS)
    points = published.points(versions, progress=True)
    ratios = published.ratios(pd.concat([points, published.equal_area(versions, progress=True)]))
    if csv:
        write_atomically(csv, points[CSV_COLUMNS].to_csv(index=False, float_format="%.3f").encode())
    left_out, counterpart = published.left_out(progress=True), published.counterpart(progress=True)
    if as_json:
        frames = {"points": points, "ratios": ratios, "left_out": left_out, "counterpart": counterpart}
        output.print_json({name: output.records(frame) for name, frame in frames.items()})
        return
    for each, rows in points.groupby("version"):
        output.print_table(_points(rows), f"BitMoD's simulator of {each}: cycles and energy, published beside ours")
    output.print_table(_ratios(ratios), "Times the cycles or energy of BitMoD")
    output.print_line(
        "discriminative: prefill of 256 tokens; generative: that and 20 decode steps; mean: arithmetic, as published; "
        "published: recomputed by the authors' own code"
    )
    output.print_table(_left_out(left_out), "If it counted: BitMoD-LY, generative, 2025")
    output.print_table(_counterpart(counterpart, points), "BitMoD's weights on our verified bit-serial array")
    output.print_line(
        "there everything counts, activations are integers of 16 bits, and energies are those of another technology (45 nm)"
    )
    if csv:
        output.print_line(f"wrote {csv}")


def _points(points: pd.DataFrame) -> Table:
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
        for row in points.itertuples()
    ]  # fmt: skip
    return Table(heads, rows, frozenset(range(3, 10)))


def _ratios(ratios: pd.DataFrame) -> Table:
    heads = ("Version", "Of", "BitMoD", "Against", "Tasks", "Mean", "Published", "In the paper", "Geometric mean")
    rows = [
        (
            str(row.version), row.quantity, row.accelerator, row.base, row.task, f"{row.mean:.3f}",
            _or_dash(row.published, ".3f"), _or_dash(row.paper, ".2f"), f"{row.geometric_mean:.3f}",
        )
        for row in ratios.itertuples()
    ]  # fmt: skip
    return Table(heads, rows, frozenset(range(5, 9)))


def _left_out(frame: pd.DataFrame) -> Table:
    rows = [(row.counted, f"{row.cycles_percent:+.2f} %", f"{row.energy_percent:+.2f} %") for row in frame.itertuples()]
    return Table(("Counted", "Cycles", "Energy"), rows, frozenset({1, 2}))


def _counterpart(frame: pd.DataFrame, points: pd.DataFrame) -> Table:
    latest = points[(points["version"] == points["version"].max()) & (points["accelerator"] == "BitMoD-LY")]
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
