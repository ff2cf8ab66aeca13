"""Design points in two metrics, and the front that no other point beats."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hwsim.errors import DesignError, nearest
from hwsim.plotting import hover, metrics, style

HEIGHT = 560
ACROSS = "accuracy"
"""With this metric on an axis networks compete with each other, otherwise each has its own front."""


def plot_pareto(
    frame: pd.DataFrame, x: str = "latency_s", y: str = "energy_pj", *, color: str | None = None
) -> go.Figure:
    """Scatter of a sweep's feasible points in metrics ``x`` and ``y`` with their Pareto front.

    ``color`` names a column; by default networks have colours, or datapaths if there is one
    network. The symbol shows the datapath, hollow ones are "model only"; hovering shows the full
    design point. DesignError if nothing is feasible or a metric is unknown.
    """
    points = feasible(frame)
    across = {column: metrics.axis(column, _column(points, column)) for column in (x, y)}
    color = color or ("workload" if points["workload"].nunique() > 1 else "datapath.name")
    paths = sorted(points["datapath.name"].unique())
    figure = go.Figure()
    for index, (name, rows) in enumerate(points.groupby(color, sort=False)):
        figure.add_trace(_markers(str(name), rows, across[x], across[y], paths, style.colour(index)))
        if color != "datapath.name":  # whose key tells colours and symbols at once
            figure.add_trace(_entry(style.escape(str(name)), style.colour(index), "square", str(name), rows))
    fronts = [("workload", rows) for _, rows in points.groupby("workload", sort=False)]
    for index, (scope, rows) in enumerate([*fronts, ("all", points)]):
        ink = style.colour(index) if scope == "workload" and color == "workload" else style.INK
        figure.add_trace(
            _front(rows, across[x], across[y], scope, ink, scope == ("all" if ACROSS in (x, y) else "workload"))
        )
    figure.add_traces(_key(paths, points, color == "datapath.name"))
    style.layout(figure, HEIGHT)
    for axis, update in ((across[x], figure.update_xaxes), (across[y], figure.update_yaxes)):
        update(title_text=axis.title, **style.log_axis(axis.metric.log))
    return figure


def feasible(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a sweep that have totals, numbered from 0; DesignError if there are none."""
    points = frame.dropna(subset=["energy_pj"]).reset_index(drop=True)
    if points.empty:
        raise DesignError("the sweep has no feasible point")
    return points


def _column(points: pd.DataFrame, name: str) -> pd.Series:
    known = [column for column in metrics.METRICS if column in points]
    if name not in known:
        raise DesignError(f"no metric {name!r} in this sweep; {nearest(name, known)}")
    return points[name]


def front(xs: Sequence[float], ys: Sequence[float], x: metrics.Metric, y: metrics.Metric) -> list[int]:
    """Positions of the points that none beats in both metrics, in ascending order of ``xs``."""
    sx, sy = (1 if metric.lower_is_better else -1 for metric in (x, y))
    best, kept = np.inf, []
    for index in sorted(range(len(xs)), key=lambda i: (sx * xs[i], sy * ys[i])):
        if sy * ys[index] < best:
            best = sy * ys[index]
            kept.append(index)
    return kept if sx == 1 else kept[::-1]


def _markers(name: str, rows: pd.DataFrame, x: metrics.Axis, y: metrics.Axis, paths: list[str], ink: str) -> go.Scatter:
    records = rows.to_dict("records")
    symbols = [_symbol(paths, row["datapath.name"], row["verified"]) for row in records]
    return go.Scatter(
        x=_values(rows, x), y=_values(rows, y), mode="markers", name=style.escape(name),
        legendgroup=name, showlegend=False,
        marker={"color": ink, "size": 8, "symbol": symbols, "opacity": 0.75},
        hovertext=[hover.point(row) for row in records], hoverinfo="text", meta={"rows": [*map(int, rows.index)]},
    )  # fmt: skip


def _front(rows: pd.DataFrame, x: metrics.Axis, y: metrics.Axis, scope: str, ink: str, shown: bool) -> go.Scatter:
    xs, ys = _values(rows, x), _values(rows, y)
    kept = front(xs, ys, x.metric, y.metric) if shown else []
    return go.Scatter(
        x=[xs[i] for i in kept], y=[ys[i] for i in kept], mode="lines", showlegend=False, hoverinfo="skip",
        line={"color": ink, "width": 2, "shape": "hv" if x.metric.lower_is_better else "vh"},
        legendgroup=str(rows["workload"].iloc[0]) if scope == "workload" else None,
        meta={"rows": [*map(int, rows.index)], "front": scope},
    )  # fmt: skip


def _values(rows: pd.DataFrame, axis: metrics.Axis) -> list[float]:
    return [float(value) * axis.scale for value in rows[axis.metric.column]]


def _symbol(paths: list[str], path: str, verified: str) -> str:
    return style.symbol(paths.index(path)) + ("" if verified == "rtl" else "-open")


def _entry(name: str, ink: str, symbol: str, group: str | None = None, rows: pd.DataFrame | None = None) -> go.Scatter:
    """A legend entry of its own: points differ in symbol within one colour."""
    return go.Scatter(
        x=[None], y=[None], mode="markers", name=name, hoverinfo="skip", legendgroup=group,
        marker={"color": ink, "size": 9, "symbol": symbol},
        meta=None if rows is None else {"rows": [*map(int, rows.index)], "key": True},
    )  # fmt: skip


def _key(paths: list[str], points: pd.DataFrame, coloured: bool) -> list[go.Scatter]:
    """Legend entries that explain symbols and lines."""
    kinds = points[["datapath.name", "verified"]].drop_duplicates().sort_values(["datapath.name", "verified"])
    entries = []
    for path, verified in kinds.itertuples(index=False):
        ink = style.colour(list(points["datapath.name"].unique()).index(path)) if coloured else style.INK
        entries.append(_entry(style.escape(f"{path} ({verified})"), ink, _symbol(paths, path, verified)))
    line = {"color": style.INK, "width": 2, "shape": "hv"}
    return [*entries, go.Scatter(x=[None], y=[None], name="Pareto front", hoverinfo="skip", mode="lines", line=line)]
