"""Design points per second, one at a time and in sweeps."""

import time
from collections.abc import Iterator

import numpy as np

import hwsim
from benchmarks.measurement import Measurement, seconds
from hwsim import digits, workloads
from hwsim.workload import MatmulLayer, Workload

SPACE = {
    "datapath.name": ["mac", "bit_serial"],
    "datapath.lanes": [4, 8, 16],
    "datapath.skip": ["none", "zero"],
    "array.rows": [8, 16, 32],
    "array.cols": [8, 16, 32],
    "clock_mhz": [250.0, 500.0],
}

LARGE_SPACE = {
    "datapath.name": ["bit_serial"],
    "datapath.scheme": ["booth", "naf"],
    "datapath.skip": ["none", "zero"],
    "datapath.lanes": [4, 8, 16, 32, 64],
    "array.rows": [4, 8, 16, 32, 64],
    "array.cols": [4, 8, 16, 32, 64],
    "weight_buffer.kib": [32, 64, 128, 256],
    "clock_mhz": [250.0, 500.0, 750.0, 1000.0, 1250.0],
}


def measure() -> Iterator[Measurement]:
    """A sweep of the int8 digits CNN, weight statistics known from an earlier one; BERT-base from nothing."""
    yield _digits()
    yield from _bert()


def _digits() -> Measurement:
    network = digits.load("cnn_int8")
    points = len(hwsim.Space(SPACE).designs())
    sweep_s = seconds(lambda: hwsim.sweep(network, SPACE), repeats=3)
    one_s = seconds(lambda: hwsim.run(network, hwsim.Design(), digits.held_out(network)[0]), repeats=3)
    return Measurement(
        name="sweep", value=points / sweep_s, unit="design points/s", baseline="running the held-out images once",
        ratio=one_s / (sweep_s / points), note=f"cnn_int8, {points} points; all layers, energy and area included",
    )  # fmt: skip


def _bert() -> Iterator[Measurement]:
    workload = workloads.load("bert-base")
    numpy_s = seconds(lambda: _in_numpy(workload), repeats=3)
    design = hwsim.Design(datapath=hwsim.BitSerial(skip="zero"))
    point_s = seconds(lambda: hwsim.simulate(workload, design).totals())
    points = len(hwsim.Space(LARGE_SPACE).designs())
    start = time.perf_counter()
    hwsim.sweep(workload, LARGE_SPACE)
    sweep_s = time.perf_counter() - start
    for name, value_s, note in (
        ("one point, weights known", point_s, "the same design again"),
        ("sweep", sweep_s / points, f"{points} points from nothing, statistics of 500 arrays included"),
    ):
        yield Measurement(
            name=f"BERT-base, {name}", value=1 / value_s, unit="design points/s",
            baseline="its matmuls in numpy float32", ratio=numpy_s / value_s,
            note=f"{note}; {workload.macs / 1e9:.1f} GMAC in {numpy_s:.3g} s; all layers, energy and area included",
        )  # fmt: skip


def _in_numpy(workload: Workload) -> None:
    for layer in workload.layers:
        if isinstance(layer, MatmulLayer):
            a, b = np.ones((layer.m, layer.k), np.float32), np.ones((layer.k, layer.n), np.float32)
            for _ in range(layer.matmuls):
                a @ b
