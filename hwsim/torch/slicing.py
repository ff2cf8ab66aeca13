"""Calls that take tensors apart, put them together or average them, to steps."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx

from hwsim.torch.calls import Call, Translated, array
from hwsim.torch.graph import Averaging, Prefix, Reshaping, Slicing

SPLITS = (
    torch.chunk, "chunk", torch.split, "split", torch.unbind, "unbind", torch.tensor_split, "tensor_split",
    "split_with_sizes", torch.split_with_sizes,
)  # fmt: skip
"""Calls with several results, which `take` takes one by one."""
Bounds = tuple[int, int]


def parts(node: fx.Node) -> int | None:
    """How many results a call of `SPLITS` has, if its arguments say so."""
    sizes: Any = node.args[1] if len(node.args) > 1 else None
    if node.target not in SPLITS or node.target in (torch.unbind, "unbind"):
        return None
    if isinstance(sizes, tuple | list):
        return len(sizes)
    return sizes if node.target in (torch.chunk, "chunk") and isinstance(sizes, int) else None


def take(call: Call) -> Translated:
    """``x[index]``, or one of the results of `SPLITS`."""
    source, index = call.node.args
    assert isinstance(source, fx.Node)
    if source.name in call.parts:
        return _part(call, source, int(call.value(index)))
    shape = call.shapes[source.name]
    items = list(index) if isinstance(index, tuple | list) else [index]
    if Ellipsis in items:
        at = items.index(Ellipsis)
        items[at : at + 1] = [slice(None)] * (len(shape) - len(items) + 1)
    items += [slice(None)] * (len(shape) - len(items))
    if len(items) != len(shape):
        raise call.refuse(f"index {index} of shape {shape} is not supported, only slices and numbers")
    bounds: list[Bounds] = []
    dropped = []
    for axis, (item, size) in enumerate(zip(items, shape, strict=True)):
        resolved = call.value(item)
        if isinstance(resolved, slice):
            start, stop, step = slice(*map(call.value, (resolved.start, resolved.stop, resolved.step))).indices(size)
            if step != 1:
                raise call.refuse(f"a step of {step} is not supported")
            bounds.append((start, stop))
        elif type(resolved) is int:
            first = resolved % size
            bounds.append((first, first + 1))
            dropped.append(axis)
        else:
            raise call.refuse(f"index {item!r} is not supported, only slices and numbers")
    return _slicing(call, source, bounds, dropped)


def _part(call: Call, split: fx.Node, index: int) -> Translated:
    """Result number ``index`` of a split."""
    source = split.args[0]
    assert isinstance(source, fx.Node)
    shape, parts = call.shapes[source.name], call.parts[split.name]
    unbind = split.target in (torch.unbind, "unbind")
    position = 1 if unbind else 2
    dim = call.value(split.args[position] if len(split.args) > position else split.kwargs.get("dim", 0)) % len(shape)
    index %= len(parts)
    bounds = [(0, size) for size in shape]
    if unbind:
        bounds[dim] = (index, index + 1)
    else:
        first = sum(part[dim] for part in parts[:index])
        bounds[dim] = (first, first + parts[index][dim])
    return _slicing(call, source, bounds, [dim] if unbind else [])


def _select(call: Call) -> Translated:
    """``x.select(dim, index)``."""
    source = call.operands[0]
    dim = int(call.option("dim", 1)) % len(call.input_shape)
    index = int(call.value(call.option("index", 2))) % call.input_shape[dim]
    bounds = [(0, size) for size in call.input_shape]
    bounds[dim] = (index, index + 1)
    return _slicing(call, source, bounds, [dim])


def _narrow(call: Call) -> Translated:
    """``x.narrow(dim, start, length)``."""
    dim = int(call.option("dim", 1)) % len(call.input_shape)
    start, length = int(call.value(call.option("start", 2))), int(call.value(call.option("length", 3)))
    bounds = [(0, size) for size in call.input_shape]
    bounds[dim] = (start, start + length)
    return _slicing(call, call.operands[0], bounds, [])


def _slicing(call: Call, source: fx.Node, bounds: list[Bounds], dropped: list[int]) -> Translated:
    """The step for ``bounds`` per axis of ``source``, whose batch axis is 0 or, moved, 1."""
    batch = int(source.name in call.moved)
    if bounds[batch] != (0, call.shapes[source.name][batch]) or batch in dropped:
        raise call.refuse("it takes the batch apart")
    if batch and 0 not in dropped:
        raise call.refuse("its input has the batch on axis 1; take one element of axis 0")
    call.operands = [source]
    order = [axis for axis in range(len(bounds)) if axis != batch]
    if not dropped and all(bounds[axis] == (0, call.shapes[source.name][axis]) for axis in order):
        return None
    return Slicing(
        starts=tuple(bounds[axis][0] for axis in order), stops=tuple(bounds[axis][1] for axis in order),
        dropped=tuple(order.index(axis) for axis in dropped),
    )  # fmt: skip


def join_constant(call: Call, terms: list[Any]) -> Prefix:
    """``cat`` of an activation with a stored tensor before or behind it, along axis 1."""
    activations = [term for term in terms if isinstance(term, fx.Node) and term.name in call.shapes]
    if len(terms) != 2 or len(activations) != 1:
        raise call.refuse("a constant can be joined with one activation only")
    before = terms[1] is activations[0]
    value = call.value(terms[0] if before else terms[1])
    if not isinstance(value, torch.Tensor) or value.ndim != len(call.output):
        raise call.refuse("its operands are not an activation and a tensor")
    full = array(value)
    if (full != full[:1]).any() or not np.isfinite(full).all():
        raise call.refuse("the constant differs between samples or is not finite")
    call.operands = activations
    return Prefix(value=full[0], before=before)


def _mean(call: Call) -> Averaging:
    dims = call.option("dim", 1, tuple(range(1, len(call.input_shape))))
    axes = sorted({int(dim) % len(call.input_shape) for dim in (dims if isinstance(dims, tuple | list) else (dims,))})
    if not axes or axes[0] == 0:
        raise call.refuse("it averages over the batch")
    count = math.prod(call.input_shape[axis] for axis in axes)
    return Averaging(axes=tuple(axis - 1 for axis in axes), keep=bool(call.option("keepdim", 2, False)), count=count)


def _reshaped(call: Call) -> Translated:
    """``squeeze``, ``unsqueeze``, ``unflatten``: the same elements as another shape."""
    if call.output[:1] != call.input_shape[:1]:
        raise call.refuse("it moves the batch axis")
    return None if call.output == call.input_shape else Reshaping(shape=call.output[1:])


HANDLERS: dict[Any, Callable[[Call], Translated]] = {
    operator.getitem: take,
    **dict.fromkeys((torch.select, "select"), _select),
    **dict.fromkeys((torch.narrow, "narrow"), _narrow),
    **dict.fromkeys((torch.mean, "mean"), _mean),
    **dict.fromkeys((torch.squeeze, "squeeze", torch.unsqueeze, "unsqueeze", torch.unflatten, "unflatten"), _reshaped),
}
"""Functions and method names."""
