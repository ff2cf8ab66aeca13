"""What commands print: JSON for machines, tables for people."""

import json
from typing import Any, Literal

import click
import pandas as pd
import rich.table
from rich.console import Console

from hwsim.reporting.tables import Table

PIPE_WIDTH = 160
"""Columns where no terminal says how many it has."""


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(data, allow_nan=False))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as plain data: missing values are None."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def print_line(text: str) -> None:
    """A line of text on standard output."""
    click.echo(text)


def print_table(table: Table, title: str) -> None:
    """A table on standard output, as wide as the terminal: long cells are folded, names in the first column are not."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=PIPE_WIDTH)
    shown = rich.table.Table(title=title, title_justify="left", title_style="bold")
    for index, head in enumerate(table.heads):
        justify: Literal["left", "right"] = "right" if index in table.numbers else "left"
        shown.add_column(head, justify=justify, overflow="fold", no_wrap=index == 0)
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
