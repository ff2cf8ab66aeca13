"""Layers against the two ceilings of a design: its PEs and its DRAM."""

import math

import plotly.graph_objects as go

from hwsim.plotting import metrics, style
from hwsim.result import LayerResult, Result

HEIGHT = 460
LABEL_POSITIONS = ("bottom center", "top center", "middle right", "middle left")
NEAR = 0.25
"""Decades within which names may touch."""
ROOF_DASHES = ("solid", "dash", "dot", "dashdot")


def plot_roofline(result: Result) -> go.Figure:
    """Throughput over operations per DRAM byte, one point per layer, log-log.

    A multiply-accumulate is two operations. The slope is the DRAM bandwidth; each flat roof is the
    array's peak on the weights of some layers (bit-serial arrays have one per weight width).
    """
    layers = [layer for layer in result.layers if layer.kind == "matmul" and layer.dram_bits]
    clock = result.design.clock_mhz * 1e6
    bandwidth = result.design.dram.bandwidth_gb_s * 1e9
    intensity = [2 * layer.macs * 8 / layer.dram_bits for layer in layers]
    speed = [2 * layer.macs / layer.cycles * clock for layer in layers]
    peaks = sorted({_peak(layer) * clock for layer in layers}, reverse=True)
    ridge = max(peaks, default=bandwidth) / bandwidth
    span = (min([*intensity, ridge]) / 2, max([*intensity, ridge]) * 4)
    positions = _label_positions(intensity, speed)
    figure = go.Figure()
    for index, peak in enumerate(peaks):
        figure.add_trace(_roof(peak, bandwidth, span, ROOF_DASHES[index % len(ROOF_DASHES)]))
    for index, bound in enumerate(sorted({layer.bound for layer in layers})):
        chosen = [i for i, layer in enumerate(layers) if layer.bound == bound]
        figure.add_trace(
            go.Scatter(
                x=[intensity[i] for i in chosen], y=[speed[i] * 1e-12 for i in chosen], mode="markers+text",
                name=f"bound by {metrics.bound(bound)}", cliponaxis=False, textfont={"size": 11},
                text=[style.escape(style.short(layers[i].name)) if positions[i] else "" for i in chosen],
                textposition=[positions[i] or LABEL_POSITIONS[0] for i in chosen],
                marker={"color": style.colour(index), "symbol": style.symbol(index), "size": 11},
                hovertext=[_hover(layers[i], intensity[i], speed[i]) for i in chosen], hoverinfo="text",
            )
        )  # fmt: skip
    style.layout(figure, HEIGHT)
    figure.update_xaxes(title_text="Operations per DRAM byte", **style.log_axis(), range=[math.log10(v) for v in span])
    figure.update_yaxes(title_text="Throughput (TOPS)", **style.log_axis())
    return figure


def _label_positions(intensity: list[float], speed: list[float]) -> list[str | None]:
    """Where each layer's name stands, so that neighbours do not overlap; None if there is no room."""
    positions: list[str | None] = []
    for x, y in zip(intensity, speed, strict=True):
        near = zip(intensity[: len(positions)], speed, positions, strict=False)
        taken = {name for nx, ny, name in near if abs(math.log10(nx / x)) < NEAR and abs(math.log10(ny / y)) < NEAR}
        positions.append(next((name for name in LABEL_POSITIONS if name not in taken), None))
    return positions


def _peak(layer: LayerResult) -> float:
    """Operations per cycle at full utilization, free of the rounding of ``utilization``."""
    return float(f"{2 * layer.macs / (layer.utilization * layer.cycles):.6g}")


def _roof(peak: float, bandwidth: float, span: tuple[float, float], dash: str) -> go.Scatter:
    ridge = peak / bandwidth
    xs = [min(span[0], ridge), ridge, span[1]]
    return go.Scatter(
        x=xs, y=[min(x * bandwidth, peak) * 1e-12 for x in xs], mode="lines",
        line={"color": style.INK, "width": 2, "dash": dash}, hoverinfo="name",
        name=f"peak {metrics.quantity(peak, 'OPS')}, DRAM {metrics.quantity(bandwidth, 'B/s')}",
    )  # fmt: skip


def _hover(layer: LayerResult, intensity: float, speed: float) -> str:
    return "<br>".join(
        [
            f"<b>{style.escape(layer.name)}</b>",
            f"M x N x K: {' x '.join(map(str, layer.shape))}" + (f", {layer.matmuls} matmuls" * (layer.matmuls > 1)),
            f"{intensity:.3g} operations per DRAM byte",
            f"{metrics.quantity(speed, 'OPS')}, {layer.utilization:.1%} of peak",
            f"{layer.cycles} cycles, bound by {metrics.bound(layer.bound)}",
        ]
    )
