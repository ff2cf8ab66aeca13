"""What a network asks of the hardware: matmuls with their weights, and host operators."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Literal, Self

import numpy as np

from hwsim.errors import NetworkError, nearest
from hwsim.formats import quantize
from hwsim.lowering import lower
from hwsim.network import Network, Node
from hwsim.operators import DynamicMatmul, Embedding, HostOperator, Matmul, StaticMatmul
from hwsim.operators.attention import operand
from hwsim.qtensor import QTensor, signed_bits

Distribution = Literal["gaussian", "uniform"]
DISTRIBUTIONS: dict[str, str] = {
    "gaussian": "normal weights, zero mean, unit variance",
    "uniform": "weights uniform in -1..1",
}
ASSUMED_ACTIVATION = (0.5, 0.25)
"""Zero fraction and toggle rate of activations that nobody calibrated: half zero, as after a ReLU."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MatmulLayer:
    """One layer on the array: ``len(weights)`` matmuls of [m, k] x [n, k].

    Attributes:
        name: of the layer.
        m, n, k: sizes of each matmul.
        weights: one QTensor [n, k] per matmul.
        input_elements: distinct activations that all matmuls read (a convolution unfolds them).
        activation_bits, output_bits: bits per element of inputs and results.
        activation: zero fraction and toggle rate of the inputs.
        assumed: what is assumed because no tensor or calibration was given; empty otherwise.
    """

    name: str
    m: int
    n: int
    k: int
    weights: tuple[QTensor, ...]
    input_elements: int
    activation_bits: int
    output_bits: int
    activation: tuple[float, float]
    assumed: str = ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.n * self.k * len(self.weights)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostLayer:
    """One host operator: element operations, bits read and written."""

    name: str
    operator: str
    elements: int
    read_bits: int
    write_bits: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """Layers in the order in which they run."""

    name: str
    layers: tuple[MatmulLayer | HostLayer, ...]
    batch: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers if isinstance(layer, MatmulLayer))

    @functools.cached_property
    def hash(self) -> str:
        """16 hex digits over everything that costs depend on."""
        digest = hashlib.sha256(self.name.encode())
        for layer in self.layers:
            plain = [
                [w.hash for w in value] if field.name == "weights" else value
                for field in dataclasses.fields(layer)
                for value in [getattr(layer, field.name)]
            ]
            digest.update(repr(plain).encode())
        return digest.hexdigest()[:16]

    @classmethod
    def from_network(cls, network: Network, batch: int = 1) -> Self:
        """The layers of a network for ``batch`` inputs at once."""
        check_batch(batch)
        layers = [
            _matmul(network, node, batch) if isinstance(node.operator, Matmul) else _host(network, node, batch)
            for node in network.nodes
            if isinstance(node.operator, Matmul) or (isinstance(node.operator, HostOperator) and node.operator.PASSES)
        ]
        return cls(name=network.name, layers=tuple(layers), batch=batch)

    @classmethod
    def from_tensors(cls, name: str, tensors: Mapping[str, QTensor], m: int) -> Self:
        """One matmul of ``m`` rows (tokens) with each of the named weights, lowered if they are not.

        Activations are assumed 8 bits, half of them zero. NetworkError if there are no tensors.
        """
        if not tensors or m < 1:
            raise NetworkError(f"workload {name!r}: {len(tensors)} tensors, {m} rows; both must be positive")
        layers = [
            _assumed_layer(key, m, lower(w), "no calibration: half of the activations zero")
            for key, w in tensors.items()
        ]
        return cls(name=name, layers=tuple(layers))

    @classmethod
    def from_shapes(
        cls,
        name: str,
        shapes: Iterable[tuple[int, int, int]],
        *,
        weights: str = "int8",
        distribution: Distribution = "gaussian",
        seed: int = 0,
    ) -> Self:
        """Plain matmuls (M, N, K) whose weights are drawn from a named distribution.

        Reports show the distribution as "assumed". NetworkError for shapes that are not positive.
        """
        if distribution not in DISTRIBUTIONS:
            raise NetworkError(f"unknown distribution {distribution!r}; {nearest(distribution, DISTRIBUTIONS)}")
        rng = np.random.default_rng(seed)
        layers = []
        for index, (m, n, k) in enumerate(shapes):
            if min(m, n, k) < 1:
                raise NetworkError(f"workload {name!r}: shape {(m, n, k)} is not positive")
            size = (n, k)
            values = rng.standard_normal(size) if distribution == "gaussian" else rng.uniform(-1, 1, size)
            assumed = f"{DISTRIBUTIONS[distribution]} (seed {seed}); half of the activations zero"
            layers.append(_assumed_layer(f"matmul{index}", m, lower(quantize(values, weights)), assumed))
        if not layers:
            raise NetworkError(f"workload {name!r} has no shapes")
        return cls(name=name, layers=tuple(layers))


