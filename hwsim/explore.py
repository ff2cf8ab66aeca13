"""``make explore``: the digits networks on both datapaths, ranked, with a report under ``out/``."""

import sys
import time
from pathlib import Path

import pandas as pd

from hwsim import digits
from hwsim.cli import output
from hwsim.design import Design
from hwsim.exploration import sweep
from hwsim.network import Network
from hwsim.plotting.pareto import feasible
from hwsim.reporting import report, tables, write_energy, write_results
from hwsim.reporting.study import best_results
from hwsim.space import Space

OUT = Path("out")
SHOWN_PER_NETWORK = 5
SPACES = (
    Space(
        {
            "datapath.name": ["mac", "bit_serial"],
            "datapath.lanes": [4, 8, 16],
            "datapath.weight_bits": [4, 8],
            "datapath.scheme": ["booth", "twos_complement"],
            "datapath.skip": ["none", "zero"],
            "array.rows": [4, 8, 16],
            "array.cols": [8, 16, 32],
        }
    ),
    Space(
        {
            "datapath.name": ["mac", "bit_serial"],
            "datapath.skip": ["zero"],
            "array.rows": [8],
            "weight_buffer.kib": [16, 32, 64, 128],
            "dram.bandwidth_gb_s": [6.4, 25.6],
            "clock_mhz": [250, 500, 1000],
        }
    ),
    Space(
        {
            "datapath.name": ["mac", "bit_serial"],
            "datapath.skip": ["zero"],
            "array.dataflow": ["weight_stationary"],
            "array.rows": [8, 16],
            "array.cols": [8, 16, 32],
            "array.accumulator_rows": [64, 256],
        }
    ),
)
"""The arithmetic and the array; memory and clock; the other dataflow."""


def designs() -> list[Design]:
    """Every distinct design point of `SPACES`."""
    return list(dict.fromkeys(design for space in SPACES for design in space.designs()))


def explore(networks: list[Network], points: list[Design], out: Path) -> pd.DataFrame:
    """Sweeps, and writes ``report.html``, ``results.parquet`` and ``energy.json`` into ``out``."""
    frame = sweep(networks, points, progress=True)
    accuracy = {name: digits.recorded()[name]["hwsim"] for name in digits.networks()}
    frame["accuracy"] = frame["workload"].map(accuracy)
    write_results(frame, out / "results.parquet")
    write_energy(best_results(frame, networks), out / "energy.json")
    report(frame, out / "report.html", subjects=networks, title="Handwritten digits on MAC and bit-serial arrays")
    return frame


def main() -> int:
    """Explores the shipped networks and prints the best points."""
    start = time.perf_counter()
    frame = explore([digits.load(name) for name in digits.BASIC], designs(), OUT)
    points = feasible(frame)
    output.print_table(tables.ranked(points, SHOWN_PER_NETWORK), "Best by energy-delay product")
    seconds = time.perf_counter() - start
    output.print_line(
        f"{len(frame)} points ({frame['design_hash'].nunique()} designs, {frame['workload'].nunique()} networks) in "
        f"{seconds:.1f} s; {len(frame) - len(points)} are infeasible and marked so"
    )
    output.print_line(f"wrote {OUT / 'report.html'}, {OUT / 'results.parquet'}, {OUT / 'energy.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
