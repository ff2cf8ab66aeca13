"""Design points as lines across parallel axes: what was swept, and what came of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hwsim.plotting import keys, metrics, style
from hwsim.plotting.pareto import feasible
from hwsim.points import FIELDS

HEIGHT = 420
SHOWN = ("latency_s", "energy_pj", "area_um2", "accuracy")
"""Metrics that have an axis, behind the design's keys."""
TICKS = 6
"""Values of a key that an axis names; of more only the ends."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """An axis: where each row meets it, 0 to 1 or NaN, and what stands at some places."""

    title: str
    places: np.ndarray
    ticks: Sequence[tuple[float, str]]


def plot_parallel(frame: pd.DataFrame) -> go.Figure:
    """A sweep's feasible points as lines across the design's keys that differ and the metrics.

    A line has a gap where its design lacks the key. Networks have colours, or datapaths if there is one network.
    Each trace's ``meta.rows`` says which points its lines are, one after the other, a gap behind each. DesignError if
    nothing is feasible.
    """
    points = feasible(frame)
    scales = [
        *_keys(points),
        *(_metric(points, name) for name in SHOWN if name in points and points[name].notna().any()),
    ]
    color = "workload" if points["workload"].nunique() > 1 else "datapath.name"
    places = np.column_stack([*(scale.places for scale in scales), np.full(len(points), np.nan)])
    across = [*range(len(scales)), None]
    figure = go.Figure()
    for index, (name, rows) in enumerate(points.groupby(color, sort=False)):
        ys = np.round(places[rows.index.to_numpy()].ravel(), 4)
        figure.add_trace(
            go.Scatter(
                x=across * len(rows), y=[None if np.isnan(y) else y for y in ys.tolist()], mode="lines+markers",
                name=style.escape(str(name)), line={"color": style.colour(index), "width": 1}, marker={"size": 4},
                opacity=0.6, hoverinfo="none", meta={"rows": [*map(int, rows.index)]},
            )
        )  # fmt: skip
    style.layout(figure, HEIGHT)
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(len(scales))), ticktext=[_broken(scale.title) for scale in scales],
        range=[-0.3, len(scales) - 0.3], side="top", showgrid=True, gridcolor=style.INK, tickangle=0, ticks="",
    )  # fmt: skip
    figure.update_yaxes(visible=False, range=[-0.06, 1.06])
    figure.update_layout(annotations=[_tick(i, *tick) for i, scale in enumerate(scales) for tick in scale.ticks])
    return figure


def _broken(title: str) -> str:
    """A title in lines: what it belongs to, and its name."""
    return "<br>".join(style.escape(part).replace("_", " ") for part in title.split("."))


def _keys(points: pd.DataFrame) -> list[Scale]:
    """An axis for each key that takes several values, these evenly spaced in their order."""
    found = []
    for key in (name for name in points.columns if name.partition(".")[0] in FIELDS):
        values = keys.ordered(points[key].dropna().unique())
        if len(values) < 2:
            continue
        at = {value: i / (len(values) - 1) for i, value in enumerate(values)}
        named = values if len(values) <= TICKS else [values[0], values[-1]]
        places = points[key].map(at).to_numpy(dtype=np.float64)
        found.append(Scale(key, places, [(at[value], keys.text(value)) for value in named]))
    return found


def _metric(points: pd.DataFrame, name: str) -> Scale:
    """An axis from the smallest to the largest value, logarithmic where the metric is."""
    metric = metrics.METRICS[name]
    values = points[name].to_numpy(dtype=np.float64)
    shown = np.log(values) if metric.log else values
    low, high = np.nanmin(shown), np.nanmax(shown)
    places = np.full(len(shown), 0.5) if low == high else (shown - low) / (high - low)
    ends = [(0.5, values[0])] if low == high else [(0.0, np.nanmin(values)), (1.0, np.nanmax(values))]
    return Scale(metric.title, places, [(place, metrics.show(name, float(value))) for place, value in ends])


def _tick(axis: int, place: float, text: str) -> dict[str, Any]:
    return {
        "x": axis, "y": place, "text": style.escape(style.short(text)), "showarrow": False, "xanchor": "left",
        "xshift": 4, "yshift": 7, "font": {"size": 11},
    }  # fmt: skip
