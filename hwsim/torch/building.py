"""From calibrated steps in real numbers to operators on integers."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hwsim.errors import ExportError
from hwsim.integer import IntegerDatapath, worst_case
from hwsim.network import Network, Node
from hwsim.operators import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Input,
    Linear,
    MaxPool,
    Operator,
    Relu,
    Requantize,
    SplitConv,
    SplitLinear,
)  # fmt: skip
from hwsim.qtensor import QTensor, signed_bits
from hwsim.requantization import INT32, Quantizer, dyadic
from hwsim.torch import transformer_building as transformers
from hwsim.torch.fusion import WIDE_LEVELS
from hwsim.torch.graph import (
    Activation,
    Affine,
    Constant,
    DynamicProduct,
    End,
    Entry,
    Flattening,
    GeluStep,
    Graph,
    Join,
    Lookup,
    Normalization,
    Pooling,
    Product,
    SoftmaxStep,
    Source,
    SplitProduct,
    Step,
)  # fmt: skip
from hwsim.torch.thresholds import thresholds
from hwsim.torch.values import Value

WIDE_LIMIT = (1 << 23) - 1
REAL_LEVELS, REAL_LIMIT = 1 << 14, (1 << 15) - 1
"""Calibrated peak and bound of values that softmax, layer norm or GELU read: 16 bits with headroom."""
LARGEST_BIAS = 1 << 30
BIAS_BITS = 10
"""Bits that a bias may exceed the largest sum by before it costs wide sums their low bits."""
OUTPUT_BITS = 16
"""Bits that the output scale is finer than the coarsest accumulator of the last layer."""


def build(graph: Graph, name: str, qmax: int) -> Network:
    """The network of a fused graph, activations within ``-qmax..qmax``."""
    builder = _Builder(graph, qmax)
    nodes = tuple(builder.node(entry) for entry in graph.entries.values())
    return Network(name=name, nodes=nodes, output_scale=builder.values[graph.output].scale)


_OPEN = End()


class _Builder:
    """Emits operators in order and remembers the scale and range of every value."""

    def __init__(self, graph: Graph, qmax: int) -> None:
        self.graph = graph
        self.qmax = qmax
        self.values: dict[str, Value] = {}
        self.emitters: dict[type[Step], Callable[[Entry, Any, list[Value]], tuple[Operator, Value]]] = {
            Source: self.source, Product: self.product, SplitProduct: self.split, Affine: self.affine,
            Activation: self.relu,
            Pooling: self.pooling, Join: self.join, Flattening: self.flattening,
        }  # fmt: skip
        for kind, emit in transformers.EMITTERS.items():
            self.emitters[kind] = functools.partial(emit, self.calibrated)

    def node(self, entry: Entry) -> Node:
        """The node of ``entry``, whose inputs have been emitted."""
        inputs = [self.values[name] for name in entry.inputs]
        operator, self.values[entry.name] = self.emitters[type(entry.step)](entry, entry.step, inputs)
        return Node(name=entry.name, operator=operator, inputs=entry.inputs)

    def bounds(self, entry: Entry) -> tuple[int, int]:
        """Levels of the calibrated peak, and the largest magnitude, that the readers of a value allow."""
        narrow, real, wide = (self.qmax, self.qmax), (REAL_LEVELS, REAL_LIMIT), (WIDE_LEVELS, WIDE_LIMIT)

        def allowed(user: Entry) -> tuple[int, int]:
            if isinstance(user.step, Product | SplitProduct | DynamicProduct):
                return narrow
            if isinstance(user.step, SoftmaxStep | Normalization | GeluStep):
                return real
            return wide if isinstance(user.step, Affine | Constant) else self.bounds(user)

        return min([wide, *map(allowed, self.graph.users(entry.name))])

    def wide(self, entry: Entry) -> bool:
        """Whether only operators on wide integers read the value before it is requantized again."""
        return self.bounds(entry) == (WIDE_LEVELS, WIDE_LIMIT)

    def calibrated(self, entry: Entry, end: End = _OPEN) -> Value:
        """The value that calibration gives ``entry``: as many levels as its readers allow."""
        levels, limit = self.bounds(entry)
        return _clamped(Value(scale=(entry.peak or 1.0) / levels, low=-limit, high=limit), end)

    def source(self, entry: Entry, step: Source, inputs: list[Value]) -> tuple[Operator, Value]:
        if step.indices:
            entries = min(
                len(user.step.table) for user in self.graph.users(entry.name) if isinstance(user.step, Lookup)
            )
            value = Value(scale=1.0, low=0, high=entries - 1)
            return Input(shape=entry.shape, scale=1.0, low=0, high=value.high, exact=True), value
        value = Value(scale=(entry.peak or 1.0) / self.qmax, low=-self.qmax, high=self.qmax)
        return Input(shape=entry.shape, scale=value.scale, low=value.low, high=value.high), value

    def product(self, entry: Entry, step: Product, inputs: list[Value]) -> tuple[Operator, Value]:
        (source,) = inputs
        self.check_padding(entry, step, source)
        weight = step.weight
        bound = worst_case(weight, 1)[1] * max(-source.low, source.high)
        shift = _sum_shift(step, source.scale, worst_case(weight, signed_bits(source.low, source.high))[1])
        # From here on sums are in units of 2**shift, rounded.
        bound = bound if shift == 0 else (bound >> shift) + 1
        if step.end.sign:
            slope = source.scale * weight.channel_scale.astype(np.float64) * step.gain * 2.0**shift
            bias, invert = thresholds(slope, step.bias, -bound, bound)
            return _matmul(step, weight, Quantizer.sign(bias, invert, sum_shift=shift)), BINARY
        weight, slope, gone = _folded(step, source.scale, shift)
        value = self.calibrated(entry, step.end)
        exact = self.wide(entry) and not gone.any() and bool((slope == slope[0]).all())
        output = entry.name == self.graph.output and not gone.all()
        if exact:
            value = dataclasses.replace(value, scale=float(slope[0]))
        elif output:
            value = dataclasses.replace(value, scale=_output_scale(slope[~gone], step.bias, bound, entry.peak))
        # A channel of constant value takes the result's own scale, so that its bias is exact enough.
        constant = np.float32(value.scale / source.scale / 2.0**shift)
        weight = dataclasses.replace(weight, channel_scale=np.where(gone, constant, weight.channel_scale))
        slope = source.scale * weight.channel_scale.astype(np.float64) * 2.0**shift
        bias = np.rint(step.bias / slope).astype(np.int64)
        ratio = slope / value.scale
        if exact or output:
            largest = min(int(np.ceil(((bound + np.abs(bias)) * ratio).max())) + (not exact), int(INT32.max))
            value = _clamped(dataclasses.replace(value, low=-largest, high=largest), step.end)
        return _matmul(step, weight, Quantizer.dyadic(ratio, bias, value.low, value.high, shift)), value

    def split(self, entry: Entry, step: SplitProduct, inputs: list[Value]) -> tuple[Operator, Value]:
        if not inputs[0].binary:
            raise ExportError(f"{entry.path}: a split layer reads -1 and 1; put a hwsim.torch.Sign before it")
        weight = step.weight
        bound = weight.k
        bias, invert = thresholds(weight.channel_scale.astype(np.float64) * step.gain, step.bias, -bound, bound)
        common: dict[str, Any] = {"weight": weight, "quantizer": Quantizer.sign(bias, invert), "splits": step.splits}
        if step.geometry is None:
            return SplitLinear(**common), BINARY
        geometry = step.geometry
        return SplitConv(
            **common, kernel=step.kernel, stride=geometry.stride, padding=geometry.padding, dilation=geometry.dilation,
            pool=step.pool, pad_value=int(geometry.pad_value),
        ), BINARY  # fmt: skip

    def check_padding(self, entry: Entry, step: Product, source: Value) -> None:
        """ExportError unless padding contributes what an activation can be."""
        if step.geometry is None or not any(step.geometry.padding):
            return
        pad = step.geometry.pad_value
        if source.binary and pad not in (-1.0, 1.0):
            raise ExportError(
                f"{entry.path}: it pads ±1 activations with {pad:g}, which hardware cannot; "
                "use hwsim.torch.QuantConv2d with pad_value=1 or -1"
            )
        if not source.binary and pad != 0.0:
            raise ExportError(f"{entry.path}: pad_value {pad:g} is supported behind a Sign only")

    def affine(self, entry: Entry, step: Affine, inputs: list[Value]) -> tuple[Operator, Value]:
        (source,) = inputs
        slope = source.scale * step.gain
        if step.end.sign:
            bias, invert = thresholds(slope, step.bias, source.low, source.high)
            return Requantize(quantizer=Quantizer.sign(bias, invert)), BINARY
        value = self.calibrated(entry, step.end)
        bias = np.rint(step.bias / slope)
        if np.abs(bias).max() + max(-source.low, source.high) >= 1 << 31:
            raise ExportError(f"{entry.path}: its gain is too small for an int32 bias; remove the channel")
        return Requantize(quantizer=Quantizer.dyadic(slope / value.scale, bias, value.low, value.high)), value

    def relu(self, entry: Entry, step: Activation, inputs: list[Value]) -> tuple[Operator, Value]:
        (source,) = inputs
        return Relu(), Value(scale=source.scale, low=max(source.low, 0), high=max(source.high, 0))

    def pooling(self, entry: Entry, step: Pooling, inputs: list[Value]) -> tuple[Operator, Value]:
        (source,) = inputs
        sizes = {"kernel": step.kernel, "stride": step.stride, "padding": step.padding}
        if step.kind == "max":
            return MaxPool(**sizes), source
        value = self.calibrated(entry, step.end)
        multiplier, shift = dyadic(np.array([source.scale / (step.divisor * value.scale)]))
        operator = AvgPool(**sizes, multiplier=int(multiplier[0]), shift=int(shift[0]), low=value.low, high=value.high)
        return operator, value

    def join(self, entry: Entry, step: Join, inputs: list[Value]) -> tuple[Operator, Value]:
        low, high = [v.low for v in inputs], [v.high for v in inputs]
        total = (sum(low), sum(high)) if step.kind == "add" else (min(low), max(high))
        limit = LARGEST_BIAS if self.wide(entry) else self.bounds(entry)[1]
        if len({v.scale for v in inputs}) == 1 and -limit <= total[0] and total[1] <= limit:
            exact = Value(scale=inputs[0].scale, low=total[0], high=total[1])
            binary = step.kind == "concat" and all(v.binary for v in inputs) and not step.end.clamps
            value = dataclasses.replace(_clamped(exact, step.end), binary=binary)
        else:
            value = self.calibrated(entry, step.end)
        multipliers, shifts = dyadic(np.array([v.scale / value.scale for v in inputs]))
        merge = Add if step.kind == "add" else Concat
        return merge(
            multipliers=tuple(multipliers.tolist()), shifts=tuple(shifts.tolist()), low=value.low, high=value.high
        ), value

    def flattening(self, entry: Entry, step: Flattening, inputs: list[Value]) -> tuple[Operator, Value]:
        return Flatten(), inputs[0]


BINARY = Value(scale=1.0, low=-1, high=1, binary=True)


def _clamped(value: Value, end: End) -> Value:
    """``value`` with the finite bounds of ``end`` in its integers."""
    low, high = value.low, value.high
    if math.isfinite(end.low):
        low = min(max(low, round(end.low / value.scale)), high)
    if math.isfinite(end.high):
        high = max(min(high, round(end.high / value.scale)), low)
    return dataclasses.replace(value, low=low, high=high)


def _output_scale(slope: np.ndarray, bias: np.ndarray, bound: int, peak: float) -> float:
    """One scale for all channels of the last layer, finer than any of theirs if int32 allows."""
    finer = max(0, min(OUTPUT_BITS, 29 - bound.bit_length()))
    return max(float(slope.max()) / (1 << finer), float(np.abs(bias).max()) / (1 << 28), peak / (1 << 28))


def _sum_shift(step: Product, scale: float, bound: int) -> int:
    """Low bits that sums up to ``bound`` lose, so that they and their biases fit int32.

    0 for weights that every integer array takes: their sums are exact. A bias far beyond its sums asks for nothing.
    """
    if step.weight.integer_bits <= IntegerDatapath.MAX_WEIGHT_BITS:
        return 0
    slope = scale * step.weight.channel_scale.astype(np.float64) * np.abs(step.gain)
    units = np.abs(step.bias) / np.maximum(slope, np.finfo(np.float64).tiny)
    bias = int(np.minimum(units, float(bound << BIAS_BITS)).max())
    if bound + bias <= INT32.max and bias < LARGEST_BIAS:
        return 0
    return max(1, (bound + bias).bit_length() - LARGEST_BIAS.bit_length() + 1)


def _folded(step: Product, scale: float, shift: int) -> tuple[QTensor, np.ndarray, np.ndarray]:
    """Weights with the gain, real value of ``2**shift`` accumulated units [N], and channels that are constant.

    Codes stay as they are: the magnitude of the gain goes into the channel scale, its sign
    into the group scales. A channel is constant if its weights are all 0 or vanish beside
    its bias; its group scales become 0 unless its weights are 0 anyway.
    """
    weight = step.weight
    channel_scale = (weight.channel_scale * np.abs(step.gain)).astype(np.float32)
    slope = scale * channel_scale.astype(np.float64) * 2.0**shift
    tiny = np.finfo(np.float32).tiny
    gone = (channel_scale < tiny) | (np.abs(step.bias) >= LARGEST_BIAS * np.maximum(slope, tiny * scale))
    factor = np.where(gone, 0, np.where(step.gain < 0, -1, 1)).astype(np.int32)[:, None]
    weight = dataclasses.replace(
        weight, scale=weight.scale * factor, channel_scale=np.where(gone, np.float32(1), channel_scale),
        offset=None if weight.offset is None else weight.offset * factor,
    )  # fmt: skip
    if weight.offset is None:
        gone = gone | ~weight.integers.any(axis=1)
    return weight, slope, gone


def _matmul(step: Product, weight: QTensor, quantizer: Quantizer) -> Operator:
    geometry = step.geometry
    if geometry is None:
        return Linear(weight=weight, quantizer=quantizer)
    return Conv(
        weight=weight, quantizer=quantizer, stride=geometry.stride, padding=geometry.padding,
        dilation=geometry.dilation, groups=geometry.groups,
        pad_value=int(geometry.pad_value) if any(geometry.padding) else 0,
    )  # fmt: skip
