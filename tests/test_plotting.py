"""Figures: axes with units, the front, names drawn literally."""

import dataclasses
import itertools
import json

import pandas as pd
import plotly.graph_objects as go
import pytest

import hwsim
from hwsim.errors import DesignError
from hwsim.plotting import hover, metrics, pareto, plot_energy, plot_parallel, plot_pareto, plot_roofline, style

GRID = {"datapath.name": ["mac", "bit_serial"], "array.rows": [4, 8], "datapath.weight_bits": [4, 8]}


@pytest.fixture(scope="module")
def workloads() -> list[hwsim.Workload]:
    shapes = [(64, 32, 64), (16, 64, 256), (1, 10, 64)]
    return [hwsim.Workload.from_shapes(name, shapes, weights=name) for name in ("int8", "int4")]


@pytest.fixture(scope="module")
def frame(workloads: list[hwsim.Workload]) -> pd.DataFrame:
    return hwsim.sweep(workloads, GRID)


def series(figure: go.Figure) -> list[go.Scatter]:
    """The traces that show points."""
    return [trace for trace in figure.data if trace.hoverinfo == "text"]


def test_pareto_shows_every_feasible_point_with_its_design(frame: pd.DataFrame) -> None:
    figure = plot_pareto(frame)
    points = series(figure)
    assert [trace.name for trace in points] == ["int8", "int4"]
    assert sum(len(trace.x) for trace in points) == (frame["error"] == "").sum()
    first = points[0].hovertext[0]
    plain = json.loads(frame[frame["error"] == ""]["design"].iloc[0])
    assert all(key in first for key in plain)
    assert figure.layout.xaxis.title.text == "Latency (µs)"
    assert figure.layout.yaxis.title.text == "Energy (µJ)"


@pytest.mark.parametrize(("x", "y"), list(itertools.permutations(["area_um2", "tops", "tops_per_w", "edp_js"], 2)))
def test_front_is_what_no_point_beats(frame: pd.DataFrame, x: str, y: str) -> None:
    points = pareto.feasible(frame)
    sx, sy = (1 if metrics.METRICS[name].lower_is_better else -1 for name in (x, y))
    xs, ys = list(points[x]), list(points[y])
    kept = pareto.front(xs, ys, metrics.METRICS[x], metrics.METRICS[y])
    for i, (a, b) in enumerate(zip(xs, ys, strict=True)):
        beaten = any(sx * c <= sx * a and sy * d <= sy * b and (c, d) != (a, b) for c, d in zip(xs, ys, strict=True))
        assert ((a, b) in {(xs[k], ys[k]) for k in kept}) == (not beaten), i
    assert [xs[k] for k in kept] == sorted(xs[k] for k in kept)


def test_accuracy_lets_networks_compete(frame: pd.DataFrame) -> None:
    frame = frame.assign(accuracy=frame["workload"].map({"int8": 0.99, "int4": 0.98}))
    figure = plot_pareto(frame, "energy_pj", "accuracy")
    lines = [trace for trace in figure.data if trace.mode == "lines" and trace.meta and len(trace.x)]
    assert [line.meta["front"] for line in lines] == ["all"]
    assert figure.layout.yaxis.title.text == "Accuracy (%)"


def test_model_only_points_are_hollow(frame: pd.DataFrame) -> None:
    figure = plot_pareto(frame.assign(verified="model only"))
    assert all(symbol.endswith("-open") for trace in series(figure) for symbol in trace.marker.symbol)
    assert "mac (model only)" in [trace.name for trace in figure.data]


def test_one_network_is_coloured_by_datapath(frame: pd.DataFrame) -> None:
    figure = plot_pareto(frame[frame["workload"] == "int4"])
    assert [trace.name for trace in series(figure)] == ["mac", "bit_serial"]


def test_nothing_feasible_is_an_error(frame: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match="no feasible point"):
        plot_pareto(frame[frame["error"] != ""])


def test_unknown_metric_names_the_nearest(frame: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match="did you mean 'energy_pj'"):
        plot_pareto(frame, "latency_s", "energy")


