"""Other orders and shapes of the same integers."""

import dataclasses
import math

import numpy as np

from hwsim.errors import NetworkError
from hwsim.operators.base import HostOperator, Shape


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(HostOperator):
    """The same elements in the same order as another shape; costs nothing."""

    PASSES = 0
    shape: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        if not self.shape or min(self.shape) < 1 or math.prod(self.shape) != math.prod(shapes[0]):
            raise NetworkError(f"shape {shapes[0]} as {self.shape}")
        return self.shape

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return ranges[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return inputs[0].reshape(len(inputs[0]), *self.shape)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Permute(HostOperator):
    """Axis i of the result is axis ``order[i]`` of the input, the batch not counted. Every element is moved once."""

    order: Shape

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise NetworkError(f"axes {self.order} are no permutation")

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != len(self.order):
            raise NetworkError(f"shape {shapes[0]} permuted by {self.order}")
        return tuple(shapes[0][axis] for axis in self.order)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return ranges[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(inputs[0].transpose(0, *(axis + 1 for axis in self.order)))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Slice(HostOperator):
    """Elements ``starts[i] .. stops[i]-1`` of every axis i, without those axes of one element that are ``dropped``.

    The readers take other addresses; it costs nothing.
    """

    PASSES = 0
    starts: Shape
    stops: Shape
    dropped: Shape = ()

    def __post_init__(self) -> None:
        bounds = list(zip(self.starts, self.stops, strict=False))
        valid = len(self.starts) == len(self.stops) and all(0 <= start < stop for start, stop in bounds)
        if not valid or any(not 0 <= axis < len(bounds) or self._size(axis) != 1 for axis in self.dropped):
            raise NetworkError(f"slice {self.starts} to {self.stops} without axes {self.dropped}")

    def _size(self, axis: int) -> int:
        return self.stops[axis] - self.starts[axis]

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != len(self.stops) or any(stop > size for stop, size in zip(self.stops, shape, strict=False)):
            raise NetworkError(f"shape {shape} sliced {self.starts} to {self.stops}")
        return tuple(self._size(axis) for axis in range(len(shape)) if axis not in self.dropped)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return ranges[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        where = (slice(start, stop) for start, stop in zip(self.starts, self.stops, strict=True))
        return np.squeeze(inputs[0][(slice(None), *where)], axis=tuple(axis + 1 for axis in self.dropped))
