"""What can stand on an axis: columns of a sweep with their unit, and numbers in readable units."""

import dataclasses
import math
from collections.abc import Iterable

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A column of a sweep: ``factor`` turns its values into ``unit``.

    ``prefixed`` units take SI prefixes, the others are shown as they are.
    """

    column: str
    title: str
    unit: str
    factor: float = 1.0
    lower_is_better: bool = True
    prefixed: bool = True
    log: bool = True


METRICS = {
    metric.column: metric
    for metric in (
        Metric("latency_s", "Latency", "s"),
        Metric("energy_pj", "Energy", "J", 1e-12),
        Metric("area_um2", "Area", "mm²", 1e-6, prefixed=False),
        Metric("edp_js", "EDP", "J·s"),
        Metric("tops", "Throughput", "OPS", 1e12, lower_is_better=False),
        Metric("tops_per_w", "Efficiency", "OPS/W", 1e12, lower_is_better=False),
        Metric("accuracy", "Accuracy", "%", 100.0, lower_is_better=False, prefixed=False, log=False),
    )
}


@dataclasses.dataclass(frozen=True)
class Axis:
    """A metric in the unit that suits a set of values: shown value = column value * ``scale``."""

    metric: Metric
    scale: float
    unit: str

    @property
    def title(self) -> str:
        """Axis title with its unit."""
        return f"{self.metric.title} ({self.unit})"


def axis(column: str, values: Iterable[float]) -> Axis:
    """The axis of ``column`` whose prefix puts the median of ``values`` at or above 1."""
    metric = METRICS[column]
    known = sorted(abs(value) * metric.factor for value in values if math.isfinite(value) and value)
    exponent = _exponent(known[len(known) // 2]) if known and metric.prefixed else 0
    return Axis(metric, metric.factor * 10.0**-exponent, PREFIXES[exponent] + metric.unit)


def show(column: str, value: float) -> str:
    """A value with its unit and three significant digits, such as ``1.76 µs``."""
    metric = METRICS[column]
    if not math.isfinite(value):
        return "n/a"
    return (
        quantity(value * metric.factor, metric.unit)
        if metric.prefixed
        else f"{_three(value * metric.factor)} {metric.unit}"
    )


def quantity(value: float, unit: str) -> str:
    """``value`` with an SI prefix and three significant digits."""
    exponent = _exponent(abs(value)) if value else 0
    return f"{_three(value / 10.0**exponent)} {PREFIXES[exponent]}{unit}"


def bound(name: str) -> str:
    """What bounds a layer, in words."""
    return "DRAM" if name == "dram" else name.replace("_", " ")


def _exponent(value: float) -> int:
    exponent = 3 * math.floor(math.log10(value * (1 + 1e-12)) / 3)
    return min(max(exponent, min(PREFIXES)), max(PREFIXES))


def _three(value: float) -> str:
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{min(decimals, 6)}f}"
