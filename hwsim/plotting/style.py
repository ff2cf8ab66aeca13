"""One look for all figures: colours, type and layout that work on light and dark pages."""

from typing import Any

import plotly.graph_objects as go

PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#999999", "#EE7733")
"""Paul Tol's "bright" scheme: distinct for all kinds of colour vision."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon", "x")
NAME_LIMIT = 20
INK = "#808791"
"""Grey that stays readable (contrast above 3.5) on white and on near-black."""
GRID = "rgba(128, 135, 145, 0.25)"


def layout(figure: go.Figure, height: int) -> go.Figure:
    """Applies the house look to ``figure`` and returns it; its width follows the page."""
    figure.update_layout(
        template="none",
        height=height,
        autosize=True,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        margin={"l": 12, "r": 12, "t": 16, "b": 12},
        legend={"orientation": "h", "xref": "container", "x": 0, "yref": "container", "y": 0, "yanchor": "bottom"},
        hoverlabel={"align": "left", "font": {"size": 12, "family": "ui-monospace, monospace"}},
    )
    axes = {
        "automargin": True, "gridcolor": GRID, "linecolor": INK, "zeroline": False, "ticks": "outside",
        "tickcolor": INK, "title_standoff": 8, "tickformat": "~g",
    }  # fmt: skip
    figure.update_xaxes(**axes)
    figure.update_yaxes(**axes)
    return figure


def log_axis(log: bool = True) -> dict[str, Any]:
    """Axis settings: logarithmic with few, plain numbers, or linear."""
    return {"type": "log", "nticks": 4} if log else {"type": "linear"}


def escape(text: str) -> str:
    """``text`` so that plotly draws it literally: it reads a little HTML in every label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short(name: str) -> str:
    """``name``, cut where it would crowd a figure."""
    return name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1] + "…"


def colour(index: int) -> str:
    """The colour of series ``index``."""
    return PALETTE[index % len(PALETTE)]


def symbol(index: int) -> str:
    """The marker of series ``index``."""
    return SYMBOLS[index % len(SYMBOLS)]
