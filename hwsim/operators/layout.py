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
