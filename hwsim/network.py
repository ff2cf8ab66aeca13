"""A network of integers: operators in topological order, checked as a whole."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from hwsim.errors import HwsimError, NetworkError, nearest
from hwsim.exact import SUM_LIMIT
from hwsim.integer import worst_case
from hwsim.operators import (
    Concat,
    Conv,
    DynamicMatmul,
    Flatten,
    Input,
    Matmul,
    MaxPool,
    Operator,
    Permute,
    Requantize,
    Reshape,
    Shape,
    Slice,
    StaticMatmul,
)  # fmt: skip
from hwsim.qtensor import signed_bits


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operator, its name and the names of the nodes that it reads."""

    name: str
    operator: Operator
    inputs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Nodes in topological order; the first is the input, the last the output.

    Attributes:
        name: what reports call it.
        nodes: each reads earlier ones; every node but the last is read by another.
        output_scale: real output = integer output * output_scale.

    Raises NetworkError, naming the node, if the graph, a shape or a range does not fit,
    or if a sum could leave 32 bits.
    """

    name: str
    nodes: tuple[Node, ...]
    output_scale: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.output_scale) and self.output_scale > 0):
            raise NetworkError(f"output scale {self.output_scale} is not finite and positive")
        self._check_graph()
        self.shapes, self.ranges  # noqa: B018 - computing them checks them
        for node in self.matmuls():
            self._check_sums(node)

    def _check_graph(self) -> None:
        if not self.nodes or not isinstance(self.nodes[0].operator, Input):
            raise NetworkError(f"network {self.name!r}: the first node must be the input")
        seen: set[str] = set()
        read: set[str] = set()
        for node in self.nodes:
            arity = node.operator.ARITY
            if node.name in seen:
                raise NetworkError(f"two nodes are called {node.name!r}")
            if isinstance(node.operator, Input) and seen:
                raise NetworkError(f"node {node.name!r} is a second input")
            if len(node.inputs) != arity if arity is not None else len(node.inputs) < 2:
                raise NetworkError(f"node {node.name!r} reads {len(node.inputs)} nodes")
            for source in node.inputs:
                if source not in seen:
                    raise NetworkError(f"node {node.name!r} reads {source!r}, which is not an earlier node")
            seen.add(node.name)
            read.update(node.inputs)
        for node in self.nodes[:-1]:
            if node.name not in read:
                raise NetworkError(f"node {node.name!r} is read by no other and is not the output")

    def _check_sums(self, node: Node) -> None:
        """NetworkError unless every sum of ``node`` fits int32, proved from weights and input ranges."""
        operator = node.operator
        bits = self.activation_bits(node)
        if isinstance(operator, Conv) and signed_bits(operator.pad_value, operator.pad_value) > bits:
            raise NetworkError(f"node {node.name!r}: it pads with {operator.pad_value}, activations have {bits} bits")
        if isinstance(operator, DynamicMatmul):
            *_, k = operator.sizes(*(self.shapes[name] for name in node.inputs))
            total = operator.worst_case([self.ranges[name] for name in node.inputs], k)
        else:
            assert isinstance(operator, StaticMatmul)
            _, total = worst_case(operator.weight, bits)
        if operator.quantizer.sum_shift:
            if total >= SUM_LIMIT:
                raise NetworkError(f"node {node.name!r}: a sum can reach {total}, beyond 62 bits")
            total = (total >> operator.quantizer.sum_shift) + 1
        largest = total + int(np.abs(operator.quantizer.bias.astype(np.int64)).max())
        if largest >= 1 << 31:
            raise NetworkError(f"node {node.name!r}: a sum can reach {largest}, beyond 32 bits")

    @functools.cached_property
    def shapes(self) -> dict[str, Shape]:
        """Output shape of every node, without the batch axis."""
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            try:
                shapes[node.name] = node.operator.output_shape(*(shapes[name] for name in node.inputs))
            except HwsimError as error:
                raise NetworkError(f"node {node.name!r}: {error}") from None
        return shapes

    @functools.cached_property
    def ranges(self) -> dict[str, tuple[int, int]]:
        """Lowest and highest value of every node's output."""
        ranges: dict[str, tuple[int, int]] = {}
        for node in self.nodes:
            try:
                ranges[node.name] = node.operator.output_range(*(ranges[name] for name in node.inputs))
            except HwsimError as error:
                raise NetworkError(f"node {node.name!r}: {error}") from None
        return ranges

    def activation_bits(self, node: Node) -> int:
        """Two's complement bits that hold every input of ``node`` (the first one of a matmul)."""
        names = node.inputs[:1] if isinstance(node.operator, Matmul) else node.inputs
        return max(signed_bits(*self.ranges[name]) for name in names)

    def binary(self, name: str) -> bool:
        """Whether every result of the node called ``name`` is -1 or 1."""
        node = self.node(name)
        operator = node.operator
        if isinstance(operator, MaxPool | Flatten | Reshape | Permute | Slice):
            return self.binary(node.inputs[0])
        if isinstance(operator, Concat):
            same = all(b == 1 << c for b, c in zip(operator.multipliers, operator.shifts, strict=True))
            return same and all(map(self.binary, node.inputs))
        if not isinstance(operator, Matmul | Requantize):
            return False
        return operator.quantizer.threshold and (operator.quantizer.low, operator.quantizer.high) == (-1, 1)

    def matmuls(self) -> Iterator[Node]:
        """The nodes that run on the array, in order."""
        return (node for node in self.nodes if isinstance(node.operator, Matmul))

    def node(self, name: str) -> Node:
        """The node called ``name``; NetworkError with the nearest name if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise NetworkError(f"no layer {name!r}; {nearest(name, [n.name for n in self.nodes])}")

    @property
    def input(self) -> Input:
        """The input operator."""
        operator = self.nodes[0].operator
        assert isinstance(operator, Input)
        return operator

    @functools.cached_property
    def hash(self) -> str:
        """16 hex digits over everything the network stores."""
        from hwsim.network_file import digest, to_tensors

        return digest(*to_tensors(self))[:16]

    def save(self, path: str | Path) -> None:
        """Writes one safetensors file (format: docs/network-file.md); replaces it in one step."""
        from hwsim.network_file import save

        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` wrote. NetworkError if the file is damaged or inconsistent."""
        from hwsim.network_file import load

        return load(cls, Path(path))

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {len(self.nodes)} nodes, hash={self.hash})"
