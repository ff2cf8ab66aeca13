"""Calls that transformers are made of, to steps."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from hwsim.torch import attention
from hwsim.torch.calls import Call, Translated, array
from hwsim.torch.graph import (
    Constant,
    DynamicProduct,
    GeluStep,
    Lookup,
    Normalization,
    Permutation,
    Scaling,
    SoftmaxStep,
)


def matmul(call: Call) -> DynamicProduct:
    """A product of two activations with the same leading axes."""
    terms: list[Any] = [
        *call.node.args[:2],
        *(call.node.kwargs[k] for k in ("input", "other", "mat2") if k in call.node.kwargs),
    ]
    for term in terms:
        if not isinstance(term, fx.Node) or term.name not in call.shapes:
            raise call.refuse("an operand is not an activation; use nn.Linear for stored weights")
    first, second = (call.shapes[term.name] for term in terms)
    if min(len(first), len(second)) < 3 or first[:-2] != second[:-2]:
        raise call.refuse(f"operands of shapes {first} and {second} do not share their leading axes")
    call.operands = terms
    return DynamicProduct()


def add_constant(call: Call, terms: list[Any]) -> Constant:
    """An activation plus a stored tensor that broadcasts to its shape."""
    activations = [term for term in terms if isinstance(term, fx.Node) and term.name in call.shapes]
    values = [call.constants.get(term.name) for term in terms if isinstance(term, fx.Node) and term not in activations]
    if len(activations) != 1 or len(values) != 1 or not isinstance(values[0], torch.Tensor):
        raise call.refuse("its operands are not an activation and a tensor")
    return _constant(call, activations, array(values[0]))


def _constant(call: Call, activations: list[fx.Node], value: np.ndarray) -> Constant:
    """The sum of an activation and ``value``, which is the same for all samples."""
    if call.shapes[activations[0].name] != call.output:
        raise call.refuse(f"the activation of shape {call.shapes[activations[0].name]} is broadcast to {call.output}")
    full = np.broadcast_to(value, call.output)
    if (full != full[:1]).any() or np.isnan(full).any() or (full == np.inf).any():
        raise call.refuse("the constant differs between samples or is not finite")
    call.operands = activations
    return Constant(value=full[0])


MASKED_BELOW = -1e4
"""Numbers that models write for -inf."""


def _masked(call: Call) -> Constant:
    """The attention masks of `hwsim.torch.attention`."""
    terms = list(call.node.args)
    if call.node.target is attention.causal:
        mask: Any = torch.ones(call.output[-2:], dtype=torch.bool).tril()
    else:
        mask = call.value(terms[1])
    if not isinstance(mask, torch.Tensor):
        raise call.refuse("its mask depends on the samples")
    if mask.dtype == torch.bool:
        hidden = mask if call.node.target is attention.excluded else ~mask
        mask = torch.zeros(mask.shape).masked_fill(hidden, -math.inf)
    return _constant(call, [call.operands[0]], array(mask))


def _masked_fill(call: Call) -> Constant:
    """``x.masked_fill(mask, value)``."""
    return _hidden(call, call.operands[0], call.option("mask", 1), call.option("value", 2), where=True)


def where(call: Call) -> Constant:
    """``torch.where(mask, x, value)``, or with x and value swapped."""
    names = ("condition", "input", "other")
    condition, first, second = (call.option(name, index) for index, name in enumerate(names))
    kept = isinstance(first, fx.Node) and first.name in call.shapes
    return _hidden(call, first if kept else second, condition, second if kept else first, where=not kept)


def _hidden(call: Call, source: Any, mask: Any, filler: Any, *, where: bool) -> Constant:
    mask, filler = call.value(mask), call.value(filler)
    if isinstance(filler, torch.Tensor) and filler.numel() == 1:
        filler = float(filler)
    if not isinstance(source, fx.Node) or source.name not in call.shapes or not isinstance(mask, torch.Tensor):
        raise call.refuse("its mask depends on the samples, or it has no activation")
    if not isinstance(filler, int | float) or not filler <= MASKED_BELOW:
        raise call.refuse(f"it fills in {filler!r}; only -inf (or numbers up to {MASKED_BELOW:g}) before a softmax")
    return _constant(call, [source], np.where(array(mask).astype(bool) == where, -np.inf, 0.0))


def _scaling(call: Call) -> Scaling:
    others = [term for term in call.node.args[1:2] if term is not call.operands[0]]
    factor = others[0] if others else call.node.kwargs.get("other")
    if isinstance(factor, fx.Node):
        factor = call.constants.get(factor.name)
    if isinstance(factor, torch.Tensor) and factor.numel() == 1:
        factor = float(factor)
    if not isinstance(factor, int | float) or not 0 < factor < float("inf"):
        raise call.refuse("its second operand is not a positive number")
    divides = call.operator in ("div", "truediv")
    return Scaling(factor=1 / factor if divides else float(factor))


def _softmax(call: Call) -> SoftmaxStep:
    dim = call.option("dim", 1)
    if dim not in (-1, len(call.output) - 1):
        raise call.refuse(f"dim {dim} is not supported, only the last axis")
    return SoftmaxStep()


def _gelu(call: Call) -> GeluStep:
    return GeluStep(approximate=call.option("approximate", 1, "none"))


def _layer_norm(call: Call) -> Normalization:
    module = call.module
    assert isinstance(module, nn.LayerNorm)
    if len(module.normalized_shape) != 1:
        raise call.refuse(f"normalized_shape {tuple(module.normalized_shape)} is not supported, only the last axis")
    size = module.normalized_shape[0]
    gain = np.ones(size) if module.weight is None else array(module.weight)
    bias = np.zeros(size) if module.bias is None else array(module.bias)
    return Normalization(gain=gain, bias=bias, epsilon=float(module.eps))


def _embedding(call: Call) -> Lookup:
    module = call.module
    assert isinstance(module, nn.Embedding)
    if module.max_norm is not None:
        raise call.refuse("max_norm is not supported")
    return Lookup(table=array(module.weight))


def _transpose(call: Call) -> Permutation:
    axes = list(range(len(call.output)))
    first, second = int(call.option("dim0", 1)) % len(axes), int(call.option("dim1", 2)) % len(axes)
    axes[first], axes[second] = axes[second], axes[first]
    return _permutation(call, axes)


def _attribute(call: Call) -> Permutation:
    """``x.mT``."""
    if call.node.args[1] != "mT":
        raise call.refuse(f"attribute {call.node.args[1]!r} is not supported")
    axes = list(range(len(call.output)))
    return _permutation(call, [*axes[:-2], axes[-1], axes[-2]])


def _permute(call: Call) -> Permutation:
    dims: Any = call.node.args[1:] if len(call.node.args) > 2 else call.option("dims", 1)
    return _permutation(call, [int(dim) % len(call.output) for dim in dims])


def _permutation(call: Call, axes: list[int]) -> Permutation:
    if axes[0] != 0 and axes[1] == 0:  # [3, batch, ...]: an element of axis 0 has the batch first again
        call.moved.add(call.node.name)
        axes = [0, axes[0], *axes[2:]]
    if axes[0] != 0:
        raise call.refuse("it moves the batch axis")
    return Permutation(order=tuple(axis - 1 for axis in axes[1:]))


HANDLERS: dict[Any, Callable[[Call], Translated]] = {
    **dict.fromkeys((torch.matmul, torch.bmm, operator.matmul, "matmul", "bmm"), matmul),
    **dict.fromkeys((operator.mul, torch.mul, "mul", operator.truediv, torch.div, "div"), _scaling),
    **dict.fromkeys((nn.Softmax, functional.softmax, torch.softmax, "softmax"), _softmax),
    **dict.fromkeys((nn.GELU, functional.gelu), _gelu),
    **dict.fromkeys((attention.masked, attention.excluded, attention.causal), _masked),
    **dict.fromkeys((torch.masked_fill, "masked_fill", "masked_fill_"), _masked_fill),
    torch.where: where,
    nn.LayerNorm: _layer_norm,
    nn.Embedding: _embedding,
    **dict.fromkeys((torch.transpose, "transpose"), _transpose),
    **dict.fromkeys((torch.permute, "permute"), _permute),
    getattr: _attribute,
}
"""Module types, functions and method names."""
