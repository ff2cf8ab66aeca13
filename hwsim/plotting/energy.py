"""Where the energy goes: stacked bars by component."""

from collections.abc import Iterable, Sequence

import pandas as pd
import plotly.graph_objects as go

from hwsim.plotting import metrics, style
from hwsim.result import CATEGORIES, Result

TITLES = {"pe": "PEs", "buffers": "Buffers", "dram": "DRAM", "host": "Host operators", "leakage": "Leakage"}


def plot_energy(source: Result | Iterable[Result] | pd.DataFrame) -> go.Figure:
    """Stacked bars of energy by component.

    One bar per layer of a `Result`; one per design of several results, or of a sweep's rows.
    """
    if isinstance(source, Result):
        bars = [(layer.name, {name: layer.energy_pj(name) for name in CATEGORIES}, "") for layer in source.layers]
        what = "Layer"
    elif isinstance(source, pd.DataFrame):
        rows = source.dropna(subset=["energy_pj"]).to_dict("records")
        bars = [
            (
                f"{row['workload']}: {row['label']}",
                {name: row[f"{name}_energy_pj"] for name in CATEGORIES},
                row["label"],
            )
            for row in rows
        ]
        what = "Design"
    else:
        bars = [(f"{r.workload.name}: {r.design.hash[:6]}", r.energy_by_component(), r.design.hash) for r in source]
        what = "Design"
    return _stack(bars, what)


def _stack(bars: Sequence[tuple[str, dict[str, float], str]], what: str) -> go.Figure:
    axis = metrics.axis("energy_pj", [max(sum(parts.values()) for _, parts, _ in bars)])
    labels = [style.escape(style.short(name)) for name, _, _ in bars]
    positions = list(range(len(bars)))  # names may repeat, positions do not
    figure = go.Figure()
    for index, category in enumerate(CATEGORIES):
        texts = [
            f"<b>{style.escape(name)}</b><br>{TITLES[category]}: {metrics.show('energy_pj', parts[category])} "
            f"of {metrics.show('energy_pj', sum(parts.values()))}" + (f"<br>{style.escape(more)}" if more else "")
            for name, parts, more in bars
        ]
        figure.add_trace(
            go.Bar(
                y=positions, x=[parts[category] * axis.scale for _, parts, _ in bars], orientation="h",
                name=TITLES[category], marker={"color": style.colour(index)}, hovertext=texts, hoverinfo="text",
                textposition="none",
            )
        )  # fmt: skip
    style.layout(figure, 190 + 26 * len(bars))
    figure.update_layout(barmode="stack", bargap=0.3, legend_traceorder="normal")
    figure.update_xaxes(title_text=axis.title, rangemode="tozero")
    figure.update_yaxes(
        title_text=what, tickmode="array", tickvals=positions, ticktext=labels, range=[len(bars) - 0.5, -0.5]
    )
    return figure
