"""Energy and area reference tables (ERT, ART) of a design, for Accelergy, Timeloop and CiMLoop."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml

import hwsim
from hwsim.errors import HwsimError
from hwsim.reporting.energy import energy_frame
from hwsim.result import Result

VERSION = "0.4"
"""Of the layout that Accelergy writes: https://github.com/Accelergy-Project/accelergy."""
ROOT = "hwsim"
LEAK = "leak"
"""Accelergy's name of what a component loses in one cycle."""


def reference_tables(result: Result) -> dict[str, Any]:
    """``ERT`` and ``ART`` as Accelergy lays them out: picojoules per action, square micrometres, of one instance.

    A component is named ``hwsim.NAME[1..COUNT]``; its actions are those of `Result.events`, each with the mean over
    the layers of the result, and ``leak``, per cycle. HwsimError if parts of one name differ.
    """
    parts = {part.name: part for part in result.parts}
    several = [name for name, count in Counter(part.name for part in result.parts).items() if count > 1]
    if several:
        raise HwsimError(
            f"reference tables name a part once, the design has several {several[0]!r}: drop its overrides"
        )
    frame = energy_frame(result)
    frame = frame[frame["category"] != "leakage"]
    actions: dict[str, list[dict[str, Any]]] = {}
    for row in frame.sort_values(["component", "action"]).to_dict("records"):
        actions.setdefault(row["component"], []).append(_action(row["action"], row["pj_per_action"]))
    for name, part in parts.items():
        cycle_us = 1 / result.design.clock_mhz
        known = actions.setdefault(name, [])
        if result.design.counted.leakage:
            known.append(_action(LEAK, part.leakage_uw * cycle_us / part.count))
    count = {name: part.count for name, part in parts.items()}
    return {
        "ERT": {
            "version": VERSION,
            "tables": [{"name": _name(name, count.get(name, 1)), "actions": known} for name, known in actions.items()],
        },
        "ART": {
            "version": VERSION,
            "tables": [{"name": _name(name, part.count), "area": float(part.area_um2)} for name, part in parts.items()],
        },
    }


def reference_text(results: Iterable[Result]) -> str:
    """The tables of the only result as YAML, with where they come from in comments; HwsimError if there are several."""
    chosen = list(results)
    if len(chosen) != 1:
        raise HwsimError(f"reference tables are of one network on one design, not of {len(chosen)}")
    (result,) = chosen
    head = [
        "Energies in pJ, mean over the layers of a network; leak: per cycle. Areas in um2. All of one instance.",
        f"hwsim {hwsim.__version__}, technology {result.design.technology}, {result.design.clock_mhz:g} MHz",
        f"design {result.design.hash}: {json.dumps(result.design.to_plain())}",
        f"network {json.dumps(result.workload.name)}, batch {result.workload.batch}, workload {result.workload.hash}",
    ]
    comments = "".join(f"# {line}\n" for line in head)
    return comments + yaml.safe_dump(reference_tables(result), sort_keys=False, width=120)


def _name(component: str, count: int) -> str:
    return f"{ROOT}.{component}[1..{count}]"


def _action(name: str, energy_pj: float) -> dict[str, Any]:
    return {"name": name.replace(" ", "_"), "arguments": {}, "energy": float(energy_pj)}
