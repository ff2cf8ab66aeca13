"""Calls that transformers are made of, to steps."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

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
    if call.shapes[activations[0].name] != call.output:
        raise call.refuse(f"the activation of shape {call.shapes[activations[0].name]} is broadcast to {call.output}")
    full = np.broadcast_to(array(values[0]), call.output)
    if (full != full[:1]).any() or not np.isfinite(full).all():
        raise call.refuse("the constant differs between samples or is not finite")
    call.operands = activations
    return Constant(value=full[0])


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


def _permute(call: Call) -> Permutation:
    dims: Any = call.node.args[1:] if len(call.node.args) > 2 else call.option("dims", 1)
    return _permutation(call, [int(dim) % len(call.output) for dim in dims])


def _permutation(call: Call, axes: list[int]) -> Permutation:
    if axes[0] != 0:
        raise call.refuse("it moves the batch axis")
    return Permutation(order=tuple(axis - 1 for axis in axes[1:]))


HANDLERS: dict[Any, Callable[[Call], Translated]] = {
    **dict.fromkeys((torch.matmul, torch.bmm, operator.matmul, "matmul", "bmm"), matmul),
    **dict.fromkeys((operator.mul, torch.mul, "mul", operator.truediv, torch.div, "div"), _scaling),
    **dict.fromkeys((nn.Softmax, functional.softmax, torch.softmax, "softmax"), _softmax),
    **dict.fromkeys((nn.GELU, functional.gelu), _gelu),
    nn.LayerNorm: _layer_norm,
    nn.Embedding: _embedding,
    **dict.fromkeys((torch.transpose, "transpose"), _transpose),
    **dict.fromkeys((torch.permute, "permute"), _permute),
}
"""Module types, functions and method names."""
