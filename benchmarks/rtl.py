"""The simulator against Verilator on the same tiles: clock cycles simulated per second."""

import time
from collections.abc import Iterator

from benchmarks.measurement import Measurement, seconds
from hwsim import Design, Network, digits
from rtl import layers
from rtl.harness import Job
from rtl.stimuli import stimuli
from sims import catalogue, runner
from sims.configuration import Configuration

IMAGES = 32


def measure() -> Iterator[Measurement]:
    """Every layer of the int8 digits CNN on the 8 x 8 x 8 array of each datapath."""
    network = digits.load("cnn_int8")
    for name in ("mac-network", "bit_serial-network"):
        yield _measure(catalogue.find(name), network)


def _measure(configuration: Configuration, network: Network) -> Measurement:
    datapath, array = configuration.datapath, configuration.array
    x = digits.held_out(network)[0][:IMAGES]
    design = Design(datapath=datapath, array=array)
    matmuls = [each for _, group in layers.matmuls(network, design, x) for each in group]
    jobs = [Job(stimuli=stimuli(datapath, array, each)) for each in matmuls]
    cycles = sum(job.stimuli.cycles for job in jobs)
    where = runner.RUNS / "bench"
    runner.replay(configuration, jobs, where)  # builds
    start = time.perf_counter()
    outcomes = runner.replay(configuration, jobs, where)
    rtl_s = time.perf_counter() - start
    assert sum(outcome.cycles for outcome in outcomes) == cycles

    def simulate() -> None:
        for each in matmuls:
            stats = datapath.stats(each.w, array)
            datapath.matmul(each.x, each.w)
            datapath.cycles(each.shape, stats.values, datapath.params(array))

    ours = seconds(simulate)
    return Measurement(
        name=f"{type(datapath).__name__} simulator", value=cycles / ours / 1e6, unit="Mcycles/s",
        baseline="Verilator, same tiles", ratio=rtl_s / ours,
        note=f"cnn_int8, {IMAGES} images, {cycles} cycles; values and cycles; Verilator "
        f"{cycles / rtl_s / 1e3:.0f} kcycles/s with start-up and replay, build not counted",
    )  # fmt: skip
