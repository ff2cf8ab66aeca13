"""Energy by component and action, as frame, JSON, CSV, Parquet and YAML."""

import io
import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

import hwsim
from hwsim import technology
from hwsim.errors import HwsimError, nearest
from hwsim.files import write_atomically
from hwsim.result import Result

SCHEMA = "hwsim.energy/1"
"""Version of the JSON report: the number grows when a key changes its meaning or goes."""

SUFFIXES = (".json", ".csv", ".parquet", ".yaml")
LEAKAGE_SOURCE = "area table: leakage of all parts"
KEYS = ["category", "component", "action"]


def energy_frame(result: Result, by_layer: bool = False) -> pd.DataFrame:
    """One row per component and action (and layer): count, picojoules per action, total, percent, source.

    ``pj_per_action`` is the mean over the layers, whose events differ in their features; ``zero_delay_pj`` the
    total without glitches, where its source tells them apart.
    """
    events = result.events()
    events.loc[events["category"] == "leakage", "source"] = LEAKAGE_SOURCE
    keys = ["layer", *KEYS] if by_layer else KEYS
    grouped = events.groupby(keys, sort=False, as_index=False)
    frame = grouped.agg(
        count=("count", "sum"),
        total_pj=("energy_pj", "sum"),
        zero_delay_pj=("zero_delay_pj", "sum"),
        status=("status", "first"),
        source=("source", "first"),
    )
    frame = frame[frame["count"] > 0]
    frame["pj_per_action"] = frame["total_pj"] / frame["count"]
    frame["percent"] = 100 * frame["total_pj"] / frame["total_pj"].sum()
    order = [*keys, "count", "pj_per_action", "total_pj", "zero_delay_pj", "percent", "status", "source"]
    return frame.sort_values("total_pj", ascending=False, kind="stable")[order].reset_index(drop=True)


def energy_plain(results: Iterable[Result]) -> dict[str, Any]:
    """The energy report as plain data; keys are described in docs/report.md."""
    return {
        "schema": SCHEMA,
        "hwsim": hwsim.__version__,
        "results": [
            {
                "workload": result.workload.name,
                "workload_hash": result.workload.hash,
                "batch": result.workload.batch,
                "design": result.design.to_plain(),
                "design_hash": result.design.hash,
                "technology": result.design.technology,
                "verified": result.verified,
                "conditions": technology.load(result.design.technology).conditions,
                "total_pj": result.energy_pj,
                "zero_delay_pj": result.zero_delay_pj,
                "components": energy_frame(result).to_dict("records"),
                "layers": energy_frame(result, by_layer=True).drop(columns=["source"]).to_dict("records"),
                "assumptions": result.assumptions(),
            }
            for result in results
        ],
    }


def write_energy(results: Iterable[Result], path: str | Path) -> Path:
    """Writes the report in the format that the suffix names: .json, .csv, .parquet or .yaml.

    CSV and Parquet hold one row per network, design, layer, component and action; YAML the reference tables of one
    result (`hwsim.reporting.reference_tables`).
    """
    target, chosen = Path(path), list(results)
    check_suffix(target)
    if target.suffix == ".json":
        data = json.dumps(energy_plain(chosen), indent=1, allow_nan=False).encode()
    elif target.suffix == ".csv":
        data = _table(chosen).to_csv(index=False).encode()
    elif target.suffix == ".yaml":
        from hwsim.reporting.reference_tables import reference_text

        data = reference_text(chosen).encode()
    else:
        buffer = io.BytesIO()
        _table(chosen).to_parquet(buffer, index=False)
        data = buffer.getvalue()
    write_atomically(target, data)
    return target


def check_suffix(path: Path) -> None:
    """HwsimError unless the suffix of ``path`` names a format of `write_energy`."""
    if path.suffix not in SUFFIXES:
        raise HwsimError(f"energy report {str(path)!r}: {nearest(path.suffix, SUFFIXES)}")


def energy_schema() -> dict[str, Any]:
    """The JSON Schema of what `energy_plain` returns."""
    return json.loads((resources.files("hwsim") / "data" / "schemas" / "energy.json").read_text(encoding="utf-8"))


def _table(results: list[Result]) -> pd.DataFrame:
    frames = [
        energy_frame(result, by_layer=True).assign(
            workload=result.workload.name, workload_hash=result.workload.hash, design_hash=result.design.hash
        )
        for result in results
    ]
    return pd.concat(frames, ignore_index=True)
