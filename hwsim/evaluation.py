"""Accuracy of a network under a design's own arithmetic: `evaluate`."""

import hashlib
import json
from typing import Any

import numpy as np

from hwsim import schema
from hwsim.blob_cache import BlobCache
from hwsim.datapath import Datapath
from hwsim.design import Design
from hwsim.errors import NetworkError
from hwsim.inference import run
from hwsim.measurement import code_hash, source_hash
from hwsim.network import Network

AT_ONCE = 256
"""Inputs in memory at a time."""
_SHARES: dict[str, float] = {}


def evaluate(network: Network, design: Design | None, x: np.ndarray, y: np.ndarray) -> float:
    """Share of inputs ``x`` [n, *input shape] whose largest output is the one that labels ``y`` int[n] name.

    Values are those of `hwsim.run`, bit for bit; without a design sums are exact. What was found is remembered, in
    memory and on disk, by what it depends on: network, data, and of the design each layer's
    `hwsim.Datapath.arithmetic`. NetworkError if the network gives no scores of classes or the data do not fit;
    FormatError if a datapath cannot take a layer.
    """
    samples, labels = checked(network, x, y)
    if design is not None:
        run(network, design, samples[:1])  # which says what is wrong, whatever was found with another design
    key = schema.content_hash([network.hash, _hash(samples), _hash(labels), arithmetic(network, design)])
    if key not in _SHARES:
        cache = BlobCache("accuracy", code_hash())
        known = cache.read([key])
        if key not in known:
            known[key] = json.dumps(_labelled(network, design, samples, labels)).encode()
            cache.write(known)
        _SHARES[key] = json.loads(known[key])
    return _SHARES[key]


def arithmetic(network: Network, design: Design | None) -> list[Any]:
    """What the values of each matmul depend on, as plain data."""
    if design is None:
        return ["exact"] * sum(1 for _ in network.matmuls())
    return [_plain(design.layer(node.name).datapath) for node in network.matmuls()]


def _plain(datapath: Datapath) -> Any:
    known = datapath.arithmetic
    return known if isinstance(known, str) else [schema.to_plain(known), source_hash(type(datapath))]


def checked(network: Network, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels as arrays; NetworkError unless they fit each other and the network."""
    samples, labels = np.asarray(x), np.asarray(y)
    shape = network.shapes[network.nodes[-1].name]
    if len(shape) != 1:
        raise NetworkError(f"network {network.name!r} gives results of shape {shape}, not one score per class")
    if samples.shape[1:] != network.input.shape or not len(samples):
        raise NetworkError(
            f"inputs of shape {samples.shape}, expected [n, {', '.join(map(str, network.input.shape))}] with n > 0"
        )
    if labels.shape != samples.shape[:1] or labels.dtype.kind not in "iu":
        raise NetworkError(f"labels of shape {labels.shape} and type {labels.dtype}: expected int[{len(samples)}]")
    if labels.min() < 0 or labels.max() >= shape[0]:
        raise NetworkError(f"labels lie in {labels.min()}..{labels.max()}, the network has {shape[0]} classes")
    return samples, labels


def _hash(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _labelled(network: Network, design: Design | None, x: np.ndarray, y: np.ndarray) -> float:
    right = 0
    for low in range(0, len(x), AT_ONCE):
        scores = run(network, design, x[low : low + AT_ONCE])
        right += int((scores.argmax(axis=1) == y[low : low + AT_ONCE]).sum())
    return right / len(x)
