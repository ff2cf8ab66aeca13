"""Two results side by side: what differs, and what of it makes up the difference: `compare`."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import pandas as pd

from hwsim.datapath import Array
from hwsim.design import Design
from hwsim.errors import DesignError
from hwsim.exploration import flat
from hwsim.network import Network
from hwsim.result import Result
from hwsim.simulation import simulate
from hwsim.workload import Workload

MEASURES = ("cycles", "latency_s", "energy_pj", "area_um2", "edp_js", "tops", "tops_per_w", "macs")
REASONS = 3
"""Causes that are told in words."""
WIDEST = 1024
"""Rows and columns of the largest array."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Results ``a`` and ``b``; frames have a column of each."""

    a: Result
    b: Result

    def designs(self) -> pd.DataFrame:
        """Keys of the designs that differ: ``key``, ``a``, ``b``, missing where one has no such key."""
        plain = [dict(flat(each.design.to_plain())) for each in (self.a, self.b)]
        for known, result in zip(plain, (self.a, self.b), strict=True):
            known["overrides"] = "; ".join(each.layers for each in result.design.overrides) or "none"
        keys = [key for key in dict.fromkeys([*plain[0], *plain[1]]) if plain[0].get(key) != plain[1].get(key)]
        return pd.DataFrame([{"key": key, "a": plain[0].get(key), "b": plain[1].get(key)} for key in keys])

    def totals(self) -> pd.DataFrame:
        """``measure``, ``a``, ``b`` and ``ratio`` b / a."""
        totals = self.a.totals(), self.b.totals()
        rows = [{"measure": name, "a": float(totals[0][name]), "b": float(totals[1][name])} for name in MEASURES]
        return pd.DataFrame(rows).assign(ratio=lambda frame: frame["b"] / frame["a"])

    def layers(self) -> pd.DataFrame:
        """Per layer of either: seconds, energy and what bound it in each; what adds most seconds first."""
        frames = []
        for result in (self.a, self.b):
            clock_hz = result.design.clock_mhz * 1e6
            rows = [(each.name, each.cycles / clock_hz, each.energy_pj(), each.bound) for each in result.layers]
            frames.append(pd.DataFrame(rows, columns=["layer", "latency_s", "energy_pj", "bound"]))
        frame = frames[0].merge(frames[1], on="layer", how="outer", suffixes=("_a", "_b"), sort=False)
        more = frame["latency_s_b"].fillna(0.0) - frame["latency_s_a"].fillna(0.0)
        return _largest_first(frame.assign(more_s=more), "more_s")

    def energy(self) -> pd.DataFrame:
        """Per component and action: how often, for how much, and the difference; what adds most picojoules first."""
        frames = []
        for result in (self.a, self.b):
            known = result.events()
            groups = known.groupby(["category", "component", "action"], sort=False)[["count", "energy_pj"]]
            frames.append(groups.sum().reset_index())
        keys = ["category", "component", "action"]
        frame = frames[0].merge(frames[1], on=keys, how="outer", suffixes=("_a", "_b"), sort=False).fillna(0.0)
        for side in "ab":
            frame[f"per_action_pj_{side}"] = frame[f"energy_pj_{side}"] / frame[f"count_{side}"].where(
                frame[f"count_{side}"] > 0
            )
        return _largest_first(frame.assign(more_pj=frame["energy_pj_b"] - frame["energy_pj_a"]), "more_pj")

    def area(self) -> pd.DataFrame:
        """Per part of the chip: square micrometres in each, and the difference; what adds most first."""
        frames = [
            each.area().groupby("component", sort=False)[["area_um2"]].sum().reset_index() for each in (self.a, self.b)
        ]
        frame = frames[0].merge(frames[1], on="component", how="outer", suffixes=("_a", "_b"), sort=False).fillna(0.0)
        return _largest_first(frame.assign(more_um2=frame["area_um2_b"] - frame["area_um2_a"]), "more_um2")

    def reasons(self) -> list[str]:
        """The largest causes of a difference in energy, time and area, one sentence each."""
        return [
            *(_energy_reason(row) for row in _notable(self.energy(), "more_pj")),
            *(_time_reason(row) for row in _notable(self.layers(), "more_s")),
            *(
                f"{row['component']}: {row['area_um2_a']:.4g} um2 in a, {row['area_um2_b']:.4g} um2 in b"
                for row in _notable(self.area(), "more_um2")
            ),
        ]

    def to_plain(self) -> dict[str, Any]:
        """Everything, as plain data for JSON: what is missing is None."""
        frames = {name: getattr(self, name)() for name in ("designs", "totals", "layers", "energy", "area")}
        plain = {
            name: frame.astype(object).where(frame.notna(), None).to_dict("records") for name, frame in frames.items()
        }
        names = {f"workload_{side}": each.workload.name for side, each in (("a", self.a), ("b", self.b))}
        return {**names, **plain, "reasons": self.reasons()}


