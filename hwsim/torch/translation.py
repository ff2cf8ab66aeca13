"""One traced PyTorch call to one step: the table of what export supports."""

import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from hwsim.torch import slicing
from hwsim.torch import transformer_translation as transformers
from hwsim.torch.calls import Call, Translated, array, unsupported
from hwsim.torch.graph import (
    Activation,
    Affine,
    End,
    Flattening,
    Geometry,
    Join,
    Pooling,
    Product,
    Reshaping,
    SplitProduct,
)  # fmt: skip
from hwsim.torch.modules import QuantConv2d, QuantLinear, Sign
from hwsim.torch.split import SplitConv2d, SplitLinear


def translate(call: Call) -> Translated:
    """The step of ``call``; ExportError if there is none for it."""
    node = call.node
    key = type(call.module) if call.module is not None else node.target
    handler = HANDLERS.get(key)
    if handler is None:
        raise unsupported(call.path, call.operator)
    for term in node.all_input_nodes:
        if term.name in call.moved and handler is not slicing.take:
            raise call.refuse("its input has the batch on axis 1; take one element of axis 0")
    if handler not in (_add, _concat, transformers.matmul, transformers.where, slicing.take):
        first = node.args[0] if node.args else node.kwargs.get("input")
        if not isinstance(first, fx.Node) or first.name not in call.shapes:
            raise call.refuse("its input is not an activation")
        call.operands = [first]
    step = handler(call)
    in_place = call.option("inplace", -1, False) if call.module is not None else (
        node.kwargs.get("inplace", False) or key is operator.iadd or (isinstance(key, str) and key.endswith("_"))
    )  # fmt: skip
    if in_place and len(call.operands[0].users) > 1:
        raise call.refuse("it works in place on a value that is used elsewhere; use the form that is not in place")
    return step


def _product(call: Call) -> Product:
    module, weight = call.module, call.weight
    assert isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
    assert weight is not None
    bias = np.zeros(weight.n) if module.bias is None else array(module.bias)
    geometry = None if isinstance(module, nn.Linear) else _geometry(call, module)
    return Product(weight=weight, gain=np.ones(weight.n), bias=bias, geometry=geometry)


