"""``python -m sims``: compares simulator and RTL on the catalogue; exit 1 if they differ anywhere."""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sims import catalogue, runner, toolchain
from sims.configuration import Configuration
from sims.runner import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 if every row agrees, 1 if not, 2 if it could not run."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        chosen = _choose(options)
        if any(each.engine == "verilator" for each in chosen):
            toolchain.environment()
    except (KeyError, toolchain.ToolchainError) as error:
        print(error.args[0], file=sys.stderr)
        return 2
    started = time.monotonic()
    rows = _run(console, chosen, options)
    rows.sort(key=lambda row: [each.name for each in chosen].index(row.design))
    path = runner.RUNS / ("results.csv" if len(chosen) == len(catalogue.catalogue()) else "results_part.csv")
    runner.write_csv(path, rows)
    failing = [row for row in rows if not row.agrees]
    console.print(summary(rows))
    if failing:
        console.print(details(failing))
    if options.waves:
        for each in chosen:
            for file in sorted(runner.folder(each).rglob("dump.vcd")):
                console.print(f"waveform: {file}", soft_wrap=True)
    verdict = f"{len(failing)} of {len(rows)} jobs differ" if failing else f"all {len(rows)} jobs agree"
    console.print(f"{verdict}; {path.relative_to(runner.verilator_engine.ROOT)}; {time.monotonic() - started:.0f} s")
    return 1 if failing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sims", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only the part that the tests run")
    parser.add_argument("--design", help="only this configuration, or those of this datapath")
    parser.add_argument("--waves", action="store_true", help="leave a waveform (VCD) and say where")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="configurations at a time")
    return parser


def _choose(options: argparse.Namespace) -> list[Configuration]:
    configurations = catalogue.chosen(options.design) if options.design else catalogue.catalogue()
    return [each for each in configurations if each.quick or not options.quick]


def _run(console: Console, chosen: Sequence[Configuration], options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("simulator against RTL", total=len(chosen))
        for configuration, done in runner.run_all(chosen, min(options.jobs, len(chosen)), options.waves):
            rows += done
            progress.update(task, advance=1, description=configuration.name)
    return rows


def summary(rows: Sequence[Row]) -> Table:
    """One line per design; cycles are those of the jobs without stalls."""
    table = Table(title="simulator against RTL", box=None, padding=(0, 2, 0, 0))
    table.add_column("design", no_wrap=True)
    table.add_column("engine", no_wrap=True)
    for name in ("jobs", "result\nrows", "mis-\nmatch", "broken\nrules", "RTL\ncycles", "sim\ncycles"):
        table.add_column(name, justify="right")
    for design, group in itertools.groupby(rows, key=lambda row: row.design):
        jobs = list(group)
        free = [row for row in jobs if not row.stalled]
        counts = (
            len(jobs), sum(row.vectors for row in jobs), sum(row.mismatches for row in jobs),
            sum(row.rule_violations for row in jobs), sum(row.rtl_cycles for row in free),
            sum(row.sim_cycles for row in free),
        )  # fmt: skip
        style = None if all(row.agrees for row in jobs) else "red"
        table.add_row(design, jobs[0].engine, *map(str, counts), style=style)
    return table


def details(rows: Sequence[Row]) -> Table:
    """Every column of the given rows."""
    table = Table(title="rows that differ")
    names = (
        "design", "workload", "mismatches", "broken rules", "RTL cycles", "simulator cycles", "stalled", "seed",
    )  # fmt: skip
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(
            row.design, row.workload, str(row.mismatches), str(row.rule_violations), str(row.rtl_cycles),
            str(row.sim_cycles), str(row.stalled), str(row.seed),
        )  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
