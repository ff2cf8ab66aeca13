"""``hwsim compare``."""

from typing import Any, Literal

import click
import pandas as pd

from hwsim.cli import inputs, output
from hwsim.comparison import compare_designs
from hwsim.labels import label
from hwsim.plotting import metrics
from hwsim.reporting.tables import Table

SCHEMA = "hwsim.compare/1"


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--network", required=True, help="What both run.")
@click.option("--other", metavar="NETWORK", help="What B runs, if it is another one (another format of its weights).")
@click.option("--equal", type=click.Choice(["clock", "area"]), help="Both at the lower clock; B's array in A's area.")
@inputs.batch_option
@inputs.subject_options
@inputs.json_option
def compare(
    a: str,
    b: str,
    network: str,
    other: str | None,
    equal: Literal["clock", "area"] | None,
    batch: int,
    as_json: bool,
    **choices: Any,
) -> None:
    """Designs A and B on one network side by side: what differs, and what makes up the difference.

    \b
    Examples:
      hwsim compare mac_16x16 bit_serial_16x16 --network cnn_int8
      hwsim compare mine.yaml theirs.yaml --network bert-base --equal area
      hwsim compare mac_16x16 mac_16x16 --network cnn_int8 --other cnn_int4
    """
    subjects = tuple(inputs.subject(name, batch, choices) for name in (network, other or network))
    designs = inputs.design(a), inputs.design(b)
    found = compare_designs((subjects[0], subjects[1]), designs, batch=batch, equal=equal)
    if as_json:
        output.print_json({"schema": SCHEMA, **found.to_plain()})
        return
    for side, result in (("a", found.a), ("b", found.b)):
        output.print_line(f"{side}: {result.workload.name} on {label(result.design)} ({result.verified})")
    output.print_table(_designs(found.designs()), "Designs")
    output.print_table(_totals(found.totals()), "Totals")
    output.print_table(_energy(found.energy()), "Energy")
    output.print_table(_layers(found.layers()), "Layers")
    for reason in found.reasons():
        output.print_line(reason)


def _designs(frame: pd.DataFrame) -> Table:
    rows = [[str(cell) for cell in row] for row in frame.astype(object).where(frame.notna(), "-").to_numpy()]
    return Table(("Parameter", "a", "b"), rows)


def _totals(frame: pd.DataFrame) -> Table:
    rows = []
    for row in frame.to_dict("records"):
        name = str(row["measure"])
        shown = [metrics.show(name, row[side]) if name in metrics.METRICS else f"{row[side]:,.0f}" for side in "ab"]
        title = metrics.METRICS[name].title if name in metrics.METRICS else name
        rows.append((title, *shown, f"{row['ratio']:.3g}"))
    return Table(("Measure", "a", "b", "b / a"), rows, frozenset({1, 2, 3}))


def _energy(frame: pd.DataFrame) -> Table:
    rows = []
    for row in frame.to_dict("records"):
        counts = [f"{row[f'count_{side}']:,.0f}" for side in "ab"]
        each = [
            "-" if pd.isna(row[f"per_action_pj_{side}"]) else f"{row[f'per_action_pj_{side}']:.4g}" for side in "ab"
        ]
        shown = [metrics.show("energy_pj", row[name]) for name in ("energy_pj_a", "energy_pj_b", "more_pj")]
        rows.append((f"{row['component']} {row['action']}", *counts, *each, *shown))
    heads = ("Action", "Count a", "Count b", "pJ each, a", "pJ each, b", "Energy a", "Energy b", "b - a")
    return Table(heads, rows, frozenset(range(1, 8)))


def _layers(frame: pd.DataFrame) -> Table:
    rows = []
    for row in frame.to_dict("records"):
        times = [metrics.show("latency_s", row[name]) for name in ("latency_s_a", "latency_s_b", "more_s")]
        bounds = ["-" if pd.isna(row[f"bound_{side}"]) else metrics.bound(str(row[f"bound_{side}"])) for side in "ab"]
        rows.append((str(row["layer"]), *times, *bounds))
    return Table(("Layer", "Time a", "Time b", "b - a", "Bound a", "Bound b"), rows, frozenset({1, 2, 3}))