def _assumed_layer(name: str, m: int, w: QTensor, assumed: str) -> MatmulLayer:
    """A matmul of 8-bit activations that nobody calibrated."""
    return MatmulLayer(
        name=name, m=m, n=w.n, k=w.k, weights=(w,), input_elements=m * w.k, activation_bits=8, output_bits=8,
        activation=ASSUMED_ACTIVATION, assumed=assumed,
    )  # fmt: skip


def check_batch(batch: int) -> None:
    """NetworkError unless ``batch`` is a positive whole number."""
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise NetworkError(f"batch {batch!r} is not a positive whole number")


def _bits(network: Network, name: str) -> int:
    """Stored bits per element of a node's output: whole bytes."""
    return -(-signed_bits(*network.ranges[name]) // 8) * 8


def _matmul(network: Network, node: Node, batch: int) -> MatmulLayer:
    operator = node.operator
    if isinstance(operator, DynamicMatmul):
        m, weights, assumed = _dynamic_operand(network, node, operator, batch)
    else:
        assert isinstance(operator, StaticMatmul)
        m = batch * math.prod(network.shapes[node.name]) // operator.weight.n
        weights, assumed = tuple(operator.split_weight()), ""
    assert isinstance(operator, Matmul)
    known = operator.activation
    uncalibrated = "" if known else "no calibration: half of the activations zero"
    return MatmulLayer(
        name=node.name, m=m, n=weights[0].n, k=weights[0].k, weights=weights,
        input_elements=batch * math.prod(network.shapes[node.inputs[0]]),
        activation_bits=network.activation_bits(node), output_bits=_bits(network, node.name),
        activation=(known["zero_fraction"], known["toggle_rate"]) if known else ASSUMED_ACTIVATION,
        assumed="; ".join(filter(None, (assumed, uncalibrated))),
    )  # fmt: skip


def _dynamic_operand(
    network: Network, node: Node, operator: DynamicMatmul, batch: int
) -> tuple[int, tuple[QTensor, ...], str]:
    """Rows per matmul, second operands drawn from a distribution (the real ones depend on data), and its name."""
    matmuls, m, n, k = operator.sizes(*(network.shapes[name] for name in node.inputs))
    limit = max(map(abs, network.ranges[node.inputs[1]]))
    drawn = np.random.default_rng(0).standard_normal((n, k))
    values = np.rint(drawn * (limit / np.abs(drawn).max())).astype(np.int64)
    return m, (operand(values),) * (batch * matmuls), "second operand: normal, zero mean (seed 0)"


def _host(network: Network, node: Node, batch: int) -> HostLayer:
    operator = node.operator
    assert isinstance(operator, HostOperator)
    reads = [math.prod(network.shapes[name]) * _bits(network, name) for name in node.inputs]
    inputs = sum(math.prod(network.shapes[name]) for name in node.inputs)
    outputs = math.prod(network.shapes[node.name])
    constants = operator.read_bits(inputs) if isinstance(operator, Embedding) else operator.constant_bits
    return HostLayer(
        name=node.name, operator=type(operator).__name__, elements=batch * operator.PASSES * max(inputs, outputs),
        read_bits=batch * (sum(reads) + constants), write_bits=batch * outputs * _bits(network, node.name),
    )  # fmt: skip
