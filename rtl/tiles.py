"""Tiles to measure a design on: pieces of the layers of shipped networks, and random ones."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hwsim import digits
from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.datapaths.mac import Mac
from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.network import Network
from hwsim.qtensor import QTensor
from rtl import layers
from rtl.stimuli import Matmul

IMAGES = 16
NETWORK_BITS = 8
"""Width of the networks' activations; narrower operands take their upper bits, wider ones have random bits below."""
PIECES = 6
"""Pieces of each layer: two tiles each."""


def of_networks(datapath: ArrayDatapath, array: Array, names: Sequence[str], seed: int) -> dict[str, list[Matmul]]:
    """Pieces of every layer that the datapath takes, by network; networks without such a layer are left out."""
    found = {name: of_network(datapath, array, digits.load(name), seed) for name in names}
    return {name: pieces for name, pieces in found.items() if pieces}


def of_network(datapath: ArrayDatapath, array: Array, network: Network, seed: int) -> list[Matmul]:
    """`PIECES` of each layer's matmuls on held-out images, drawn from ``seed``."""
    rng = np.random.default_rng(seed)
    # Narrow datapaths refuse the networks' layers, whose operands are the same on any that takes integers.
    wide = datapath if datapath.activation_bits >= NETWORK_BITS else Mac(scale_bits=16, offset_bits=16)
    design = Design(datapath=wide, array=array)
    x = digits.held_out(network)[0][:IMAGES]
    pieces: list[Matmul] = []
    try:
        for _, matmuls in layers.matmuls(network, design, x):
            for each in matmuls[:2]:
                datapath.supports(each.w)
                fitted = dataclasses.replace(each, x=_widened(rng, each.x, datapath.activation_bits - NETWORK_BITS))
                pieces += [_piece(rng, fitted, array) for _ in range(PIECES)]
    except HwsimError:
        return []
    return pieces


def _widened(rng: np.random.Generator, x: np.ndarray, bits: int) -> np.ndarray:
    """Activations with random bits appended, or with lower bits cut off."""
    if bits <= 0:
        return x >> -bits
    return (x.astype(np.int64) << bits) + rng.integers(0, 1 << bits, x.shape)


def _piece(rng: np.random.Generator, matmul: Matmul, array: Array) -> Matmul:
    """One tile of rows by two of columns, somewhere in a matmul."""
    m, n = min(array.tile_rows, len(matmul.x)), min(2 * array.cols, matmul.w.n)
    row, column = int(rng.integers(len(matmul.x) - m + 1)), int(rng.integers(matmul.w.n - n + 1))
    return dataclasses.replace(
        matmul, x=matmul.x[row : row + m], w=matmul.w.rows(column, column + n),
        quantizer=matmul.quantizer.channels(slice(column, column + n)),
    )  # fmt: skip


def uniform(matmuls: Sequence[Matmul], datapath: ArrayDatapath, seed: int) -> list[Matmul]:
    """The same matmuls with uniform random activations and weight codes."""
    rng = np.random.default_rng(seed)
    limit = 1 << (datapath.activation_bits - 1)
    return [
        dataclasses.replace(each, x=rng.integers(-limit, limit, each.x.shape), w=_shuffled(rng, each.w))
        for each in matmuls
    ]


def _shuffled(rng: np.random.Generator, w: QTensor) -> QTensor:
    """Codes drawn alike from all that occur."""
    return dataclasses.replace(w, codes=rng.choice(np.unique(w.codes), w.codes.shape).astype(w.codes.dtype))