def compare(a: Result, b: Result) -> Comparison:
    """What differs between two results, and why."""
    return Comparison(a, b)


def compare_designs(
    subjects: tuple[Network | Workload, Network | Workload],
    designs: tuple[Design, Design],
    *,
    batch: int = 1,
    equal: Literal["clock", "area"] | None = None,
) -> Comparison:
    """`compare` of two simulations.

    ``equal="clock"``: both at the lower of the two clocks. ``equal="area"``: the second's array is made as large as
    goes into the area of the first, its rows to columns as they are. DesignError if the least array is larger.
    """
    first, second = designs
    if equal == "clock":
        clock = min(first.clock_mhz, second.clock_mhz)
        first, second = (dataclasses.replace(each, clock_mhz=clock) for each in designs)
    a = simulate(subjects[0], first, batch)
    if equal == "area":
        return Comparison(a, _fitted(lambda design: simulate(subjects[1], design, batch), second, a.area_um2))
    return Comparison(a, simulate(subjects[1], second, batch))


def _fitted(work: Callable[[Design], Result], design: Design, area_um2: float) -> Result:
    """The result of the largest array, of the design's proportions, that goes into ``area_um2``."""
    array = design.array
    longer = max(array.rows, array.cols)

    def sized(size: int) -> Result:
        rows, cols = (max(round(each * size / longer), 1) for each in (array.rows, array.cols))
        return work(dataclasses.replace(design, array=_resized(array, rows, cols)))

    best = sized(1)
    if best.area_um2 > area_um2:
        raise DesignError(
            f"no array of {design.datapath.name()} goes into {area_um2:.6g} um2: with a single row or column and these "
            f"buffers the design has {best.area_um2:.6g} um2"
        )
    low, high = 1, WIDEST + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = sized(middle)
        if found.area_um2 <= area_um2:
            low, best = middle, found
        else:
            high = middle
    return best


def _resized(array: Array, rows: int, cols: int) -> Array:
    return dataclasses.replace(array, rows=rows, cols=cols)


def _largest_first(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    order = frame[column].abs().sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _notable(frame: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    rows = frame[frame[column] != 0].head(REASONS)
    return rows.to_dict("records")


def _energy_reason(row: dict[str, Any]) -> str:
    what = (
        f"{row['component']} {row['action']}: {abs(row['more_pj']):.4g} pJ {'more' if row['more_pj'] > 0 else 'less'}"
    )
    if not row["count_a"] or not row["count_b"]:
        return f"{what} in b: only {'b' if row['count_b'] else 'a'} has it"
    times, dearer = row["count_b"] / row["count_a"], row["per_action_pj_b"] / row["per_action_pj_a"]
    return f"{what} in b: {times:.3g} times as often, at {dearer:.3g} times the energy each"


def _time_reason(row: dict[str, Any]) -> str:
    if pd.isna(row["latency_s_a"]) or pd.isna(row["latency_s_b"]):
        return f"layer {row['layer']}: only in {'b' if pd.isna(row['latency_s_a']) else 'a'}"
    ratio = row["latency_s_b"] / row["latency_s_a"]
    bound = f"bound by {row['bound_a']}"
    if row["bound_a"] != row["bound_b"]:
        bound += f" in a, by {row['bound_b']} in b"
    return f"layer {row['layer']}: b takes {ratio:.3g} times as long; {bound}"
