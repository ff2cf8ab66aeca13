"""Layers for the crossbar array: drawn at random, each kind after one corner of it, and those of the networks."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from hwsim import digits
from hwsim.codebook import Codebook
from hwsim.datapath import Array
from hwsim.datapaths.rram import CrossbarWeights, Rram
from hwsim.errors import FormatError
from hwsim.network import Network
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from hwsim.workload import MatmulLayer, Workload
from rtl import layers
from rtl.harness import Job
from rtl.rram_stimuli import CrossbarLayer, stimuli

BATCH = 20
"""Held-out images per network."""
STALL = 96


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What a layer is drawn like: everything smaller than the array, or some of it exactly so."""

    full: bool = False
    window: int = 1
    vectors: int = 0
    groups: int = 0
    stuck: float = 0.0
    ties: bool = False


KINDS = {
    "random": Kind(),
    "full": Kind(full=True, stuck=0.02),
    "pooled": Kind(window=4),
    "one_vector": Kind(vectors=1),
    "one_group": Kind(groups=1, stuck=0.3),
    "stuck": Kind(stuck=0.1, window=3),
    "ties": Kind(full=True, ties=True),
}


def random_layer(name: str, datapath: Rram, array: Array, seed: int) -> CrossbarLayer:
    """A layer of the kind called ``name`` that fits the array."""
    rng = np.random.default_rng(seed)
    kind = KINDS[name]

    def size(most: int) -> int:
        return most if kind.full else int(rng.integers(1, most + 1))

    groups = kind.groups or size(datapath.groups(array))
    k, n = size(datapath.rows), size(array.cols)
    vectors = kind.vectors or kind.window * int(rng.integers(1, 7))
    weights = QTensor(
        format="binary", shape=(groups * n, k), codes=rng.integers(0, 2, (groups * n, k)).astype(np.uint8),
        codebook=Codebook.of([-1, 1], 1), group_size=k, scale=np.ones((groups * n, 1), np.int32),
        channel_scale=np.ones(groups * n, np.float32),
    )  # fmt: skip
    bias = rng.integers(-k // 4 - 1, k // 4 + 2, groups * n)
    if kind.ties:  # sums of k signs have the parity of k: these are reached
        bias = np.where((bias + k) % 2 == 0, bias, bias + 1)
    bias[rng.random(groups * n) < 0.05] = k + 5
    bias[rng.random(groups * n) < 0.05] = -k - 5
    stuck = rng.random((2, groups, 2, k, n)) < kind.stuck
    return CrossbarLayer(
        x=rng.choice([-1, 1], (groups, vectors, k)), weights=tuple(weights.split(groups)),
        quantizer=Quantizer.sign(bias, rng.random(groups * n) < 0.4), window=kind.window,
        stuck=stuck if kind.stuck else None,
    )  # fmt: skip


def job(name: str, datapath: Rram, array: Array, seed: int) -> Job:
    """A layer drawn from ``seed``, without stalls."""
    return Job(stimuli=stimuli(datapath, array, random_layer(name, datapath, array, seed)), seed=seed)


def network_jobs(datapath: Rram, array: Array) -> Iterator[tuple[str, Job]]:
    """``network:layer`` and job of every layer of the digits networks that the crossbars take, whole.

    A layer of more outputs than the array has is that many jobs, each with its share of the columns.
    """
    for name in digits.NAMES:
        network = digits.load(name)
        for layer in fitting(network, datapath, array):
            for seed, part in enumerate(layer_parts(network, layer, array), start=1):
                made = Job(stimuli=stimuli(datapath, array, part), seed=seed)
                yield f"{name}:{layer}", made
                if seed == 1:
                    yield f"{name}:{layer}", dataclasses.replace(made, stall=STALL)


def fitting(network: Network, datapath: Rram, array: Array) -> list[str]:
    """The layers whose groups of inputs fit the crossbars."""
    names = []
    for layer in Workload.from_network(network).layers:
        if not isinstance(layer, MatmulLayer) or layer.one_bit is None:
            continue
        try:
            (weights,) = datapath.stored(layer).weights
            assert isinstance(weights, CrossbarWeights)
            datapath.stats(dataclasses.replace(weights, n=1), array)
        except FormatError:
            continue
        names.append(layer.name)
    return names


def layer_parts(network: Network, name: str, array: Array) -> Iterator[CrossbarLayer]:
    """One layer on held-out images, cut into shares of at most ``array.cols`` outputs."""
    images, _ = digits.held_out(network)
    return layers.crossbar_parts(network, None, name, images[:BATCH], array)
