"""Tiles to measure a design on: pieces of the layers of shipped networks, and random ones."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from hwsim import digits
from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.datapaths.mac import Mac
from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.network import Network
from hwsim.qtensor import QTensor
from hwsim.technology.energy_fits import RANDOM
from rtl import layers
from rtl.stimuli import Matmul

IMAGES = 16
NETWORK_BITS = 8
"""Width of the networks' activations; narrower operands take their upper bits, wider ones have random bits below."""
PIECES = 4
"""Pieces of each layer: two tiles each."""


def of_networks(datapath: ArrayDatapath, array: Array, names: Sequence[str], seed: int) -> dict[str, list[Matmul]]:
    """Pieces of every layer that the datapath takes, by ``network/layer``."""
    found: dict[str, list[Matmul]] = {}
    for name in names:
        for layer, pieces in of_network(datapath, array, digits.load(name), seed):
            found[f"{name}/{layer}"] = pieces
    return found


def of_network(
    datapath: ArrayDatapath, array: Array, network: Network, seed: int
) -> Iterator[tuple[str, list[Matmul]]]:
    """`PIECES` of each layer's matmuls on held-out images, drawn from ``seed``, as far as the datapath takes them."""
    rng = np.random.default_rng(seed)
    # Narrow datapaths refuse the networks' layers, whose operands are the same on any that takes integers.
    wide = datapath if datapath.activation_bits >= NETWORK_BITS else Mac(scale_bits=16, offset_bits=16)
    design = Design(datapath=wide, array=array)
    x = digits.held_out(network)[0][:IMAGES]
    try:
        for name, matmuls in layers.matmuls(network, design, x):
            pieces: list[Matmul] = []
            for each in matmuls[:2]:
                if _takes(datapath, each.w):
                    fitted = dataclasses.replace(each, x=_widened(rng, each.x, datapath.activation_bits - NETWORK_BITS))
                    pieces += [_piece(rng, fitted, array) for _ in range(PIECES)]
            if pieces:
                yield name, pieces
    except HwsimError:
        return


def _takes(datapath: ArrayDatapath, w: QTensor) -> bool:
    try:
        datapath.supports(w)
    except HwsimError:
        return False
    return True


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


def varied(sets: Mapping[str, Sequence[Matmul]]) -> Sequence[Matmul]:
    """The first of ``sets`` whose weights stand for the most values, among those no shorter than the very first."""
    k = next(iter(sets.values()))[0].w.k
    return max(
        (each for each in sets.values() if each[0].w.k >= k), key=lambda each: each[0].w.codebook.integers.shape[1]
    )


def random(matmuls: Sequence[Matmul], datapath: ArrayDatapath, seed: int) -> dict[str, list[Matmul]]:
    """The same matmuls with operands that networks may lack, by ``random/name``.

    ``uniform`` activations and weights, some of the activations zero (``sparse25``: a quarter of them), ``small``
    normal activations, positive ones as after a ReLU, and ``steady`` ones that differ little from k to k; with the
    positive ones also ``half`` and ``few`` weights that are not the smallest, and few of negative scales (``negated``).
    """
    rng = np.random.default_rng(seed)
    limit = 1 << (datapath.activation_bits - 1)

    def normal(shape: tuple[int, ...], deviation: float) -> np.ndarray:
        return np.clip(np.rint(rng.normal(0, deviation, shape)), -limit, limit - 1).astype(np.int64)

    drawn: dict[str, Callable[[tuple[int, ...]], np.ndarray]] = {
        "uniform": lambda shape: rng.integers(-limit, limit, shape),
        "sparse25": lambda shape: rng.integers(-limit, limit, shape) * (rng.random(shape) > 0.25),
        "sparse50": lambda shape: rng.integers(-limit, limit, shape) * (rng.random(shape) > 0.5),
        "sparse75": lambda shape: rng.integers(-limit, limit, shape) * (rng.random(shape) > 0.75),
        "small": lambda shape: normal(shape, limit / 32),
        "relu": lambda shape: np.maximum(normal(shape, limit / 4), 0),
        "steady": lambda shape: np.clip(np.cumsum(normal(shape, limit / 32), axis=1), -limit, limit - 1),
    }
    few = {"half": (0.5, 1), "few": (0.9, 1), "negated": (0.7, -1)}
    drawn |= dict.fromkeys(few, drawn["relu"])
    found = {}
    for name, draw in drawn.items():
        weights = few.get(name, (0.0, 1))
        made = [dataclasses.replace(each, x=draw(each.x.shape), w=_shuffled(rng, each.w, *weights)) for each in matmuls]
        found[f"{RANDOM}/{name}"] = [each for each in made if _takes(datapath, each.w)]
    return {name: pieces for name, pieces in found.items() if pieces}


def _shuffled(rng: np.random.Generator, w: QTensor, zeros: float, sign: int) -> QTensor:
    """Codes drawn alike from all that occur; or of the two that stand for the least, the first so often.

    Scales are multiplied by ``sign``.
    """
    known = np.unique(w.codes)
    codes = rng.choice(known, w.codes.shape)
    if zeros:
        least = known[np.abs(w.codebook.integers[0])[known].argsort(kind="stable")[:2]]
        codes = np.where(rng.random(codes.shape) < zeros, least[0], least[-1])
    return dataclasses.replace(w, codes=codes.astype(w.codes.dtype), scale=w.scale * np.int32(sign))