def test_energy_bars_add_up(workloads: list[hwsim.Workload], frame: pd.DataFrame) -> None:
    results = [hwsim.simulate(workload, hwsim.Design()) for workload in workloads]
    for source, total in (
        (results[0], results[0].energy_pj),
        (results, sum(r.energy_pj for r in results)),
        (frame, frame["energy_pj"].sum()),
    ):
        figure = plot_energy(source)
        assert figure.layout.xaxis.title.text == "Energy (µJ)"
        shown = sum(value for trace in figure.data for value in trace.x)
        assert shown == pytest.approx(total * 1e-6)


def test_roofline_points_stay_under_the_roof(workloads: list[hwsim.Workload]) -> None:
    result = hwsim.simulate(workloads[0], hwsim.Design())
    figure = plot_roofline(result)
    points = series(figure)
    assert sorted(name for trace in points for name in trace.text) == ["matmul0", "matmul1", "matmul2"]
    peak = 2 * 16 * 16 * 8 * 500e6 * 1e-12
    for x, y in ((x, y) for trace in points for x, y in zip(trace.x, trace.y, strict=True)):
        assert y <= min(peak, x * 25.6e9 * 1e-12)
    assert figure.layout.xaxis.title.text == "Operations per DRAM byte"
    assert figure.layout.yaxis.title.text == "Throughput (TOPS)"


def test_names_are_drawn_literally(workloads: list[hwsim.Workload]) -> None:
    layers = tuple(dataclasses.replace(layer, name="<b>&") for layer in workloads[0].layers)
    workload = dataclasses.replace(workloads[0], name="<script>", layers=layers)
    result = hwsim.simulate(workload, hwsim.Design())
    for figure in (plot_energy(result), plot_roofline(result), plot_pareto(hwsim.sweep(workload, [hwsim.Design()]))):
        assert "<script>" not in figure.to_json()
        assert "<b>&" not in figure.to_json()
    assert style.escape("<b>&") == "&lt;b&gt;&amp;"


def test_hover_lines_fit_a_phone() -> None:
    override = hwsim.Override(layers="first*", array=hwsim.Array(rows=2))
    lines = hover.design_lines(hwsim.Design(overrides=(override,)).to_plain())
    assert max(map(len, lines)) <= hover.WIDTH
    assert any("layers=first*" in line for line in lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 J"), (1.0, "1.00 J"), (999.0, "999 J"), (1000.0, "1.00 kJ"), (1.5e-7, "150 nJ"), (1e-6, "1.00 µJ")],
)
def test_quantities_have_three_digits(value: float, text: str) -> None:
    assert metrics.quantity(value, "J") == text


def test_parallel_coordinates_order_points_as_their_values_do(frame: pd.DataFrame) -> None:
    figure = plot_parallel(frame)
    points = pareto.feasible(frame)
    titles = [title.replace("<br>", ".").replace(" ", "_") for title in figure.layout.xaxis.ticktext]
    columns = {"Latency": "latency_s", "Energy": "energy_pj", "Area": "area_um2"}
    assert titles[:-3] == ["datapath.name", "datapath.weight_bits", "array.rows"]
    assert titles[-3:] == list(columns)
    width, seen = len(titles) + 1, 0
    for trace in figure.data:
        assert len(trace.x) == len(trace.y) == width * len(trace.meta["rows"])
        for i, row in enumerate(trace.meta["rows"]):
            line = trace.y[i * width : (i + 1) * width]
            assert line[-1] is None
            seen += 1
            for place, title in zip(line, titles, strict=False):
                column = points[columns.get(title, title)]
                known = sorted(set(column))
                share = sum(each < column[row] for each in known) / (len(known) - 1)
                assert 0 <= place <= 1
                assert (place == 0, place == 1) == (share == 0, share == 1)
    assert seen == len(points)


def test_a_line_has_a_gap_where_its_design_lacks_the_key(workloads: list[hwsim.Workload]) -> None:
    frame = hwsim.sweep(workloads[0], {"datapath.name": ["mac", "bit_serial"], "datapath.skip": ["none", "zero"]})
    figure = plot_parallel(frame)
    at = [title.partition("<br>")[2] for title in figure.layout.xaxis.ticktext].index("skip")
    assert {trace.name: trace.y[at] is None for trace in figure.data} == {"mac": True, "bit_serial": False}
