"""From calibrated steps of transformers to operators on integers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hwsim.operators import (
    AddConstant,
    DynamicMatmul,
    Embedding,
    Gelu,
    JoinConstant,
    LayerNorm,
    Mean,
    Operator,
    Permute,
    Reshape,
    Slice,
    Softmax,
)  # fmt: skip
from hwsim.requantization import Quantizer, dyadic
from hwsim.torch.graph import (
    Averaging,
    Constant,
    DynamicProduct,
    Entry,
    GeluStep,
    Lookup,
    Normalization,
    Permutation,
    Prefix,
    Reshaping,
    Slicing,
    SoftmaxStep,
    Step,
)  # fmt: skip
from hwsim.torch.values import Value

Calibrate = Callable[[Entry], Value]
Emitted = tuple[Operator, Value]


def _dynamic_product(calibrate: Calibrate, entry: Entry, step: DynamicProduct, inputs: list[Value]) -> Emitted:
    value, n = calibrate(entry), entry.shape[-1]
    ratio = np.full(n, inputs[0].scale * inputs[1].scale * step.gain / value.scale)
    quantizer = Quantizer.dyadic(ratio, np.zeros(n), value.low, value.high)
    return DynamicMatmul(quantizer=quantizer, transposed=step.transposed), value


def _real(value: Value, inputs: list[Value]) -> dict[str, Any]:
    """The fields of a real function from its input to ``value``."""
    return {"scale": inputs[0].scale, "output_scale": value.scale, "low": value.low, "high": value.high}


def _softmax(calibrate: Calibrate, entry: Entry, step: SoftmaxStep, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    return Softmax(mask=step.mask, **_real(value, inputs)), value


def _gelu(calibrate: Calibrate, entry: Entry, step: GeluStep, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    return Gelu(approximate=step.approximate, **_real(value, inputs)), value


def _norm(calibrate: Calibrate, entry: Entry, step: Normalization, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    return LayerNorm(gain=step.gain, bias=step.bias, epsilon=step.epsilon, **_real(value, inputs)), value


def _lookup(calibrate: Calibrate, entry: Entry, step: Lookup, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    table = np.clip(np.rint(step.table / value.scale), value.low, value.high).astype(np.int32)
    return Embedding(table=table), value


def _stored(entry_value: np.ndarray, value: Value, source: Value) -> dict[str, Any]:
    """The fields of an operator that brings ``source`` to the scale of a constant in units of ``value``."""
    (multiplier,), (shift,) = dyadic(np.array([source.scale / value.scale]))
    integers = np.clip(np.rint(entry_value / value.scale), -(1 << 30), 1 << 30).astype(np.int32)
    return {
        "value": integers, "multiplier": int(multiplier), "shift": int(shift), "low": value.low, "high": value.high
    }  # fmt: skip


def _constant(calibrate: Calibrate, entry: Entry, step: Constant, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    return AddConstant(**_stored(step.value, value, inputs[0])), value


def _prefix(calibrate: Calibrate, entry: Entry, step: Prefix, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    return JoinConstant(before=step.before, **_stored(step.value, value, inputs[0])), value


def _averaging(calibrate: Calibrate, entry: Entry, step: Averaging, inputs: list[Value]) -> Emitted:
    value = calibrate(entry)
    (multiplier,), (shift,) = dyadic(np.array([inputs[0].scale / (step.count * value.scale)]))
    return Mean(
        axes=step.axes, keep=step.keep, count=step.count, multiplier=int(multiplier), shift=int(shift),
        low=value.low, high=value.high,
    ), value  # fmt: skip


def _slicing(calibrate: Calibrate, entry: Entry, step: Slicing, inputs: list[Value]) -> Emitted:
    return Slice(starts=step.starts, stops=step.stops, dropped=step.dropped), inputs[0]


def _reshape(calibrate: Calibrate, entry: Entry, step: Reshaping, inputs: list[Value]) -> Emitted:
    return Reshape(shape=step.shape), inputs[0]


def _permute(calibrate: Calibrate, entry: Entry, step: Permutation, inputs: list[Value]) -> Emitted:
    return Permute(order=step.order), inputs[0]


EMITTERS: dict[type[Step], Callable[..., Emitted]] = {
    DynamicProduct: _dynamic_product, SoftmaxStep: _softmax, GeluStep: _gelu, Normalization: _norm, Lookup: _lookup,
    Constant: _constant, Prefix: _prefix, Averaging: _averaging, Slicing: _slicing, Reshaping: _reshape,
    Permutation: _permute,
}  # fmt: skip
