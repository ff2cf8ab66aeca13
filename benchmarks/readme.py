"""``python -m benchmarks.readme``: writes measured tables into README.md and pages of docs/.

Accuracy and bits per weight are measured anew from the shipped networks; the other two come from what ``make sim``
and ``make bench`` left.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from hwsim import digits, formats, rule_table
from hwsim.files import write_atomically
from hwsim.format_table import Summary, summarize
from hwsim.models import accuracy
from hwsim.reporting import energy_accuracy
from hwsim.reporting.tables import Table
from hwsim.reproductions import bitmod, bitmod_tables

FORMATS = Path(__file__).parent.parent / "docs" / "formats.md"
RULES = FORMATS.parent / "rules.md"
ENERGY = FORMATS.parent / "energy-accuracy.md"
BENCHMARKS = FORMATS.parent / "benchmarks.md"
REPRODUCTIONS = FORMATS.parent / "reproductions.md"
RULE_NETWORKS = ("cnn_int8", "cnn_int4", "mlp_int8", "mlp_int4")
RULE_SAMPLES = 32
README = Path(__file__).parent.parent / "README.md"
RESULTS = README.parent / "build" / "sims" / "results.csv"
BENCH = README.parent / "out" / "bench.json"


def main() -> None:
    """Replaces the text between the markers of each table."""
    text = README.read_text()
    text = _replace(text, "accuracy", accuracy.table())
    if RESULTS.exists():
        text = _replace(text, "agreement", agreement(pd.read_csv(RESULTS)))
    write_atomically(README, text.encode())
    if BENCH.exists():
        table = bench(json.loads(BENCH.read_text()))
        write_atomically(BENCHMARKS, _replace(BENCHMARKS.read_text(), "bench", table).encode())
    text = FORMATS.read_text()
    summaries = [summarize(each) for each in formats.available().values()]
    text = _replace(text, "formats", format_table(summaries))
    text = _replace(
        text, "greedy", _markdown(("format", "its encoder"), [(s.name, s.greedy) for s in summaries if s.greedy])
    )
    write_atomically(FORMATS, text.encode())
    write_atomically(RULES, _replace(RULES.read_text(), "rules", rules()).encode())
    _write_energy_accuracy()
    text = REPRODUCTIONS.read_text()
    for name, table in reproductions().items():
        text = _replace(text, name, _markdown(table.heads, table.rows))
    write_atomically(REPRODUCTIONS, text.encode())


def _write_energy_accuracy() -> None:
    found = energy_accuracy.errors()
    summary, designs, fits = energy_accuracy.summary(found), energy_accuracy.by_design(found), energy_accuracy.between()
    points = energy_accuracy.points_left_out()
    text = ENERGY.read_text()
    for name, table in (("summary", summary), ("designs", designs), ("points", points), ("between", fits)):
        text = _replace(text, name, _markdown(table.heads, table.rows))
    write_atomically(ENERGY, text.encode())
    rows = [row[:-1] for row in summary.rows]
    write_atomically(README, _replace(README.read_text(), "energy", _markdown(summary.heads[:-1], rows)).encode())


def _replace(text: str, name: str, table: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    return pattern.sub(lambda match: match[1] + table.strip() + "\n" + match[2], text, count=1)


def _markdown(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def format_table(summaries: Iterable[Summary]) -> str:
    """One row per format."""
    rows = [
        (
            each.name, each.alphabet.replace("|", "/"), f"{each.bits_per_weight:.3f}", _or_dash(each.planes),
            _or_dash(each.max_terms), ", ".join(each.datapaths) or "-", each.mac,
        )
        for each in summaries
    ]  # fmt: skip
    header = ("format", "values", "bits per weight", "planes", "terms", "datapaths", "one multiply-accumulate becomes")
    return _markdown(header, rows)


def rules() -> str:
    """One row per shipped rule: speed over the same array without skipping and over Stripes, by network."""
    columns = []
    for name in RULE_NETWORKS:
        network = digits.load(name)
        x, _ = digits.held_out(network)
        columns.append(rule_table.count(rule_table.operands(network, x[:RULE_SAMPLES])))
    rows = [
        (
            each[0].preset,
            *(f"{c.over_dense:.2f}" for c in each),
            *("-" if c.over_stripes is None else f"{c.over_stripes:.2f}" for c in each),
        )
        for each in zip(*columns, strict=True)
    ]
    names = [f"{name}, {of}" for of in ("over dense", "over Stripes") for name in RULE_NETWORKS]
    return _markdown(("design", *names), rows)


def reproductions() -> dict[str, Table]:
    """What ``hwsim reproduce bitmod`` prints, by marker."""
    points = bitmod.points(progress=True)
    return {
        "bitmod points": bitmod_tables.points(points),
        "bitmod ratios": bitmod_tables.ratios(bitmod.ratios(pd.concat([points, bitmod.equal_area()]))),
        "bitmod left out": bitmod_tables.left_out(bitmod.left_out(progress=True)),
        "bitmod counterpart": bitmod_tables.counterpart(bitmod.counterpart(progress=True), points),
    }


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def agreement(results: pd.DataFrame) -> str:
    """Runs, results, mismatches and cycles per datapath, dataflow and engine."""
    results = results.assign(
        network=results["workload"].str.contains(":"),
        wrong_cycles=(results["rtl_cycles"] != results["sim_cycles"]) & ~results["stalled"],
    )
    rows = []
    for keys, part in results.groupby(["datapath", "dataflow", "engine", "network"], sort=False):
        datapath, dataflow, engine, network = keys
        unstalled = part[~part["stalled"]]
        rows.append(
            (
                datapath, dataflow.replace("_", "-"), engine, "digits networks" if network else "random",
                part["design"].nunique(), len(part), f"{part['vectors'].sum():,}", part["mismatches"].sum(),
                part["rule_violations"].sum(), f"{unstalled['rtl_cycles'].sum():,}", part["wrong_cycles"].sum(),
            )
        )  # fmt: skip
    header = (
        "datapath", "dataflow", "engine", "workload", "configurations", "runs", "result rows", "mismatches",
        "rule violations", "unstalled cycles", "runs with other cycles",
    )  # fmt: skip
    return _markdown(header, rows)


def bench(measurements: list[dict]) -> str:
    """One row per benchmark."""
    rows = [
        (
            each["name"], f"{each['value']:.3g} {each['unit']}", each["baseline"],
            "" if each["ratio"] is None else f"{each['ratio']:.3g}", each["note"],
        )
        for each in measurements
    ]  # fmt: skip
    return _markdown(("benchmark", "value", "against", "ratio", "note"), rows)


if __name__ == "__main__":
    main()
