"""``hwsim formats``."""

import dataclasses

import click

from hwsim import formats as known
from hwsim.cli import inputs, output
from hwsim.format_table import Summary, summarize
from hwsim.progress import track
from hwsim.reporting.tables import Table

HEADS = ("Format", "Values", "Bits/weight", "Planes", "Max terms", "Datapaths")


@click.command()
@click.argument("name", required=False)
@inputs.json_option
def formats(name: str | None, as_json: bool) -> None:
    """The number formats: values, bits per weight, planes, terms, datapaths; NAME in full.

    \b
    Examples:
      hwsim formats
      hwsim formats bitmod_fp3
    """
    if name is not None:
        summary = summarize(known.find(name))
        output.print_json(dataclasses.asdict(summary)) if as_json else _print_one(summary)
        return
    summaries = [summarize(each) for each in track(list(known.available().values()), "formats")]
    if as_json:
        output.print_json([dataclasses.asdict(each) for each in summaries])
        return
    rows = [
        (
            each.name, each.alphabet, f"{each.bits_per_weight:.3f}", _or_dash(each.planes), _or_dash(each.max_terms),
            ", ".join(each.datapaths) or "-",
        )
        for each in summaries
    ]  # fmt: skip
    output.print_table(Table(heads=HEADS, rows=rows, numbers=frozenset({2, 3, 4})), "Number formats")
    output.print_line("bits per weight at typical parameters, metadata included; hwsim formats NAME has the definition")


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def _print_one(summary: Summary) -> None:
    chosen = known.find(summary.name)
    typical = ", ".join(f"{key}={value}" for key, value in chosen.typical.items()) or "defaults"
    lines = [
        summary.name,
        f"  values       {summary.alphabet}",
        f"  bits/weight  {summary.bits_per_weight:.4f} for {'x'.join(map(str, chosen.typical_shape))}, {typical}",
        f"  planes       {_or_dash(summary.planes)}",
        f"  max terms    {_or_dash(summary.max_terms)}",
        f"  datapaths    {', '.join(summary.datapaths) or '-'}",
        f"  one MAC      {summary.mac}",
        f"  encoder      {summary.greedy or 'nearest value'}",
        "",
        *(f"  {line}" for line in summary.definition.splitlines()),
    ]
    for line in lines:
        output.print_line(line)
