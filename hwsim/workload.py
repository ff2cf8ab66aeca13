"""What a network asks of the hardware: matmuls with their weights, and host operators."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from hwsim import layer_sample
from hwsim.errors import NetworkError
from hwsim.inference import trace
from hwsim.layer_sample import LayerSample
from hwsim.lowering import lower
from hwsim.network import Network, Node
from hwsim.operators import DynamicMatmul, Embedding, HostOperator, Matmul, Split, StaticMatmul
from hwsim.operators.attention import operand
from hwsim.qtensor import QTensor, signed_bits
from hwsim.weight_source import Distribution, Drawn, WeightSource

UNCALIBRATED = "half of the activations zero, the others normal"
"""`hwsim.layer_sample.assumed` in words."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneBit:
    """How results of -1 and 1 come from activations of -1 and 1: each is the majority of ``groups`` bits, each of
    these pooled over ``window`` input vectors."""

    groups: int = 1
    window: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MatmulLayer:
    """One layer on the array: ``len(weights)`` matmuls of [m, k] x [n, k], all of it ``repeat`` times.

    Attributes:
        name: of the layer.
        m, n, k: sizes of each matmul.
        weights: one lowered QTensor [n, k] per matmul, or what makes it when it is needed.
        input_elements: distinct activations that these matmuls read (a convolution unfolds them).
        activation_bits, output_bits: bits per element of inputs and results.
        sample: of the inputs; None where nobody calibrated.
        sum_shift: bits that sums beyond 32 bits lose before they are requantized (`hwsim.requantization`).
        assumed: what is assumed because no tensor or calibration was given; empty otherwise.
        repeat: how often the layer runs, each time with other activations and weights like these.
        dynamic: the second operand is made at run time (attention): no weights.
        together: so many of the repetitions belong to one layer of the model (the heads of attention).
        one_bit: of a layer between activations of -1 and 1.
    """

    name: str
    m: int
    n: int
    k: int
    weights: tuple[QTensor | WeightSource, ...]
    input_elements: int
    activation_bits: int
    output_bits: int
    sum_shift: int = 0
    assumed: str = ""
    repeat: int = 1
    dynamic: bool = False
    together: int = 1
    one_bit: OneBit | None = None
    sample: LayerSample | None = None

    @property
    def operands(self) -> LayerSample:
        """Its sample, or what is assumed instead."""
        return self.sample or layer_sample.assumed(self.n, self.k, self.activation_bits, self.one_bit is not None)

    @property
    def matmuls(self) -> int:
        """Matmuls, repetitions included."""
        return len(self.weights) * self.repeat

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.n * self.k * self.matmuls


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostLayer:
    """One host operator: element operations, bits read and written, all of it ``repeat`` times."""

    name: str
    operator: str
    elements: int
    read_bits: int
    write_bits: int
    repeat: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """Layers in the order in which they run.

    Attributes:
        name: in tables and reports.
        layers: in order.
        batch: inputs at once.
        cache_bits: keys and values that are kept for the next token, all layers and sequences.
    """

    name: str
    layers: tuple[MatmulLayer | HostLayer, ...]
    batch: int = 1
    cache_bits: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers if isinstance(layer, MatmulLayer))

    @property
    def weights(self) -> int:
        """Stored weights of all layers."""
        return sum(
            layer.n * layer.k * layer.matmuls
            for layer in self.layers
            if isinstance(layer, MatmulLayer) and not layer.dynamic
        )

    @functools.cached_property
    def hash(self) -> str:
        """16 hex digits over everything that costs depend on."""
        digest = hashlib.sha256(self.name.encode())
        for layer in self.layers:
            plain = [
                _plain(field.name, value)
                for field in dataclasses.fields(layer)
                for value in [getattr(layer, field.name)]
            ]
            digest.update(repr(plain).encode())
        return digest.hexdigest()[:16]

    @classmethod
    def from_network(cls, network: Network, batch: int = 1) -> Self:
        """The layers of a network for ``batch`` inputs at once."""
        check_batch(batch)
        samples = layer_samples(network)
        layers = [
            _matmul(network, node, batch, samples) if isinstance(node.operator, Matmul) else _host(network, node, batch)
            for node in network.nodes
            if isinstance(node.operator, Matmul) or (isinstance(node.operator, HostOperator) and node.operator.PASSES)
        ]
        return cls(name=network.name, layers=tuple(layers), batch=batch)

    @classmethod
    def from_tensors(cls, name: str, tensors: Mapping[str, QTensor | WeightSource], m: int) -> Self:
        """One matmul of ``m`` rows (tokens) with each of the named weights, lowered if they are not.

        Activations are assumed 8 bits, half of them zero. NetworkError if there are no tensors.
        """
        if not tensors or m < 1:
            raise NetworkError(f"workload {name!r}: {len(tensors)} tensors, {m} rows; both must be positive")
        layers = [
            _assumed_layer(key, m, w if isinstance(w, WeightSource) else lower(w), f"no calibration: {UNCALIBRATED}")
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
        layers = []
        for index, (m, n, k) in enumerate(shapes):
            if min(m, n, k) < 1:
                raise NetworkError(f"workload {name!r}: shape {(m, n, k)} is not positive")
            source = Drawn(n=n, k=k, format=weights, distribution=distribution, seed=seed, stream=index)
            layers.append(_assumed_layer(f"matmul{index}", m, source, f"{source.assumption}; {UNCALIBRATED}"))
        if not layers:
            raise NetworkError(f"workload {name!r} has no shapes")
        return cls(name=name, layers=tuple(layers))


def _plain(name: str, value: Any) -> Any:
    """What of a layer's field costs depend on."""
    if name == "weights":
        return [w.hash for w in value]
    return value and value.hash if name == "sample" else value


def _assumed_layer(name: str, m: int, w: QTensor | WeightSource, assumed: str) -> MatmulLayer:
    """A matmul of 8-bit activations that nobody calibrated."""
    return MatmulLayer(
        name=name, m=m, n=w.n, k=w.k, weights=(w,), input_elements=m * w.k, activation_bits=8, output_bits=8,
        assumed=assumed,
    )  # fmt: skip


def check_batch(batch: int) -> None:
    """NetworkError unless ``batch`` is a positive whole number."""
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise NetworkError(f"batch {batch!r} is not a positive whole number")


def _bits(network: Network, name: str) -> int:
    """Stored bits per element of a node's output: whole bytes."""
    return -(-signed_bits(*network.ranges[name]) // 8) * 8


def _matmul(network: Network, node: Node, batch: int, samples: Mapping[str, LayerSample]) -> MatmulLayer:
    operator = node.operator
    repeat = 1
    if isinstance(operator, DynamicMatmul):
        repeat, m, weights, assumed = _dynamic_operand(network, node, operator, batch)
    else:
        assert isinstance(operator, StaticMatmul)
        m = batch * operator.vectors(network.shapes[node.name])
        weights, assumed = tuple(operator.split_weight()), ""
    assert isinstance(operator, Matmul)
    uncalibrated = "" if node.name in samples else f"no calibration: {UNCALIBRATED}"
    return MatmulLayer(
        name=node.name, m=m, n=weights[0].n, k=weights[0].k, weights=weights,
        input_elements=batch * math.prod(network.shapes[node.inputs[0]]) // repeat,
        activation_bits=network.activation_bits(node), output_bits=_bits(network, node.name),
        sample=samples.get(node.name),
        assumed="; ".join(filter(None, (assumed, uncalibrated))), repeat=repeat,
        dynamic=isinstance(operator, DynamicMatmul), together=repeat, sum_shift=operator.quantizer.sum_shift,
        one_bit=_one_bit(network, node),
    )  # fmt: skip


def layer_samples(network: Network) -> dict[str, LayerSample]:
    """The first matmul's operands of every layer, on the inputs that the network has kept; none if it has none."""
    if network.input.sample is None:
        return {}
    values: dict[str, np.ndarray] = {}
    found: dict[str, LayerSample] = {}
    for node, value in trace(network, None, network.input.sample * network.input.scale):
        values[node.name] = value
        if isinstance(node.operator, Matmul):
            x, w = node.operator.operands(*(values[name] for name in node.inputs))[0]
            found[node.name] = LayerSample.of(x, node.operator.quantizer.channels(slice(0, w.n)))
    return found


def _one_bit(network: Network, node: Node) -> OneBit | None:
    """None unless activations and results of ``node`` are -1 and 1."""
    operator = node.operator
    if not network.binary(node.inputs[0]) or not network.binary(node.name) or not isinstance(operator, StaticMatmul):
        return None
    if isinstance(operator, Split):
        return OneBit(groups=operator.splits, window=operator.window)
    return OneBit() if operator.matmuls == 1 else None


def _dynamic_operand(
    network: Network, node: Node, operator: DynamicMatmul, batch: int
) -> tuple[int, int, tuple[QTensor, ...], str]:
    """Matmuls, rows of each, second operand drawn from a distribution (the real ones depend on data), and its name."""
    matmuls, m, n, k = operator.sizes(*(network.shapes[name] for name in node.inputs))
    limit = max(map(abs, network.ranges[node.inputs[1]]))
    drawn = np.random.default_rng(0).standard_normal((n, k))
    values = np.rint(drawn * (limit / np.abs(drawn).max())).astype(np.int64)
    return batch * matmuls, m, (operand(values),), "second operand: normal, zero mean (seed 0)"


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
