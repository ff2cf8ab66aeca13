"""One self-contained HTML page about a sweep or some results."""

import json
import math
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import plotly.graph_objects as go
import plotly.offline
from markupsafe import Markup

import hwsim
from hwsim.exploration import pareto
from hwsim.files import write_atomically
from hwsim.labels import label
from hwsim.plotting import metrics, plot_energy, plot_pareto, plot_roofline
from hwsim.plotting.pareto import feasible
from hwsim.reporting import tables
from hwsim.reporting.study import Study, Subject
from hwsim.result import Result

DRAWN = 4000
"""Points in the figure: with more, browsers become slow."""


def report(
    source: pd.DataFrame | Result | Sequence[Result],
    path: str | Path = "report.html",
    *,
    subjects: Iterable[Subject] = (),
    title: str = "hwsim report",
) -> Path:
    """Writes a page about a sweep, a result or several results; it needs no network access.

    A sweep's frame holds totals only: layers, roofline and energy sources are shown for each
    network or workload given in ``subjects``, at its best point by EDP. Returns ``path``.
    """
    study = Study.of(source, subjects)
    write_atomically(Path(path), _render(study, title).encode())
    return Path(path)


def _render(study: Study, title: str) -> str:
    points = feasible(study.frame)
    drawn = _thin(points)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hwsim", "data/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=title,
        version=hwsim.__version__,
        style=_asset("report.css"),
        script=_asset("report.js"),
        plotly=Markup(plotly.offline.get_plotlyjs()),
        swept=tables.swept(study.frame),
        best=tables.best(points),
        ranked=tables.ranked(points),
        infeasible=tables.infeasible(study.frame),
        sources=tables.sources(study.details),
        networks=_networks(study),
        counts=_counts(study.frame, points),
        shown=len(drawn),
        pareto=_plain(plot_pareto(drawn)),
        axes=_axes(drawn),
        point_networks=list(drawn["workload"]),
        details=[_detail(result) for result in study.details],
    )


def _thin(points: pd.DataFrame) -> pd.DataFrame:
    """At most about `DRAWN` points: each network's front and its best by EDP."""
    if len(points) <= DRAWN:
        return points
    groups = [group for _, group in points.groupby("workload", sort=False)]
    kept = [pareto(group).index.union(group.nsmallest(DRAWN // len(groups), "edp_js").index) for group in groups]
    return points[points.index.isin([index for each in kept for index in each])].reset_index(drop=True)


def _asset(name: str) -> Markup:
    return Markup((resources.files("hwsim") / "data" / "templates" / name).read_text(encoding="utf-8"))


def _plain(figure: go.Figure) -> Any:
    return json.loads(figure.to_json())


def _axes(points: pd.DataFrame) -> list[dict[str, Any]]:
    """The metrics that both axes can show: title, kind of axis, direction and every point's value."""
    chosen = []
    for column, metric in metrics.METRICS.items():
        if column in points and points[column].notna().any():
            axis = metrics.axis(column, points[column])
            values = [float(value) * axis.scale for value in points[column]]
            chosen.append(
                {
                    "column": column, "title": axis.title, "log": metric.log, "lower": metric.lower_is_better,
                    "values": [value if math.isfinite(value) else None for value in values],
                }
            )  # fmt: skip
    return chosen


def _networks(study: Study) -> list[dict[str, str]]:
    """Name and hashes of what was simulated."""
    rows = study.frame.dropna(subset=["workload_hash"]).drop_duplicates("workload")
    return [
        {"name": row["workload"], "hash": study.hashes.get(row["workload"], ""), "workload_hash": row["workload_hash"],
         "batch": str(row["batch"])}
        for row in rows.to_dict("records")
    ]  # fmt: skip


def _counts(frame: pd.DataFrame, points: pd.DataFrame) -> dict[str, Any]:
    return {
        "points": len(frame),
        "designs": frame["design_hash"].nunique(),
        "infeasible": len(frame) - len(points),
        "rtl": int((points["verified"] == "rtl").sum()),
        "model_only": int((points["verified"] != "rtl").sum()),
    }


def _detail(result: Result) -> dict[str, Any]:
    """One chosen point: figures, layers, assumptions."""
    totals = result.totals()
    shown = {
        metric.title: metrics.show(column, float(totals[column]))
        for column, metric in metrics.METRICS.items()
        if column in totals
    }
    return {
        "workload": result.workload.name,
        "label": label(result.design),
        "hash": result.design.hash,
        "verified": result.verified,
        "totals": shown,
        "energy": _plain(plot_energy(result)),
        "roofline": _plain(plot_roofline(result)),
        "layers": tables.layers(result),
        "repetition": tables.repetition(result),
        "assumptions": result.assumptions(),
    }