def _geometry(call: Call, module: nn.Conv1d | nn.Conv2d) -> Geometry:
    rank = len(module.kernel_size)
    if len(call.input_shape) != rank + 2:
        raise call.refuse(f"its input of shape {call.input_shape} has no batch axis")
    if module.padding_mode != "zeros":
        raise call.refuse(f"padding_mode {module.padding_mode!r} is not supported, only 'zeros'")
    if module.padding == "valid":
        padding = (0,) * rank
    elif module.padding == "same":
        total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        if any(t % 2 for t in total):
            raise call.refuse(f"padding 'same' of kernel {module.kernel_size} pads unevenly; pad explicitly")
        padding = tuple(t // 2 for t in total)
    else:
        padding = tuple(map(int, module.padding))
    return Geometry(
        stride=tuple(module.stride), padding=padding, dilation=tuple(module.dilation),
        groups=module.groups, pad_value=float(getattr(module, "pad_value", 0.0)),
    )  # fmt: skip


def _batch_norm(call: Call) -> Affine:
    module = call.module
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    if module.running_mean is None or module.running_var is None:
        raise call.refuse("it has no running statistics (track_running_stats=False)")
    gain = 1 / np.sqrt(array(module.running_var) + module.eps)
    shift = np.zeros_like(gain)
    if module.affine:
        gain, shift = gain * array(module.weight), array(module.bias)
    return Affine(gain=gain, bias=shift - array(module.running_mean) * gain)


def _norm_of(module: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Gain and bias."""
    assert module.running_mean is not None
    assert module.running_var is not None
    gain = array(module.weight) / np.sqrt(array(module.running_var) + module.eps)
    return gain, array(module.bias) - array(module.running_mean) * gain


def _split(call: Call) -> SplitProduct:
    module = call.module
    assert isinstance(module, SplitLinear | SplitConv2d)
    assert isinstance(module.norm, nn.BatchNorm1d | nn.BatchNorm2d)
    assert call.weight is not None
    gain, bias = _norm_of(module.norm)
    if isinstance(module, SplitLinear):
        return SplitProduct(weight=call.weight, gain=gain, bias=bias, splits=module.splits)
    geometry = Geometry(
        stride=(module.stride,) * 2, padding=(module.padding,) * 2, dilation=(module.dilation,) * 2, groups=1,
        pad_value=module.pad_value,
    )  # fmt: skip
    return SplitProduct(
        weight=call.weight, gain=gain, bias=bias, splits=module.splits, geometry=geometry,
        kernel=(module.kernel_size,) * 2, pool=(module.pool,) * 2,
    )  # fmt: skip


def _relu(call: Call) -> Activation:
    return Activation(end=End(low=0.0))


def _hardtanh(call: Call) -> Activation:
    if call.operator.lower() == "relu6":
        return Activation(end=End(low=0.0, high=6.0))
    low, high = float(call.option("min_val", 1, -1.0)), float(call.option("max_val", 2, 1.0))
    return Activation(end=End(low=low, high=high))


def _sign(call: Call) -> Activation:
    return Activation(end=End(sign=True))


def _pooling_rank(call: Call) -> int:
    rank = 1 if "1d" in call.operator.lower() else 2
    if call.module is None and call.operator == "fn":  # torch names its dispatchers of max pooling so
        rank = 1 if call.node.target is functional.max_pool1d else 2
    if len(call.input_shape) != rank + 2:
        raise call.refuse(f"its input of shape {call.input_shape} has no batch axis")
    return rank


def _max_pool(call: Call) -> Pooling:
    rank = _pooling_rank(call)
    if call.spatial(call.option("dilation", 4, 1), rank) != (1,) * rank:
        raise call.refuse("dilation is not supported")
    if call.option("ceil_mode", 5, False) or call.option("return_indices", 6, False):
        raise call.refuse("ceil_mode and return_indices are not supported")
    return _pooling(call, rank, "max")


def _average_pool(call: Call) -> Pooling:
    rank = _pooling_rank(call)
    if call.option("ceil_mode", 4, False):
        raise call.refuse("ceil_mode is not supported")
    step = _pooling(call, rank, "average")
    if any(step.padding) and not call.option("count_include_pad", 5, True):
        raise call.refuse("count_include_pad=False is not supported with padding")
    divisor = call.option("divisor_override", 6, None)
    return dataclasses.replace(step, divisor=divisor or math.prod(step.kernel))


def _pooling(call: Call, rank: int, kind: Any) -> Pooling:
    kernel = call.spatial(call.option("kernel_size", 1), rank)
    stride = call.option("stride", 2, None)
    return Pooling(
        kind=kind, kernel=kernel, stride=kernel if not stride else call.spatial(stride, rank),
        padding=call.spatial(call.option("padding", 3, 0), rank),
    )  # fmt: skip


def _adaptive(kind: Any) -> Callable[[Call], Pooling]:
    def translate_adaptive(call: Call) -> Pooling:
        rank = _pooling_rank(call)
        if call.option("return_indices", 2, False):
            raise call.refuse("return_indices is not supported")
        sizes, out = call.input_shape[2:], call.output[2:]
        if any(size % o for size, o in zip(sizes, out, strict=True)):
            raise call.refuse(f"windows from {sizes} to {out} differ in size; choose divisors of {sizes}")
        kernel = tuple(size // o for size, o in zip(sizes, out, strict=True))
        divisor = math.prod(kernel) if kind == "average" else 1
        return Pooling(kind=kind, kernel=kernel, stride=kernel, padding=(0,) * rank, divisor=divisor)

    return translate_adaptive


def _flatten(call: Call) -> Translated:
    if call.output == call.input_shape:
        return None
    if not call.output or call.output[0] != call.input_shape[0]:
        raise call.refuse(f"{call.input_shape} to {call.output} is not supported, only (batch, ...)")
    return Flattening() if len(call.output) == 2 else Reshaping(shape=call.output[1:])


def _identity(call: Call) -> None:
    return None


def _add(call: Call) -> Translated:
    terms = [*call.node.args[:2], *(call.node.kwargs[k] for k in ("input", "other") if k in call.node.kwargs)]
    if len(call.node.args) > 2 or call.node.kwargs.get("alpha", 1) != 1:
        raise call.refuse("alpha is not supported")
    if any(isinstance(term, fx.Node) and term.name in call.constants for term in terms):
        return transformers.add_constant(call, terms)
    return _join(call, "add", terms)


def _concat(call: Call) -> Translated:
    terms = call.node.args[0] if call.node.args else call.node.kwargs["tensors"]
    dim = call.option("dim", 1, call.node.kwargs.get("axis", 0))
    if dim not in (1, 1 - len(call.output)):
        raise call.refuse(f"dim {dim} is not supported, only 1 (channels)")
    assert isinstance(terms, tuple | list)
    if any(isinstance(term, fx.Node) and term.name in call.constants for term in terms):
        return slicing.join_constant(call, list(terms))
    step = _join(call, "concat", list(terms))
    return step if len(terms) > 1 else None


def _join(call: Call, kind: Any, terms: list[Any]) -> Join:
    for term in terms:
        if not isinstance(term, fx.Node) or term.name not in call.shapes:
            raise call.refuse(f"operand {term!r} is not an activation")
        if kind == "add" and call.shapes[term.name] != call.output:
            raise call.refuse(f"operands of shapes {[call.shapes[t.name] for t in terms]} differ")
    call.operands = terms
    return Join(kind=kind)


HANDLERS: dict[Any, Callable[[Call], Translated]] = {
    **dict.fromkeys((nn.Linear, nn.Conv1d, nn.Conv2d, QuantLinear, QuantConv2d), _product),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    **dict.fromkeys((nn.ReLU, functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_"), _relu),
    **dict.fromkeys((nn.ReLU6, nn.Hardtanh, functional.relu6, functional.hardtanh), _hardtanh),
    Sign: _sign,
    **dict.fromkeys((SplitLinear, SplitConv2d), _split),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, functional.max_pool1d, functional.max_pool2d), _max_pool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, functional.avg_pool1d, functional.avg_pool2d), _average_pool),
    **dict.fromkeys(
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, functional.adaptive_avg_pool1d,
         functional.adaptive_avg_pool2d), _adaptive("average")),
    **dict.fromkeys(
        (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, functional.adaptive_max_pool1d,
         functional.adaptive_max_pool2d), _adaptive("max")),
    **dict.fromkeys((nn.Flatten, torch.flatten, "flatten", "view", "reshape", torch.reshape), _flatten),
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), _add),
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), _concat),
    **transformers.HANDLERS,
    **slicing.HANDLERS,
    **dict.fromkeys(
        (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Identity, functional.dropout, "contiguous"), _identity),
}  # fmt: skip
"""Module types, functions and method names that export takes."""
