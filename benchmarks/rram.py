"""Binary matrix-vector products on simulated crossbars, per second of one CPU, against NumPy's float32 matmul."""

import dataclasses
import importlib
import importlib.metadata
import subprocess
import sys
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
    peer = _aihwkit()
    for mapping in ("xnor", "differential"):
        for name, (device, wires) in cases.items():
            rram = dataclasses.replace(Rram(rows=ROWS), mapping=mapping, device=device, wires=wires)
            programmed = ProgrammedLayer(rram, layer, "exact", np.random.default_rng(1))
            ours, numpy_s = _side_by_side(lambda p=programmed: p.votes(bits, 1), lambda: x @ plain)
            yield Measurement(
                name=f"Rram {mapping}: {name}", value=VECTORS / ours, unit="products/CPU-s",
                baseline="numpy float32 matmul", ratio=numpy_s / ours,
                note=f"{SIZE} x {SIZE}, {ROWS} inputs per crossbar; numpy {VECTORS / numpy_s:.0f}/CPU-s",
            )  # fmt: skip
            if peer is not None and name == "static spread":
                ours, theirs = _side_by_side(lambda p=programmed: p.votes(bits, 1), lambda: peer.forward(x), repeats=3)
                yield Measurement(
                    name=f"Rram {mapping}: {name}, beside {peer.name}", value=VECTORS / ours, unit="products/CPU-s",
                    baseline=peer.name, ratio=theirs / ours, note=f"its PyTorch tiles: {VECTORS / theirs:.0f}/CPU-s",
                )  # fmt: skip
    yield _memory()


def _side_by_side(ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 9) -> tuple[float, float]:
    """Median CPU times, the two taking turns: ours of the one thread that it runs in, theirs of all threads.

    Theirs that still spin when it is our turn are none of our time.
    """
    times = []
    for turn in range(repeats + 1):
        start = time.thread_time()
        ours()
        own, start = time.thread_time() - start, time.process_time()
        theirs()
        if turn:
            times.append((own, time.process_time() - start))
    medians = np.median(times, axis=0)
    return float(medians[0]), float(medians[1])


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another simulator of crossbars: its name and version, and its product of float32[M, K] with a matrix."""

    name: str
    forward: Callable[[np.ndarray], object]


def _aihwkit() -> Peer | None:
    """The same size on aihwkit's crossbars without converters, if it is installed."""
    try:
        version = importlib.metadata.version("aihwkit")
    except importlib.metadata.PackageNotFoundError:
        return None
    torch = importlib.import_module("torch")
    analog = importlib.import_module("aihwkit.nn")
    config = importlib.import_module("aihwkit.simulator.configs").TorchInferenceRPUConfig()
    config.mapping.max_input_size, config.mapping.max_output_size = ROWS, 0
    config.forward.inp_res = config.forward.out_res = -1
    config.forward.out_noise = 0.0
    layer = analog.AnalogLinear(SIZE, SIZE, bias=False, rpu_config=config).eval()

    def forward(x: np.ndarray) -> object:
        with torch.no_grad():
            return layer(torch.from_numpy(x))

    return Peer(f"aihwkit {version}", forward)


CHIPS = """
import resource, sys
import hwsim
from hwsim import digits
network = digits.load("mlp_binary")
rram = hwsim.Rram(rows=256, cols=256, wires=hwsim.Wires(bit_line_ohm=0.0))
array = hwsim.Array(rows=256, cols=256, dataflow="weight_stationary")
design = hwsim.Design(overrides=(hwsim.Override(layers="second", datapath=rram, array=array),))
images, labels = (part[:16] for part in digits.held_out(network))
hwsim.chips(network, design, images, labels, n=int(sys.argv[1]), workers=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
FEW, MANY = 100, 2000


def _memory() -> Measurement:
    """Peak memory of a process that simulates few chips, and of one that simulates many."""
    few, many = (
        int(subprocess.run([sys.executable, "-c", CHIPS, str(n)], capture_output=True, text=True, check=True).stdout)
        for n in (FEW, MANY)
    )
    return Measurement(
        name=f"chips: peak memory of {MANY}", value=many / 1024, unit="MiB", baseline=f"{FEW} chips", ratio=few / many,
        note="one layer of 256 x 256, 16 images; a chip is made, run and dropped",
    )  # fmt: skip
