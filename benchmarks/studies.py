"""Points per second and peak memory of studies in SQLite.

``python -m benchmarks.studies 10000000`` fills one of so many points of BERT-base (10^5, 10^6 or 10^7) in a temporary
folder, and prints seconds and how far memory ever rose, tenth by tenth of the time.
"""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hwsim
from benchmarks.exploration import MILLION
from benchmarks.measurement import Measurement
from hwsim import workloads
from hwsim.exploration import fill

CLOCKS = {100_000: [500.0], 1_000_000: MILLION["clock_mhz"], 10_000_000: [20.0 * step for step in range(1, 51)]}
OVERLAPS = {100_000: ["tile"]}
"""Of a study of so many points, where it is not as in MILLION: arrays and buffers are the same in all."""
EVERY_S = 0.1


def measure() -> Iterator[Measurement]:
    """Studies of 10^5 and 10^6 points, each in a process of its own."""
    few, many = (_in_own_process(points) for points in (100_000, 1_000_000))
    rates = [each["points"] / each["seconds"] for each in (few, many)]
    peaks = [max(each["mib"]) for each in (few, many)]
    yield Measurement(
        name="BERT-base, sweep into a study", value=rates[1], unit="design points/s",
        baseline="study of 100,000 points", ratio=rates[1] / rates[0],
        note=f"{many['points']:,} points into SQLite in {many['seconds']:.0f} s, statistics of weights known",
    )  # fmt: skip
    yield Measurement(
        name="BERT-base, memory of a study of a million", value=peaks[1], unit="MiB",
        baseline=f"study of 100,000 points ({peaks[0]:.0f} MiB)", ratio=peaks[0] / peaks[1],
        note="peak, tenth by tenth of the time: " + ", ".join(f"{each:.0f}" for each in many["mib"]),
    )  # fmt: skip


def _in_own_process(points: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.studies", str(points)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def fill_and_watch(points: int) -> dict:
    """``points`` written, ``seconds`` it took, and ``mib``: the process's peak memory after each tenth of them."""
    space = MILLION | {"clock_mhz": CLOCKS[points], "overlap": OVERLAPS.get(points, MILLION["overlap"])}
    workload = workloads.load("bert-base")
    hwsim.sweep(workload, hwsim.Space(space).grid().arrays())  # compiles, and takes statistics of weights
    peaks, done = [_peak_mib()], threading.Event()

    def watch() -> None:
        while not done.wait(EVERY_S):
            peaks.append(_peak_mib())

    watcher = threading.Thread(target=watch)
    with tempfile.TemporaryDirectory() as folder:
        watcher.start()
        start = time.perf_counter()
        try:
            written = fill(Path(folder) / "study.sqlite", workload, space)
            taken = time.perf_counter() - start
        finally:
            done.set()
            watcher.join()
    peaks.append(_peak_mib())
    return {"points": written, "seconds": taken, "mib": [peaks[(len(peaks) - 1) * i // 10] for i in range(1, 11)]}


def _peak_mib() -> float:
    """The most memory that this process ever had; Linux counts that of the one that started it in ``ru_maxrss``."""
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    print(json.dumps(fill_and_watch(int(sys.argv[1]))))
