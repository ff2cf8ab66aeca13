"""A design point's time and cycles beside those of ZigZag and SCALE-Sim, each in an environment of its own."""

import dataclasses
import json
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import hwsim
from benchmarks.measurement import Measurement
from hwsim.blob_cache import folder

M, N, K = 512, 768, 768
BERT = {(128, 768, 768): 48, (128, 3072, 768): 12, (128, 768, 3072): 12}
"""BERT-base's linear layers at 128 tokens, (M, N, K), and how many there are of each."""
ARRAY = hwsim.Array(rows=32, cols=32, dataflow="weight_stationary", accumulator_rows=M)
SPACE = {
    "array.dataflow": ["weight_stationary", "output_stationary"],
    "array.rows": [8, 16, 24, 32, 48],
    "array.cols": [8, 16, 24, 32, 48],
    "activation_buffer.kib": [32, 64, 128, 256, 512],
    "weight_buffer.kib": [32, 64, 128, 256, 512],
    "output_buffer.kib": [16, 32, 64, 128],
    "dram.bandwidth_gb_s": [6.4, 12.8, 25.6, 51.2],
    "clock_mhz": [250.0, 500.0, 750.0, 1000.0, 1250.0],
}
LIMIT_S = 1800
"""An evaluation may take so long."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another tool: what pip installs for it, and the script that evaluates one point."""

    name: str
    packages: tuple[str, ...]
    script: str


PEERS = (
    Peer("ZigZag 3.9.1", ("zigzag-dse==3.9.1", "six"), "run_zigzag.py"),
    Peer("SCALE-Sim 3.0.0", ("scalesim==3.0.0", "numpy==2.2.6"), "run_scalesim.py"),
)


def measure() -> Iterator[Measurement]:
    """A point of a sweep beside one evaluation of each tool, on a GEMM and on BERT-base's linear layers.

    Tools that cannot be had are left out.
    """
    for name, shapes in (("GEMM 512 x 768 x 768", {(M, N, K): 1}), ("BERT-base", BERT)):
        layers = [shape for shape, count in shapes.items() for _ in range(count)]
        workload = hwsim.Workload.from_shapes(name, layers)
        design = hwsim.Design(datapath=hwsim.Mac(lanes=1), array=ARRAY, technology="horowitz45")
        found = hwsim.simulate(workload, design).layers
        hwsim.sweep(workload, SPACE | {"clock_mhz": [500.0]}, base=design)  # compiles
        start = time.perf_counter()
        points = len(hwsim.sweep(workload, SPACE, base=design))
        point_s = (time.perf_counter() - start) / points
        for peer in PEERS:
            try:
                evaluated = {shape: evaluate(peer, shape) for shape in shapes}
            except (subprocess.SubprocessError, OSError, ValueError) as error:
                print(f"{peer.name} is left out: {error}", file=sys.stderr)
                continue
            seconds = sum(each["seconds"] for each in evaluated.values())
            cycles = sum(int(each["cycles"]) * shapes[shape] for shape, each in evaluated.items())
            yield Measurement(
                name=f"{name}, 32 x 32 array", value=1 / point_s, unit="design points/s",
                baseline=f"{peer.name}, one evaluation ({seconds:.3g} s)", ratio=seconds / point_s,
                note=f"{len(layers)} layers of {len(shapes)} shapes, which {peer.name} evaluates once each; sweep of "
                f"{points} points; weight-stationary cycles {sum(each.compute_cycles for each in found):,} (array), "
                f"{sum(each.cycles for each in found):,} (with memory), theirs {cycles:,}: see docs/exploration.md",
            )  # fmt: skip


def evaluate(peer: Peer, shape: tuple[int, int, int]) -> dict[str, float]:
    """``cycles`` and ``seconds`` of a GEMM in ``peer``."""
    script = Path(__file__).with_name(peer.script)
    command = [str(python_of(peer)), str(script), *map(str, shape)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def python_of(peer: Peer) -> Path:
    """The Python of the environment that holds ``peer``, made in the cache folder if it is not there."""
    home = folder() / "peers" / peer.packages[0]
    python, ready = home / "bin" / "python", home / "ready"
    if not ready.exists():
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
        subprocess.run(install, check=True, capture_output=True, timeout=LIMIT_S)
        ready.touch()
    return python
