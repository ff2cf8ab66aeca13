"""``hwsim datapaths``."""

import dataclasses
import json

import click

from hwsim import datapaths as known
from hwsim import formats
from hwsim.cli import inputs, output
from hwsim.datapath_table import Summary, accepted_formats, summarize
from hwsim.progress import track
from hwsim.reporting.tables import Table

HEADS = ("Datapath", "What", "Verified", "Dataflows", "Energies")


@click.command()
@click.argument("name", required=False)
@inputs.json_option
def datapaths(name: str | None, as_json: bool) -> None:
    """The datapaths: RTL, dataflows, technologies with their energies; NAME with parameters and formats it takes.

    \b
    Examples:
      hwsim datapaths
      hwsim datapaths bit_serial
    """
    if name is not None:
        chosen = known.find(name)
        summary = summarize(chosen)
        taken = accepted_formats(chosen, track(list(formats.available().values()), "formats"))
        plain = {**dataclasses.asdict(summary), "formats": list(taken)}
        output.print_json(plain) if as_json else _print_one(summary, taken)
        return
    summaries = [summarize(each) for each in known.available().values()]
    if as_json:
        output.print_json([dataclasses.asdict(each) for each in summaries])
        return
    rows = [(each.name, each.what, each.verified, "\n".join(each.dataflows), _energies(each)) for each in summaries]
    output.print_table(Table(heads=HEADS, rows=rows), "Datapaths")
    output.print_line("hwsim datapaths NAME has parameters and formats; hwsim rules what schedules cost")


def _energies(summary: Summary) -> str:
    """Technologies, each with the status of its rows."""
    return "\n".join(f"{name}: {', '.join(rows)}" for name, rows in summary.technologies.items()) or "-"


def _print_one(summary: Summary, taken: tuple[str, ...]) -> None:
    output.print_line(summary.name)
    for line in (
        f"verified    {summary.verified}" + (f" ({summary.rtl})" if summary.rtl else ""),
        f"dataflows   {', '.join(summary.dataflows)}",
        f"formats     {', '.join(taken) or '-'}",
    ):
        output.print_line(f"  {line}")
    rows = [(each.name, json.dumps(each.default), each.accepted) for each in summary.parameters]
    output.print_table(Table(("Parameter", "Default", "Accepted"), rows), "Parameters (datapath.NAME of a design)")
    counts = [
        (name, ", ".join(f"{count} {status}" for status, count in rows.items()))
        for name, rows in summary.technologies.items()
    ]
    if counts:
        output.print_table(Table(("Technology", "Rows"), counts), "Energies")
    for line in ("", *summary.definition.splitlines()):
        output.print_line(f"  {line}".rstrip())
