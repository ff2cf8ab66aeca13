"""Binary matrix-vector products on simulated crossbars, per second of one CPU, against NumPy's float32 matmul."""

import dataclasses
import importlib.metadata
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measurement import Measurement
from hwsim.codebook import Codebook
from hwsim.crossbar.chips import ProgrammedLayer
from hwsim.crossbar.parameters import IDEAL_WIRES, Device, Wires
from hwsim.datapaths.rram import Rram
from hwsim.operators import SplitLinear
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer

SIZE, VECTORS, ROWS = 1024, 256, 128


def measure() -> Iterator[Measurement]:
    """1024 x 1024 weights in crossbars of 128 inputs, 256 vectors: from input bits to the groups' votes."""
    rng = np.random.default_rng(0)
    groups = SIZE // ROWS
    weights = QTensor(
        format="binary", shape=(groups * SIZE, ROWS), codebook=Codebook.of([-1, 1], 1), group_size=ROWS,
        codes=rng.integers(0, 2, (groups * SIZE, ROWS)).astype(np.uint8),
        scale=np.ones((groups * SIZE, 1), np.int32), channel_scale=np.ones(groups * SIZE, np.float32),
    )  # fmt: skip
    quantizer = Quantizer.sign(np.zeros(groups * SIZE), np.zeros(groups * SIZE, bool))
    layer = SplitLinear(weight=weights, quantizer=quantizer, splits=groups)
    bits = rng.integers(0, 2, (VECTORS, SIZE)).astype(np.uint8)
    plain, x = rng.standard_normal((SIZE, SIZE), dtype=np.float32), bits.astype(np.float32)
    quiet = Device(read_noise=0.0)
    cases = {
        "static spread": (quiet, IDEAL_WIRES),
        "read noise": (Device(), IDEAL_WIRES),
        "exact IR drop": (quiet, Wires(bit_line_ohm=1.5)),
        "exact IR drop, read noise": (Device(), Wires(bit_line_ohm=1.5)),
    }
    beside = _others()
    for mapping in ("xnor", "differential"):
        for name, (device, wires) in cases.items():
            rram = dataclasses.replace(Rram(rows=ROWS), mapping=mapping, device=device, wires=wires)
            programmed = ProgrammedLayer(rram, layer, "exact", np.random.default_rng(1))
            ours, numpy_s = _side_by_side(lambda p=programmed: p.votes(bits, 1), lambda: x @ plain)
            yield Measurement(
                name=f"Rram {mapping}: {name}", value=VECTORS / ours, unit="products/CPU-s",
                baseline="numpy float32 matmul", ratio=numpy_s / ours,
                note=f"{SIZE} x {SIZE}, {ROWS} inputs per crossbar; numpy {VECTORS / numpy_s:.0f}/CPU-s{beside}",
            )  # fmt: skip


def _side_by_side(first: Callable[[], object], second: Callable[[], object], repeats: int = 9) -> tuple[float, float]:
    """Median CPU times of all threads, the two taking turns."""
    times = []
    for turn in range(repeats + 1):
        start = time.process_time()
        first()
        middle = time.process_time()
        second()
        if turn:
            times.append((middle - start, time.process_time() - middle))
    ours, theirs = np.median(times, axis=0)
    return float(ours), float(theirs)


def _others() -> str:
    """What the literature's simulators reached, if none of them is installed to be measured."""
    for package in ("aihwkit", "cross-sim"):
        try:
            return f"; {package} {importlib.metadata.version(package)} is installed"
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
