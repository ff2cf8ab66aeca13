"""What descriptions of models are built from: plain layers, and blocks of them that repeat."""

import dataclasses

from hwsim.errors import NetworkError
from hwsim.operators import LayerNorm, Softmax
from hwsim.weight_source import Distribution, Drawn
from hwsim.workload import UNCALIBRATED, HostLayer, MatmulLayer

PASSES = {"LayerNorm": LayerNorm.PASSES, "RMSNorm": LayerNorm.PASSES, "Softmax": Softmax.PASSES}
"""How often the vector unit goes over each element; once for all others."""
NORM_CONSTANT_BITS = {"LayerNorm": 64, "RMSNorm": 32}
"""Gain and bias, or gain, per channel."""
LIMITS = {
    "batch": (1, 1 << 20), "context": (0, 1 << 24), "generate": (1, 1 << 16), "kv_bits": (2, 8),
    "activation_bits": (2, 16), "seed": (0, 1 << 62),
}  # fmt: skip
"""Accepted whole numbers; models of one input size have context 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What a model is asked to do and how; see `hwsim.workloads.load`."""

    stage: str
    batch: int
    context: int
    generate: int
    weights: str
    group_size: int | None
    kv_bits: int
    activation_bits: int
    distribution: Distribution
    seed: int
    distinct: bool

    def __post_init__(self) -> None:
        for field, (low, high) in LIMITS.items():
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise NetworkError(f"{field} = {value!r}: accepted are whole numbers in {low} to {high}")


@dataclasses.dataclass(frozen=True)
class Linear:
    """``times`` matmuls [m, k] x [n, k] with stored weights.

    ``inputs`` are distinct activations if they are not m k; a ``cached`` result is stored as keys or values.
    """

    name: str
    m: int
    n: int
    k: int
    times: int = 1
    inputs: int | None = None
    cached: bool = False


@dataclasses.dataclass(frozen=True)
class Attention:
    """``times`` matmuls [m, k] x [n, k] whose second operand is the keys or the values, ``together`` in each layer."""

    name: str
    m: int
    n: int
    k: int
    times: int
    together: int


@dataclasses.dataclass(frozen=True)
class Host:
    """A host operator on ``elements``, with so many inputs of that size, ``times`` times."""

    name: str
    operator: str
    elements: int
    times: int = 1
    inputs: int = 1
    channels: int = 0


Layer = Linear | Attention | Host


@dataclasses.dataclass(frozen=True)
class Block:
    """Layers that follow each other ``count`` times."""

    layers: tuple[Layer, ...]
    count: int = 1
    prefix: str = ""


def build(blocks: list[Block], options: Options) -> tuple[MatmulLayer | HostLayer, ...]:
    """The layers of a workload: a repeated block once, or with ``distinct`` every one of its own."""
    layers: list[MatmulLayer | HostLayer] = []
    for block in blocks:
        listed = block.count if options.distinct else 1
        for index in range(listed):
            number = str(index) if listed > 1 else ""
            for layer in block.layers:
                name = ".".join(filter(None, (block.prefix, number, layer.name)))
                repeat = layer.times * block.count // listed
                stream = len(layers) if options.distinct else 0
                layers.append(_layer(layer, name, repeat, stream, options))
    return tuple(layers)


def _layer(layer: Layer, name: str, repeat: int, stream: int, options: Options) -> MatmulLayer | HostLayer:
    bits = options.activation_bits
    if isinstance(layer, Host):
        read = layer.inputs * layer.elements * bits + layer.channels * NORM_CONSTANT_BITS.get(layer.operator, 0)
        return HostLayer(
            name=name, operator=layer.operator, elements=PASSES.get(layer.operator, 1) * layer.elements,
            read_bits=read, write_bits=layer.elements * bits, repeat=repeat,
        )  # fmt: skip
    dynamic = isinstance(layer, Attention)
    source = Drawn(
        n=layer.n, k=layer.k, format=f"int{options.kv_bits}" if dynamic else options.weights,
        group_size=None if dynamic else options.group_size, distribution=options.distribution, seed=options.seed,
        stream=stream,
    )  # fmt: skip
    inputs = layer.inputs if isinstance(layer, Linear) else None
    return MatmulLayer(
        name=name, m=layer.m, n=layer.n, k=layer.k, weights=(source,),
        input_elements=layer.m * layer.k if inputs is None else inputs, activation_bits=bits,
        output_bits=options.kv_bits if isinstance(layer, Linear) and layer.cached else bits,
        repeat=repeat, dynamic=dynamic,
        together=layer.together if isinstance(layer, Attention) else 1,
        assumed=f"{'second operand: ' if dynamic else ''}{source.assumption}; {UNCALIBRATED}",
    )  # fmt: skip
