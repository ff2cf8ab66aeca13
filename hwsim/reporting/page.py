"""One self-contained HTML page about a sweep or some results."""

import math
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import plotly.offline
from markupsafe import Markup

import hwsim
from hwsim.exploration import pareto
from hwsim.files import write_atomically
from hwsim.plotting import metrics, plot_parallel, plot_pareto
from hwsim.plotting.energy import TITLES
from hwsim.progress import track
from hwsim.reporting import tables
from hwsim.reporting.detail import packed, plain
from hwsim.reporting.study import Source, Study, Subject
from hwsim.result import CATEGORIES
from hwsim.store import technology_hash

SCRIPTS = ("figures.js", "points.js", "table.js", "chosen.js")


def report(
    source: Source, path: str | Path = "report.html", *, subjects: Iterable[Subject] = (), title: str = "hwsim report"
) -> Path:
    """Writes a page about a sweep (a frame, a Parquet file, a study), a result or several; it needs no network access.

    A sweep holds totals only: layers, roofline and energy sources are shown for each network or workload given in
    ``subjects``, at its points near the front. Returns ``path``.
    """
    return write_page(Study.of(source, subjects), path, title)


def write_page(study: Study, path: str | Path, title: str, progress: bool = False) -> Path:
    """Writes the page of ``study`` and returns ``path``."""
    write_atomically(Path(path), _render(study, title, progress).encode())
    return Path(path)


def _render(study: Study, title: str, progress: bool) -> str:
    points, gathering = study.points, study.gathering
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hwsim", "data/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    axes = _axes(points)
    return environment.get_template("report.html").render(
        title=title,
        version=hwsim.__version__,
        style=_asset("report.css"),
        script=Markup("\n").join(_asset(name) for name in SCRIPTS),
        plotly=Markup(plotly.offline.get_plotlyjs()),
        swept=tables.swept(gathering.values),
        best=tables.best(points),
        infeasible=tables.infeasible(gathering.reasons),
        sources=tables.sources(list(study.details.values())),
        networks=_networks(study),
        technologies=[{"name": name, "hash": technology_hash(name)} for name in sorted(points["technology"].unique())],
        made_by=sorted(map(str, points["hwsim"].unique())),
        gathering=gathering,
        detailed=len(study.details),
        differing=len(study.differing),
        shown=len(points),
        pareto=plain(plot_pareto(points)),
        parallel=plain(plot_parallel(points)),
        axes=axes,
        data={**_columns(study, axes), "details": _details(study, progress)},
    )


def _asset(name: str) -> Markup:
    return Markup((resources.files("hwsim") / "data" / "templates" / name).read_text(encoding="utf-8"))


def _axes(points: pd.DataFrame) -> list[dict[str, Any]]:
    """The metrics that axes can show: title, kind of axis, direction and every point's value."""
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


def _columns(study: Study, axes: list[dict[str, Any]]) -> dict[str, Any]:
    """What the script knows of every point that is kept."""
    points = study.points
    front = {index for _, group in points.groupby("workload", sort=False) for index in pareto(group).index}
    scale = metrics.axis("energy_pj", points["energy_pj"])
    parts = points[[f"{name}_energy_pj" for name in CATEGORIES]].to_numpy(dtype=float) * scale.scale
    return {
        "metrics": axes,
        "first": study.best()[0],
        "front": [index in front for index in points.index],
        "differing": list(study.differing),
        "parts": {"unit": scale.unit, "names": [TITLES[name] for name in CATEGORIES],
                  "values": [[float(f"{value:.4g}") for value in row] for row in parts.tolist()]},
        **{key: [str(value) for value in points[column]]
           for key, column in (("networks", "workload"), ("labels", "label"), ("verified", "verified"),
                               ("hashes", "design_hash"), ("workloads", "workload_hash"), ("designs", "design"),
                               ("technologies", "technology"), ("made_by", "hwsim"))},
    }  # fmt: skip


def _details(study: Study, progress: bool) -> dict[int, str]:
    return {row: packed(study.details[row]) for row in track(list(study.details), "figures", progress)}


def _networks(study: Study) -> list[dict[str, str]]:
    """Name and hashes of what was simulated."""
    rows = study.points.dropna(subset=["workload_hash"]).drop_duplicates("workload")
    return [
        {"name": row["workload"], "hash": study.hashes.get(row["workload"], ""), "workload_hash": row["workload_hash"],
         "batch": str(row["batch"])}
        for row in rows.to_dict("records")
    ]  # fmt: skip
