"""A network's fake-quantized twin in PyTorch: real numbers rounded to the same grids."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from hwsim.network import Network
from hwsim.operators import (
    Add,
    AddConstant,
    AvgPool,
    Concat,
    Conv,
    DynamicMatmul,
    Embedding,
    Flatten,
    Gelu,
    Input,
    JoinConstant,
    LayerNorm,
    Linear,
    MaxPool,
    Mean,
    Permute,
    RealFunction,
    Relu,
    Requantize,
    Reshape,
    Slice,
    Softmax,
    Split,
    SplitConv,
    SplitLinear,
    StaticMatmul,
)  # fmt: skip
from hwsim.requantization import Quantizer


def fake_quant(network: Network, x: np.ndarray | torch.Tensor) -> np.ndarray:
    """Real outputs float64[batch, ...] of ``network`` for real inputs, in PyTorch's float64.

    Weights are decoded to real numbers, PyTorch multiplies and pools them, and every
    result is rounded to its quantizer's grid. Nothing here goes through hwsim's integer
    arithmetic, so outputs agree with `hwsim.run` up to results that fall on a rounding tie.
    """
    values: dict[str, tuple[torch.Tensor, float]] = {}
    with torch.no_grad():
        for node in network.nodes:
            if isinstance(node.operator, Input):
                values[node.name] = _input(node.operator, torch.as_tensor(x, dtype=torch.float64))
            else:
                values[node.name] = _EVALUATORS[type(node.operator)](
                    node.operator, [values[name] for name in node.inputs]
                )
    result, scale = values[network.nodes[-1].name]
    return (result * (network.output_scale / scale)).numpy()


TIE = 2.0**-30
"""What float errors may take from a tie, which rounds up, in units of the grid."""
Scaled = tuple[torch.Tensor, float]
"""Real numbers, and the distance between two neighbours of their grid."""


def _input(operator: Input, x: torch.Tensor) -> Scaled:
    return torch.clamp(torch.round(x / operator.scale), operator.low, operator.high) * operator.scale, operator.scale


def _round(value: torch.Tensor, scale: float) -> torch.Tensor:
    """The grid index nearest to ``value``, ties up."""
    return torch.floor(value / scale + (0.5 + TIE))


def _rounded(value: torch.Tensor, scale: float, low: int, high: int) -> Scaled:
    return torch.clamp(_round(value, scale), low, high) * scale, scale


def _quantized(sums: torch.Tensor, unit: np.ndarray, quantizer: Quantizer) -> Scaled:
    """``sums`` [batch, N, ...] of ``unit`` [N] per integer, through bias and grid or threshold."""
    shape = (1, -1, *[1] * (sums.ndim - 2))
    unit = unit * 2.0**quantizer.sum_shift
    step = torch.tensor(unit).reshape(shape)
    if quantizer.sum_shift:
        sums = torch.floor(sums / step + (0.5 + TIE)) * step
    bias = torch.tensor(quantizer.bias.astype(np.float64)).reshape(shape)
    if quantizer.threshold:
        # Sums are whole multiples of the step: half a step keeps ties clear of float errors.
        reached = sums + (bias + 0.5) * step >= 0
        inverted = torch.tensor(quantizer.invert).reshape(shape)
        high, low = sums.new_tensor(quantizer.high), sums.new_tensor(quantizer.low)
        return torch.where(reached != inverted, high, low), 1.0
    scale = float((unit * 2.0**quantizer.shift / quantizer.multiplier)[0])
    return _rounded(sums + bias * step, scale, quantizer.low, quantizer.high)


def _matmul(operator: StaticMatmul, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    weight = torch.tensor(operator.weight.dequantize().astype(np.float64))
    if isinstance(operator, Conv):
        pad = [p for size in reversed(operator.padding) for p in (size, size)]
        x = functional.pad(x, pad, value=operator.pad_value * scale)
        convolve = functional.conv1d if weight.ndim == 3 else functional.conv2d
        sums = convolve(x, weight, None, operator.stride, 0, operator.dilation, operator.groups)
    else:
        sums = functional.linear(x, weight.reshape(operator.weight.n, -1)).movedim(-1, 1)
    result, step = _quantized(sums, scale * operator.weight.channel_scale.astype(np.float64), operator.quantizer)
    return (result if isinstance(operator, Conv) else result.movedim(1, -1)), step


def _split(operator: Split, inputs: list[Scaled]) -> Scaled:
    """Bits of each group as sums of whole numbers; what merges them is the operator's definition."""
    vectors = torch.tensor(operator.unfold(inputs[0][0].numpy()))
    weight = torch.tensor(operator.weight.dequantize().astype(np.float64)).reshape(
        operator.splits, -1, operator.weight.k
    )
    sums = torch.einsum("smk,snk->msn", vectors, weight).reshape(vectors.shape[1], -1)
    bits, _ = _quantized(sums, operator.weight.channel_scale.astype(np.float64), operator.quantizer)
    x = inputs[0][0]
    shape = operator.output_shape(tuple(x.shape[1:]))
    return torch.tensor(operator.fold(bits.numpy(), len(x), shape), dtype=torch.float64), 1.0


