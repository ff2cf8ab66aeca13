"""One point looked at closely, as a page holds it: figures, tables, assumptions."""

import base64
import gzip
import json
from typing import Any

import plotly.graph_objects as go

from hwsim.plotting import plot_energy, plot_roofline
from hwsim.reporting import tables
from hwsim.result import Result


def plain(figure: go.Figure) -> Any:
    """A figure as plain data."""
    return json.loads(figure.to_json())


def packed(result: Result) -> str:
    """Base64 of the compressed JSON that the page's script unpacks when the point is chosen."""
    data = {
        "energy": plain(plot_energy(result)),
        "roofline": plain(plot_roofline(result)),
        "tables": [
            {"title": title, "heads": list(table.heads), "rows": [list(row) for row in table.rows],
             "numbers": sorted(table.numbers)}
            for title, table in (
                ("Layers", tables.layers(result)),
                ("Energy by component and action", tables.energy(result)),
                ("Weights that repeat", tables.repetition(result)),
            )
            if table.rows
        ],
        "assumptions": result.assumptions(),
    }  # fmt: skip
    return base64.b64encode(gzip.compress(json.dumps(data, allow_nan=False).encode(), mtime=0)).decode()
