"""ZigZag's workload files (YAML, a list of layers) as workloads.

A layer is an equation over loop dimensions (``O[b][k]+=I[b][c]*W[c][k]``) with their sizes; input indices may be sums
of two loops (``iy=2*oy+1*fy``). Products become matmuls: columns N are the loops of the output that only the weights
have, rows M those that only the input has; loops that both have are matmuls of their own; the rest is K.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwsim.errors import DesignError, NetworkError, nearest
from hwsim.files import read_yaml
from hwsim.weight_source import Distribution, Drawn
from hwsim.workload import UNCALIBRATED, HostLayer, MatmulLayer, Workload

MATMULS = ("Conv", "Conv_downsample", "Gemm")
HOST = ("Max", "Pooling", "Add", "Pool", "MaxPool", "AveragePool", "GlobalAveragePool")
OPERAND = re.compile(r"(\w+)((?:\[\w*\])+)")
RELATION = re.compile(r"(\w+)=(?:(\d+)\*)?(\w+)\+(?:(\d+)\*)?(\w+)")


@dataclasses.dataclass(frozen=True)
class _Layer:
    """An equation with its sizes: loops of output and operands, and what sums of two loops are made of."""

    sizes: Mapping[str, int]
    operands: Mapping[str, tuple[str, ...]]
    sums: Mapping[str, tuple[int, str, int, str]]
    padding: Mapping[str, int]

    def loops(self, operand: str) -> set[str]:
        """The loops that an operand's indices run with."""
        found: set[str] = set()
        for index in self.operands[operand]:
            found |= {self.sums[index][1], self.sums[index][3]} if index in self.sums else {index}
        return found

    def product(self, loops: set[str]) -> int:
        """Iterations of some loops."""
        return math.prod(self.sizes[loop] for loop in loops)

    def elements(self, operand: str, without: Sequence[str] = ()) -> int:
        """Distinct elements of an operand, but for the indices ``without``; padding is none."""
        return math.prod(self._extent(index) for index in self.operands[operand] if index not in without)

    def _extent(self, index: str) -> int:
        if index not in self.sums:
            return self.sizes[index]
        a, first, b, second = self.sums[index]
        extent = a * (self.sizes[first] - 1) + b * (self.sizes[second] - 1) + 1
        return max(extent - self.padding.get(index, 0), 1)


def from_zigzag(
    path: str | Path, *, weights: str | None = None, distribution: Distribution = "gaussian", seed: int = 0
) -> Workload:
    """The layers of a workload file; widths are its ``operand_precision``, ``weights`` a format other than ``int<W>``.

    Weights are drawn from a distribution (shown as assumed); layers that add or pool run on the host. NetworkError,
    with the layer, for what is no such file.
    """
    source = Path(path)
    try:
        data = read_yaml(source, "workload")
    except DesignError as error:
        raise NetworkError(str(error)) from None
    if not isinstance(data, list) or not data:
        raise NetworkError(f"{source.name}: expected a list of layers")
    layers: list[MatmulLayer | HostLayer] = []
    for number, plain in enumerate(data):
        where = f"{source.name}, layer {plain.get('id', number) if isinstance(plain, dict) else number}"
        try:
            name, kind = str(plain.get("name") or f"layer{plain['id']}"), plain["operator_type"]
            bits = plain["operand_precision"]
            layer = _parsed(where, plain)
            if kind in HOST:
                layers.append(_host(name, kind, layer, bits))
            elif kind in MATMULS:
                options = {"distribution": distribution, "seed": seed, "stream": number}
                layers.append(_matmul(where, name, layer, bits, weights, options))
            else:
                raise NetworkError(f"{where}: unknown operator_type {kind!r}; {nearest(str(kind), (*MATMULS, *HOST))}")
        except (KeyError, TypeError, AttributeError) as error:
            raise NetworkError(f"{where}: not as ZigZag writes it, {type(error).__name__} {error}") from None
    return Workload(name=source.stem, layers=tuple(layers))


def _parsed(where: str, plain: Mapping[str, Any]) -> _Layer:
    names = [str(name).lower() for name in plain["loop_dims"]]
    counts = plain["loop_sizes"]
    whole = all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in counts)
    if len(names) != len(counts) or not whole:
        raise NetworkError(f"{where}: loop_dims {names} and loop_sizes {counts} are not so many positive numbers")
    sums = {}
    for text in plain.get("dimension_relations") or ():
        found = RELATION.fullmatch(text.replace(" ", "").lower())
        if found is None:
            raise NetworkError(f"{where}: dimension relation {text!r}: expected such as iy=2*oy+1*fy")
        index, a, first, b, second = found.groups()
        sums[index] = (int(a or 1), first, int(b or 1), second)
    operands = {
        name: tuple(index.lower() for index in re.findall(r"\[(\w+)\]", indices))
        for name, indices in OPERAND.findall(plain["equation"].replace(" ", ""))
    }
    padded = zip(plain.get("pr_loop_dims") or (), plain.get("padding") or (), strict=False)
    layer = _Layer(
        dict(zip(names, counts, strict=True)), operands, sums, {str(name).lower(): sum(pad) for name, pad in padded}
    )
    loops = {loop for operand in operands for loop in layer.loops(operand)}
    if "O" not in operands or not loops <= set(names):
        raise NetworkError(f"{where}: equation {plain['equation']!r} does not fit loop_dims {', '.join(names)}")
    return layer


def _matmul(
    where: str, name: str, layer: _Layer, bits: Mapping[str, int], weights: str | None, options: dict[str, Any]
) -> MatmulLayer:
    if set(layer.operands) != {"O", "I", "W"}:
        raise NetworkError(f"{where}: operands {', '.join(layer.operands)}: expected O, I and W")
    o, i, w = (layer.loops(operand) for operand in ("O", "I", "W"))
    several = o & i & w
    n, m, k = layer.product((o & w) - i), layer.product((o & i) - w), layer.product((i | w) - o)
    drawn = Drawn(n=n, k=k, format=weights or f"int{bits['W']}", **options)
    return MatmulLayer(
        name=name, m=m, n=n, k=k, weights=(drawn,), input_elements=layer.elements("I", tuple(several)),
        activation_bits=bits["I"], output_bits=bits["O_final"],
        assumed=f"{drawn.assumption}; {UNCALIBRATED}", repeat=layer.product(several), together=layer.product(several),
    )  # fmt: skip


def _host(name: str, kind: str, layer: _Layer, bits: Mapping[str, int]) -> HostLayer:
    loops = set().union(*(layer.loops(operand) for operand in layer.operands))
    read = sum(
        layer.elements(operand) * bits.get(operand, bits["O_final"])
        for operand, indices in layer.operands.items()
        if operand != "O" and indices and set(indices) - {"fx", "fy"}
    )
    return HostLayer(
        name=name, operator=kind.lower(), elements=layer.product(loops), read_bits=read,
        write_bits=layer.elements("O") * bits["O_final"],
    )  # fmt: skip
