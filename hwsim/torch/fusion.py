"""Rewrites of a traced model: batch norms, ReLUs and signs move into the steps before them."""

import dataclasses

import numpy as np

from hwsim.errors import ExportError
from hwsim.formats import quantize
from hwsim.lowering import lower
from hwsim.torch.graph import (
    Activation,
    Affine,
    Constant,
    DynamicProduct,
    End,
    Entry,
    Geometry,
    Graph,
    Join,
    Permutation,
    Pooling,
    Product,
    Scaling,
    SoftmaxStep,
)  # fmt: skip

WIDE_LEVELS = 1 << 22
"""Calibrated peak of values that no matmul reads; int32 leaves them headroom."""


def fuse(graph: Graph) -> None:
    """Applies every rewrite, in place."""
    for name in list(graph.entries):
        step = graph.entries[name].step
        if isinstance(step, Constant):
            _absorb_mask(graph, graph.entries[name], step)
    for name in list(graph.entries):
        while name in graph.entries and _absorb_user(graph, graph.entries[name]):
            pass
    for entry in list(graph.entries.values()):
        if isinstance(entry.step, DynamicProduct):
            _absorb_transposition(graph, entry)
        if isinstance(entry.step, Scaling):
            ones = np.ones(entry.shape[0])
            graph.replace(entry, Affine(gain=entry.step.factor * ones, bias=np.zeros_like(ones)))
    for entry in list(graph.entries.values()):
        if isinstance(entry.step, Activation) and entry.step.end != End(low=0.0):
            ones = np.ones(entry.shape[0])
            graph.replace(entry, Affine(gain=ones, bias=np.zeros_like(ones), end=entry.step.end))
    for entry in list(graph.entries.values()):
        if isinstance(entry.step, Affine):
            _settle_affine(graph, entry)


def _absorb_user(graph: Graph, entry: Entry) -> bool:
    """Merges the sole user of ``entry`` into it, if both allow it."""
    step = entry.step
    user = graph.sole_user(entry.name)
    if user is None:
        return False
    if isinstance(user.step, Scaling) and isinstance(step, Product | DynamicProduct):
        return _absorb_scaling(graph, entry, user, user.step.factor)
    if not isinstance(step, Product | Affine | Join | Pooling) or step.end.sign:
        return False
    if isinstance(step, Pooling) and step.kind == "max":
        return False
    if isinstance(user.step, Affine) and isinstance(step, Product) and not step.end.clamps:
        if step.geometry is None and len(entry.shape) != 1:
            return False
        gain, bias = user.step.gain, user.step.bias
        merged = dataclasses.replace(step, gain=step.gain * gain, bias=step.bias * gain + bias, end=user.step.end)
        graph.absorb(entry, user, merged)
        return True
    if isinstance(user.step, Activation):
        end = user.step.end
        if end.sign and (step.end.clamps or not isinstance(step, Product | Affine)):
            return False
        merged_end = End(low=max(step.end.low, end.low), high=min(step.end.high, end.high), sign=end.sign)
        graph.absorb(entry, user, dataclasses.replace(step, end=merged_end))
        return True
    return False


def _absorb_scaling(graph: Graph, entry: Entry, user: Entry, factor: float) -> bool:
    """A product takes up the number that its result is multiplied by."""
    step = entry.step
    if isinstance(step, DynamicProduct):
        graph.absorb(entry, user, dataclasses.replace(step, gain=step.gain * factor))
        return True
    assert isinstance(step, Product)
    if step.end.clamps or step.end.sign:
        return False
    graph.absorb(entry, user, dataclasses.replace(step, gain=step.gain * factor, bias=step.bias * factor))
    return True


def _absorb_transposition(graph: Graph, entry: Entry) -> None:
    """The array reads the second operand of a matmul by rows or by columns: its transposition goes."""
    source = graph.entries[entry.inputs[1]]
    axes = tuple(range(len(source.shape)))
    if (
        isinstance(source.step, Permutation)
        and source.step.order == (*axes[:-2], axes[-1], axes[-2])
        and graph.sole_user(source.name) is entry
    ):
        assert isinstance(entry.step, DynamicProduct)
        step = dataclasses.replace(entry.step, transposed=not entry.step.transposed)
        graph.entries[entry.name] = dataclasses.replace(entry, step=step, inputs=(entry.inputs[0], *source.inputs))
        del graph.entries[source.name]


INVISIBLE = 32.0
"""A softmax of 30 bits gives 0 to elements that lie this far below another."""


def _absorb_mask(graph: Graph, entry: Entry, step: Constant) -> None:
    """A constant that hides elements from a softmax behind it becomes the softmax's mask; what is finite stays."""
    peak = graph.entries[entry.inputs[0]].peak
    finite, factor, after = 0.0, 1.0, []
    end = graph.sole_user(entry.name)
    while end is not None and isinstance(end.step, Constant | Scaling):
        if isinstance(end.step, Scaling):
            factor *= end.step.factor
        after.append(end)
        end = graph.sole_user(end.name)
    if end is None or not isinstance(end.step, SoftmaxStep):
        if np.isinf(step.value).any():
            raise ExportError(f"{entry.path}: it adds -inf, which is supported before a softmax only")
        return
    for other in after:
        if isinstance(other.step, Constant):
            finite += float(np.abs(other.step.value[np.isfinite(other.step.value)]).max(initial=0)) / factor
    hidden = step.value * factor <= -(2 * (peak + finite) * factor + INVISIBLE)
    if not hidden.any():
        return
    mask = ~hidden if end.step.mask is None else ~hidden & end.step.mask
    if not mask.any(axis=-1).all():
        raise ExportError(f"{entry.path}: its mask leaves nothing of a row of {end.path}")
    while mask.ndim > 1 and (mask == mask[:1]).all():
        mask = mask[0]
    graph.replace(end, SoftmaxStep(mask=np.ascontiguousarray(mask)))
    rest = np.where(hidden, 0.0, step.value)
    reach = peak + float(np.abs(rest).max())
    graph.entries[entry.name] = dataclasses.replace(entry, step=Constant(value=rest), peak=reach)
    for other in after:  # what calibration saw there were the hidden elements
        reach = reach * other.step.factor if isinstance(other.step, Scaling) else reach
        graph.entries[other.name] = dataclasses.replace(other, peak=min(reach, other.peak))
    if not rest.any():
        graph.bypass(graph.entries[entry.name])


def _settle_affine(graph: Graph, entry: Entry) -> None:
    """A per-channel gain that a requantizer cannot apply becomes a product of its own.

    Requantizer multipliers are positive and biases are int32; a depthwise convolution (on
    vectors: a diagonal matrix) takes any gain.
    """
    step = entry.step
    assert isinstance(step, Affine)
    peak = graph.entries[entry.inputs[0]].peak
    reach = (1 << 30) / WIDE_LEVELS * peak * step.gain
    if step.end.sign or (step.gain == 1).all() or ((step.gain > 0) & (np.abs(step.bias) < reach)).all():
        return
    axes = len(entry.shape) - 1
    if axes == 0:
        weight, geometry = np.diag(step.gain), None
    else:
        weight = step.gain.reshape(-1, *[1] * (axes + 1))
        ones, zeros = (1,) * axes, (0,) * axes
        geometry = Geometry(stride=ones, padding=zeros, dilation=ones, groups=len(step.gain), pad_value=0.0)
    graph.replace(entry, Product(
        weight=lower(quantize(weight, "int8")), gain=np.ones_like(step.gain), bias=step.bias,
        geometry=geometry, end=step.end,
    ))  # fmt: skip
