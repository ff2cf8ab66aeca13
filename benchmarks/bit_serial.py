"""Cycles that depend on the weights, of a whole language model, against a plain copy of the same codes."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measurement import Measurement
from hwsim import Array, BitSerial, QTensor, workloads
from hwsim.workload import MatmulLayer

MODEL = "llama-2-7b"
ARRAY = Array(rows=16, cols=16)
LOCK_STEP = BitSerial(skip="zero")
RUN_AHEAD = BitSerial(skip="zero", fifo_depth=4)


def measure() -> Iterator[Measurement]:
    """`BitSerial.stats` of every weight of Llama-2-7B, each layer made, counted, copied and dropped."""
    for name in ("int4", "bitmod_fp3"):
        spent = {"lock-step": 0.0, "run-ahead, FIFO of 4": 0.0}
        copy_s, weights, largest = 0.0, 0, 0
        for w in _weights(name):
            copied = np.empty_like(w.codes)
            for kind, datapath in zip(spent, (LOCK_STEP, RUN_AHEAD), strict=True):
                if not weights:
                    datapath.stats(w, ARRAY)  # compiles
                start = time.perf_counter()
                datapath.stats(w, ARRAY)
                spent[kind] += time.perf_counter() - start
            copied[:] = 0  # its pages are there
            start = time.perf_counter()
            np.copyto(copied, w.codes)
            copy_s += time.perf_counter() - start
            weights, largest = weights + w.n * w.k, max(largest, w.codes.nbytes)
        for kind, stats_s in spent.items():
            yield Measurement(
                name=f"BitSerial.stats {name}, {kind}", value=weights / stats_s / 1e9, unit="Gweights/s",
                baseline="numpy copy of the codes", ratio=copy_s / stats_s,
                note=f"{MODEL}, {weights / 1e9:.2f} G weights in groups of 128, a byte each, at most "
                f"{largest / 1e6:.0f} MB at once; {ARRAY.cols} columns; copy {weights / copy_s / 1e9:.1f} GB/s",
            )  # fmt: skip


def _weights(name: str) -> Iterator[QTensor]:
    """The static weights of the model, layer by layer."""
    workload = workloads.load(MODEL, stage="decode", weights=name, group_size=128, distinct=True)
    for layer in workload.layers:
        if isinstance(layer, MatmulLayer) and "attn_" not in layer.name:
            yield from (each.tensor() for each in layer.weights)  # type: ignore[union-attr]
