"""``python -m benchmarks``: runs every benchmark, prints a table, writes ``out/bench.json``."""

import dataclasses
import importlib
import json
import pkgutil
from pathlib import Path

from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.measurement import Measurement
from hwsim.files import write_atomically
from hwsim.progress import track


def main() -> None:
    """Measures with every module of this folder that has ``measure``."""
    names = [name for _, name, _ in pkgutil.iter_modules(benchmarks.__path__)]
    modules = [importlib.import_module(f"benchmarks.{name}") for name in names if not name.startswith("__")]
    measurable = [module for module in modules if hasattr(module, "measure")]
    found = [each for module in track(measurable, "benchmarks") for each in module.measure()]
    path = Path("out") / "bench.json"
    write_atomically(path, json.dumps([dataclasses.asdict(each) for each in found], indent=1).encode())
    _print(found)
    print(f"wrote {path}")


def _print(found: list[Measurement]) -> None:
    table = Table("name", "value", "unit", "ratio", "against", "note")
    for each in found:
        ratio = "" if each.ratio is None else f"{each.ratio:.3g}"
        table.add_row(each.name, f"{each.value:.3g}", each.unit, ratio, each.baseline, each.note)
    Console().print(table)


if __name__ == "__main__":
    main()