def _requantize(operator: Requantize, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    quantizer = operator.quantizer
    if quantizer.threshold:
        return _quantized(x, np.full(x.shape[1], scale), quantizer)
    # A file holds the ratio of gain to output scale only; the output keeps the input's scale.
    gain = quantizer.multiplier / 2.0**quantizer.shift
    shape = (1, -1, *[1] * (x.ndim - 2))
    real = (x + torch.tensor(quantizer.bias * scale).reshape(shape)) * torch.tensor(gain).reshape(shape)
    return _rounded(real, scale, quantizer.low, quantizer.high)


def _merged(operator: Add | Concat, inputs: list[Scaled]) -> tuple[list[torch.Tensor], float]:
    factors = [b / 2.0**c for b, c in zip(operator.multipliers, operator.shifts, strict=True)]
    scale = inputs[0][1] / factors[0]
    return [x * (factor * scale / s) for (x, s), factor in zip(inputs, factors, strict=True)], scale


def _add(operator: Add, inputs: list[Scaled]) -> Scaled:
    terms, scale = _merged(operator, inputs)
    rounded = [_round(term, scale) * scale for term in terms]
    return _rounded(torch.stack(rounded).sum(dim=0), scale, operator.low, operator.high)


def _concat(operator: Concat, inputs: list[Scaled]) -> Scaled:
    terms, scale = _merged(operator, inputs)
    return _rounded(torch.cat(terms, dim=1), scale, operator.low, operator.high)


def _max_pool(operator: MaxPool, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    pool = functional.max_pool1d if len(operator.kernel) == 1 else functional.max_pool2d
    return pool(x, operator.kernel, operator.stride, operator.padding), scale


def _average_pool(operator: AvgPool, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    pool = functional.avg_pool1d if len(operator.kernel) == 1 else functional.avg_pool2d
    count = float(np.prod(operator.kernel))
    average = pool(x, operator.kernel, operator.stride, operator.padding)
    # The multiplier is input scale / (divisor * output scale); take the divisor as the window's size.
    output_scale = scale * 2.0**operator.shift / (count * operator.multiplier)
    return _rounded(average, output_scale, operator.low, operator.high)


def _flatten(operator: Flatten, inputs: list[Scaled]) -> Scaled:
    return inputs[0][0].flatten(1), inputs[0][1]


def _relu(operator: Relu, inputs: list[Scaled]) -> Scaled:
    return torch.relu(inputs[0][0]), inputs[0][1]


def _dynamic_matmul(operator: DynamicMatmul, inputs: list[Scaled]) -> Scaled:
    (x, first), (w, second) = inputs
    product = torch.matmul(x, w.transpose(-1, -2) if operator.transposed else w)
    quantizer = operator.quantizer
    scale = float(first * second * 2.0 ** quantizer.shift[0] / quantizer.multiplier[0])
    return _rounded(product, scale, quantizer.low, quantizer.high)


def _nearest(operator: RealFunction, value: torch.Tensor) -> Scaled:
    scale = operator.output_scale
    return torch.clamp(torch.round(value / scale), operator.low, operator.high) * scale, scale


def _real(operator: RealFunction, inputs: list[Scaled]) -> torch.Tensor:
    """The input in the scale that the operator takes it in."""
    x, scale = inputs[0]
    return x * (operator.scale / scale)


def _softmax(operator: Softmax, inputs: list[Scaled]) -> Scaled:
    scores = _real(operator, inputs)
    if operator.mask is not None:
        scores = scores.masked_fill(~torch.tensor(operator.mask), -torch.inf)
    return _nearest(operator, torch.softmax(scores, dim=-1))


def _gelu(operator: Gelu, inputs: list[Scaled]) -> Scaled:
    return _nearest(operator, functional.gelu(_real(operator, inputs), approximate=operator.approximate))


def _layer_norm(operator: LayerNorm, inputs: list[Scaled]) -> Scaled:
    gain, bias = torch.tensor(operator.gain), torch.tensor(operator.bias)
    normal = functional.layer_norm(_real(operator, inputs), gain.shape, gain, bias, operator.epsilon)
    return _nearest(operator, normal)


def _embedding(operator: Embedding, inputs: list[Scaled]) -> Scaled:
    return functional.embedding(inputs[0][0].long(), torch.tensor(operator.table.astype(np.float64))), 1.0


def _add_constant(operator: AddConstant, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    output = scale * 2.0**operator.shift / operator.multiplier
    moved = _round(x, output) + torch.tensor(operator.value.astype(np.float64))
    return torch.clamp(moved, operator.low, operator.high) * output, output


def _join_constant(operator: JoinConstant, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    output = scale * 2.0**operator.shift / operator.multiplier
    value = torch.tensor(operator.value.astype(np.float64)).expand(len(x), *operator.value.shape)
    terms = [value, _round(x, output)] if operator.before else [_round(x, output), value]
    return torch.clamp(torch.cat(terms, dim=1), operator.low, operator.high) * output, output


def _mean(operator: Mean, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    average = x.mean(dim=tuple(axis + 1 for axis in operator.axes), keepdim=operator.keep)
    output = scale * 2.0**operator.shift / (operator.count * operator.multiplier)
    return _rounded(average, output, operator.low, operator.high)


def _slice(operator: Slice, inputs: list[Scaled]) -> Scaled:
    x, scale = inputs[0]
    for axis in range(len(operator.starts)):
        x = x.narrow(axis + 1, operator.starts[axis], operator.stops[axis] - operator.starts[axis])
    return x.squeeze(tuple(axis + 1 for axis in operator.dropped)), scale


def _reshape(operator: Reshape, inputs: list[Scaled]) -> Scaled:
    return inputs[0][0].reshape(-1, *operator.shape), inputs[0][1]


def _permute(operator: Permute, inputs: list[Scaled]) -> Scaled:
    return inputs[0][0].permute(0, *(axis + 1 for axis in operator.order)), inputs[0][1]


_EVALUATORS: dict[type, Callable[[Any, list[Scaled]], Scaled]] = {
    Linear: _matmul, Conv: _matmul, SplitLinear: _split, SplitConv: _split, Requantize: _requantize, Add: _add,
    Concat: _concat,
    MaxPool: _max_pool, AvgPool: _average_pool, Flatten: _flatten, Relu: _relu,
    DynamicMatmul: _dynamic_matmul, Softmax: _softmax, Gelu: _gelu, LayerNorm: _layer_norm, Embedding: _embedding,
    AddConstant: _add_constant, JoinConstant: _join_constant, Mean: _mean, Slice: _slice, Reshape: _reshape,
    Permute: _permute,
}  # fmt: skip
