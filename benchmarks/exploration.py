"""Design points per second, one at a time and in sweeps."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from unittest import mock

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

MILLION = {
    "technology": ["horowitz45"],
    "datapath.name": ["mac", "bit_serial"],
    "datapath.scheme": ["booth", "naf"],
    "datapath.skip": ["none", "zero"],
    "datapath.lanes": [4, 8, 16, 32, 64],
    "array.rows": [4, 8, 16, 32, 64],
    "array.cols": [4, 8, 16, 32, 64],
    "activation_buffer.kib": [32, 64, 128, 256],
    "weight_buffer.kib": [32, 64, 128, 256],
    "output_buffer.kib": [16, 32],
    "dram.bandwidth_gb_s": [6.4, 12.8, 25.6, 51.2, 102.4],
    "clock_mhz": [250.0, 500.0, 750.0, 1000.0, 1250.0],
    "overlap": ["tile", "layer"],
}
"""625 arrays, 1600 points on each."""


def measure() -> Iterator[Measurement]:
    """A sweep of the int8 digits CNN, weight statistics known from an earlier one; BERT-base from nothing."""
    yield _digits()
    yield from _bert()


def _digits() -> Measurement:
    network = digits.load("cnn_int8")
    points = len(hwsim.Space(SPACE).grid())
    sweep_s = seconds(lambda: hwsim.sweep(network, SPACE), repeats=3)
    one_s = seconds(lambda: hwsim.run(network, hwsim.Design(), digits.held_out(network)[0]), repeats=3)
    return Measurement(
        name="sweep", value=points / sweep_s, unit="design points/s", baseline="running the held-out images once",
        ratio=one_s / (sweep_s / points), note=f"cnn_int8, {points} points; all layers, energy and area included",
    )  # fmt: skip


def _bert() -> Iterator[Measurement]:
    workload = workloads.load("bert-base")
    numpy_s = seconds(lambda: _in_numpy(workload), repeats=3)
    design = hwsim.Design(datapath=hwsim.BitSerial(skip="zero"), technology="horowitz45")
    point_s = seconds(lambda: hwsim.simulate(workload, design).totals())
    with _no_cache():
        arrays_s = _time(lambda: hwsim.sweep(workload, hwsim.Space(MILLION).grid().arrays()))
    found: list[int] = []
    sweep_s = _time(lambda: found.append(len(hwsim.sweep(workload, MILLION))))
    points = found[0]
    for name, value_s, note in (
        ("one point by simulate, weights known", point_s, "the same design again"),
        ("sweep of a million", sweep_s / points, f"{points} points in {sweep_s:.1f} s, statistics of weights known"),
        ("sweep of its arrays from nothing", arrays_s / 625, f"625 points, {arrays_s:.1f} s: statistics of weights"),
    ):
        yield Measurement(
            name=f"BERT-base, {name}", value=1 / value_s, unit="design points/s",
            baseline="its matmuls in numpy float32", ratio=numpy_s / value_s,
            note=f"{note}; {workload.macs / 1e9:.1f} GMAC in {numpy_s:.3g} s; all layers, energy and area included",
        )  # fmt: skip


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextlib.contextmanager
def _no_cache() -> Iterator[None]:
    """What was measured of weights before is out of sight."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, XDG_CACHE_HOME=folder):
        yield


def _in_numpy(workload: Workload) -> None:
    for layer in workload.layers:
        if isinstance(layer, MatmulLayer):
            a, b = np.ones((layer.m, layer.k), np.float32), np.ones((layer.k, layer.n), np.float32)
            for _ in range(layer.matmuls):
                a @ b
