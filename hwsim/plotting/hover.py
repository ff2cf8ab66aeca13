"""A design point in full, as the lines of a hover box."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.plotting import metrics, style

WIDTH = 42
"""Characters per line: a hover box must fit a phone."""


def design_lines(plain: Mapping[str, Any]) -> list[str]:
    """Every key of a design as ``key: values`` lines, nested values as ``name=value``."""
    lines = []
    for key, value in plain.items():
        if isinstance(value, list):
            value = "; ".join(_pairs(item) for item in value) or "none"
        lines += textwrap.wrap(f"{key}: {_pairs(value)}", WIDTH, subsequent_indent="  ")
    return lines


def _pairs(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return " ".join(f"{key}={_pairs(item)}" for key, item in value.items() if item is not None)


def _full(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row's design with the defaults that it leaves out, unless they are those of another version."""
    stored = json.loads(row["design"])
    try:
        design = Design.from_plain(stored)
    except HwsimError:
        return stored
    return design.to_plain() if design.hash == row["design_hash"] else stored


def point(row: Mapping[str, Any]) -> str:
    """The hover text of one row of a sweep: network, totals, and the full design."""
    known = [column for column in metrics.METRICS if column in row and row[column] == row[column]]
    shown = [f"{metrics.METRICS[column].title}: {metrics.show(column, row[column])}" for column in known]
    lines = [*shown, f"verified: {row['verified']}", *design_lines(_full(row))]
    return "<br>".join([f"<b>{style.escape(str(row['workload']))}</b>", *map(style.escape, lines)])
