"""Operators of the vector unit beside the array, each a stated integer formula.

Residual sums and concatenations bring each input to the output's scale by its own dyadic
factor, ``(x*multiplier + 2**(shift-1)) >> shift``, as HAWQ-V3 (arXiv 2011.10680) does.
"""

import dataclasses
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hwsim.errors import NetworkError
from hwsim.operators.base import HostOperator, Shape, check_bounds
from hwsim.requantization import Quantizer, requantize


def _largest(*ranges: tuple[int, int]) -> int:
    return max(max(-low, high) for low, high in ranges)


def _check_int64(largest: int) -> None:
    """NetworkError unless a scaled sum fits the 64 bits it is computed in."""
    if largest >= 1 << 63:
        raise NetworkError(f"a scaled sum can reach {largest}, beyond 64 bits")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Requantize(HostOperator):
    """The array's output quantizer applied to integers along the channel axis (the first after the batch)."""

    quantizer: Quantizer

    def __post_init__(self) -> None:
        if self.quantizer.sum_shift:
            raise NetworkError("Requantize: sum_shift belongs to matmuls")

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0] or shapes[0][0] != len(self.quantizer.bias):
            raise NetworkError(f"input of shape {shapes[0]} for {len(self.quantizer.bias)} quantizer channels")
        return shapes[0]

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        largest = _largest(*ranges) + int(np.abs(self.quantizer.bias.astype(np.int64)).max())
        if largest >= 1 << 31:
            raise NetworkError(f"a value with its bias can reach {largest}, beyond 32 bits")
        return self.quantizer.low, self.quantizer.high

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return np.moveaxis(requantize(np.moveaxis(inputs[0], 1, -1), self.quantizer), -1, 1)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Merge(HostOperator):
    """Base of operators that bring several inputs to one scale."""

    ARITY = None
    multipliers: tuple[int, ...]
    shifts: tuple[int, ...]
    low: int
    high: int

    def __post_init__(self) -> None:
        ok = len(self.multipliers) == len(self.shifts) and all(
            1 <= b < 1 << 31 and 1 <= c <= 62 for b, c in zip(self.multipliers, self.shifts, strict=False)
        )
        if not ok:
            raise NetworkError(f"{type(self).__name__}: multipliers or shifts are not valid")
        check_bounds(self.low, self.high)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        largest = _largest(*ranges)
        _check_int64(sum((largest * b >> c) + 1 for b, c in zip(self.multipliers, self.shifts, strict=True)))
        return self.low, self.high

    def rescale(self, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        """Each input as int64 at the output's scale."""
        if len(inputs) != len(self.shifts):
            raise NetworkError(f"{type(self).__name__} of {len(self.shifts)} inputs got {len(inputs)}")
        return [
            (x.astype(np.int64) * b + (1 << (c - 1))) >> c
            for x, b, c in zip(inputs, self.multipliers, self.shifts, strict=True)
        ]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Add(Merge):
    """``clamp(sum_i (x_i * multiplier_i + 2**(shift_i - 1)) >> shift_i, low, high)``."""

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) != 1 or len(shapes) != len(self.shifts):
            raise NetworkError(f"add of shapes {shapes}")
        return shapes[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return np.clip(sum(self.rescale(inputs)), self.low, self.high).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Merge):
    """Inputs at one scale, clamped, joined along the channel axis."""

    def output_shape(self, *shapes: Shape) -> Shape:
        if len({shape[1:] for shape in shapes}) != 1 or len(shapes) != len(self.shifts):
            raise NetworkError(f"concatenation of shapes {shapes}")
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        joined = np.concatenate(self.rescale(inputs), axis=1)
        return np.clip(joined, self.low, self.high).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pool(HostOperator):
    """Base of poolings over the spatial axes."""

    kernel: Shape
    stride: Shape
    padding: Shape

    def __post_init__(self) -> None:
        sizes = {len(self.kernel), len(self.stride), len(self.padding)}
        valid = len(sizes) == 1 and sizes <= {1, 2} and min(self.kernel + self.stride) >= 1
        if not valid or any(not 0 <= p <= k // 2 for p, k in zip(self.padding, self.kernel, strict=True)):
            raise NetworkError(f"pooling kernel {self.kernel}, stride {self.stride}, padding {self.padding}")

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != len(self.kernel) + 1:
            raise NetworkError(f"pooling over {len(self.kernel)} axes of shape {shape}")
        out = [
            (size + 2 * p - k) // s + 1
            for size, k, s, p in zip(shape[1:], self.kernel, self.stride, self.padding, strict=True)
        ]
        if min(out) < 1:
            raise NetworkError(f"pooling kernel {self.kernel} is larger than the padded input {shape}")
        return (shape[0], *out)

    def windows(self, x: np.ndarray, fill: int) -> np.ndarray:
        """[batch, channel, *out, *kernel] views of ``x`` padded with ``fill``."""
        rank = len(self.kernel)
        padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in self.padding)], constant_values=fill)
        view = sliding_window_view(padded, self.kernel, axis=tuple(range(2, 2 + rank)))
        return view[(slice(None), slice(None), *(slice(None, None, s) for s in self.stride))]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(Pool):
    """Largest value of each window; padding never wins."""

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return ranges[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        lowest = np.iinfo(np.int32).min
        return self.windows(inputs[0], lowest).max(axis=tuple(range(-len(self.kernel), 0)))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AvgPool(Pool):
    """``clamp((sum * multiplier + 2**(shift-1)) >> shift, low, high)``; padding counts as 0."""

    multiplier: int
    shift: int
    low: int
    high: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (1 <= self.multiplier < 1 << 31 and 1 <= self.shift <= 62):
            raise NetworkError("average pooling: multiplier or shift is not valid")
        check_bounds(self.low, self.high)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        _check_int64(math.prod(self.kernel) * _largest(*ranges) * self.multiplier + (1 << (self.shift - 1)))
        return self.low, self.high

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        total = self.windows(inputs[0], 0).sum(axis=tuple(range(-len(self.kernel), 0)), dtype=np.int64)
        value = (total * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return np.clip(value, self.low, self.high).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Mean(HostOperator):
    """``clamp((sum * multiplier + 2**(shift-1)) >> shift, low, high)`` of ``count`` elements over ``axes``.

    The batch is no axis; with ``keep`` axes of one element stay.
    """

    axes: Shape
    keep: bool
    count: int
    multiplier: int
    shift: int
    low: int
    high: int

    def __post_init__(self) -> None:
        if not self.axes or sorted(set(self.axes)) != list(self.axes) or self.axes[0] < 0:
            raise NetworkError(f"mean over axes {self.axes}, expected ascending ones")
        if not (1 <= self.multiplier < 1 << 31 and 1 <= self.shift <= 62):
            raise NetworkError("mean: multiplier or shift is not valid")
        check_bounds(self.low, self.high)

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if self.axes[-1] >= len(shape) or math.prod(shape[axis] for axis in self.axes) != self.count:
            raise NetworkError(f"mean of {self.count} elements over axes {self.axes} of shape {shape}")
        return tuple(
            1 if axis in self.axes else size for axis, size in enumerate(shape) if self.keep or axis not in self.axes
        )

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        _check_int64(self.count * _largest(*ranges) * self.multiplier + (1 << (self.shift - 1)))
        return self.low, self.high

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        axes = tuple(axis + 1 for axis in self.axes)
        total = inputs[0].sum(axis=axes, dtype=np.int64, keepdims=self.keep)
        value = (total * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return np.clip(value, self.low, self.high).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Flatten(HostOperator):
    """All axes but the batch become one; costs nothing."""

    PASSES = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        return (math.prod(shapes[0]),)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return ranges[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0].reshape(len(inputs[0]), -1)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Relu(HostOperator):
    """``max(x, 0)``."""

    def output_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return max(ranges[0][0], 0), max(ranges[0][1], 0)

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return np.maximum(inputs[0], 0)
