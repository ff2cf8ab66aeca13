"""Crossbars with a network trained elsewhere: lfcW1A1 of Xilinx BNN-PYNQ (BSD-3-Clause) on MNIST.

Set HWSIM_BNN_PYNQ to the folder that holds its ``lfcW1A1/<layer>-<pe>-weights.bin`` and ``-thres.bin``, and HWSIM_MNIST
to that of ``t10k-images-idx3-ubyte.gz`` and ``t10k-labels-idx1-ubyte.gz``; nothing needs them.
"""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

import hwsim
from hwsim import Array, Design, Device, Override, Rram, Wires
from hwsim.codebook import Codebook
from hwsim.network import Network, Node
from hwsim.operators import Input, Linear, SplitLinear
from hwsim.qtensor import QTensor
from hwsim.requantization import INT32, Quantizer

FOLDERS = [os.environ.get(name) for name in ("HWSIM_BNN_PYNQ", "HWSIM_MNIST")]
pytestmark = pytest.mark.skipif(not all(FOLDERS), reason="HWSIM_BNN_PYNQ and HWSIM_MNIST are not set")
LAYERS = ((832, 1024, 64, 32), (1024, 1024, 32, 64), (1024, 1024, 64, 32), (1024, 64, 8, 16))
"""Inputs, outputs, inputs per word, files."""
FEW = 3000


def read(layer):
    """Weights bool[outputs, inputs] and thresholds int64[outputs]: a neuron fires if its matches are more."""
    inputs, outputs, width, files = LAYERS[layer]
    weights, thresholds = np.empty((outputs, inputs), bool), np.empty(outputs, np.int64)
    for number in range(files):
        path = Path(FOLDERS[0]) / "lfcW1A1" / f"{layer}-{number}"
        words = np.fromfile(f"{path}-weights.bin", "<u8").reshape(-1, inputs // width, 1)
        bits = words >> np.arange(width, dtype=np.uint64) & np.uint64(1)
        weights[number::files] = bits.reshape(-1, inputs)
        if layer < len(LAYERS) - 1 or Path(f"{path}-thres.bin").exists():
            thresholds[number::files] = np.fromfile(f"{path}-thres.bin", "<i8")
    return weights, thresholds


def tensor(bits):
    n, k = bits.shape
    return QTensor(
        format="binary", shape=(n, k), codes=bits.astype(np.uint8), codebook=Codebook.of([-1, 1], 1), group_size=k,
        scale=np.ones((n, 1), np.int32), channel_scale=np.ones(n, np.float32),
    )  # fmt: skip


def hidden(layer, rows):
    """A hidden layer, split for crossbars of ``rows`` inputs; each group has its share of the threshold."""
    weights, thresholds = read(layer)
    n, k = weights.shape
    groups = -(-k // rows)
    least = np.tile(thresholds // groups + 1, groups)
    quantizer = Quantizer.sign(k // groups - 2 * least, np.zeros(groups * n, bool))
    split = weights.reshape(n, groups, -1).transpose(1, 0, 2).reshape(groups * n, -1)
    if groups == 1:
        return Linear(weight=tensor(split), quantizer=quantizer)
    return SplitLinear(weight=tensor(split), quantizer=quantizer, splits=groups)


def network(rows):
    weights, thresholds = read(3)
    head = Quantizer.dyadic(np.ones(10), 1024 - 2 * thresholds[:10], int(INT32.min), int(INT32.max))
    operators = {
        "first": hidden(0, 832), "second": hidden(1, rows), "third": hidden(2, rows),
        "head": Linear(weight=tensor(weights[:10]), quantizer=head),
    }  # fmt: skip
    names = ["input", *operators]
    return Network(
        name="lfcW1A1", output_scale=1.0,
        nodes=(
            Node(name="input", operator=Input(shape=(832,), scale=1.0, low=-1, high=1)),
            *(Node(name=name, inputs=(names[i],), operator=each) for i, (name, each) in enumerate(operators.items())),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def mnist():
    images, labels = (
        gzip.decompress((Path(FOLDERS[1]) / f"t10k-{name}-ubyte.gz").read_bytes())
        for name in ("images-idx3", "labels-idx1")
    )
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)
    x = np.full((len(pixels), 832), -1)
    x[:, :784] = np.where(pixels >= 128, 1, -1)
    return x, np.frombuffer(labels, np.uint8, offset=8)


def accuracy(rows, design, x, labels):
    return (hwsim.run(network(rows), design, x).argmax(axis=1) == labels).mean()


def crossbars(rows, **fields):
    array = Array(rows=1024, cols=1024, dataflow="weight_stationary")
    rram = Rram(rows=rows, cols=128, **fields)
    return Design(overrides=tuple(Override(layers=name, datapath=rram, array=array) for name in ("second", "third")))


def test_exact_sums_have_the_known_accuracy(mnist):
    x, labels = mnist
    assert accuracy(1024, None, x, labels) == pytest.approx(0.9834, abs=1e-9)


@pytest.mark.parametrize(("rows", "expected"), [(1024, 0.976), (512, 0.973), (256, 0.974), (128, 0.974)])
def test_splitting_without_retraining_has_the_known_accuracy(mnist, rows, expected):
    x, labels = (part[:FEW] for part in mnist)
    exact = accuracy(rows, None, x, labels)
    assert exact == pytest.approx(expected, abs=0.0006)
    assert accuracy(rows, crossbars(rows), x, labels) == exact


@pytest.mark.parametrize(("reference", "low", "high"), [("fixed", 0.0, 0.6), ("trimmed", 0.95, 1.0)])
def test_trimming_repairs_what_wires_of_5_ohm_break(mnist, reference, low, high):
    x, labels = (part[:1000] for part in mnist)
    design = crossbars(
        128, mapping="differential", reference=reference, wires=Wires(bit_line_ohm=5.0),
        device=Device(ron_ohm=1e4, roff_ohm=2e5),
    )  # fmt: skip
    seen = hwsim.chips(network(128), design, x, labels, n=2).accuracy
    assert low < seen.mean() < high
