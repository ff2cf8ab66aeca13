"""What every operator of an integer network answers, and where real samples enter it."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from hwsim.errors import NetworkError

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Operator(ABC):
    """Base of all operators."""

    ARITY: ClassVar[int | None] = 1
    """Number of inputs; None for two or more."""

    @abstractmethod
    def output_shape(self, *shapes: Shape) -> Shape:
        """Shape of the result; NetworkError if the inputs do not fit."""

    @abstractmethod
    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        """Lowest and highest value of the result."""


def check_bounds(low: int, high: int) -> None:
    """NetworkError unless ``low..high`` is a range within int32."""
    if not -(1 << 31) <= low <= high < 1 << 31:
        raise NetworkError(f"bounds {low}..{high} are not a range within int32")


class HostOperator(Operator):
    """An operator that the vector unit beside the array computes."""

    PASSES: ClassVar[int] = 1
    """How often the vector unit goes over every element; 0 for operators that cost nothing."""

    @property
    def constant_bits(self) -> int:
        """Bits of stored constants that one sample reads."""
        return 0

    @abstractmethod
    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        """int32 result for int32 inputs with a leading batch axis."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Input(Operator):
    """Real samples to integers: ``clip(RNE(x / scale), low, high)``.

    With ``exact`` samples are indices (tokens): whole numbers in ``low..high``, anything else is refused.
    ``sample`` int32[batch, *shape] are a few of the integers that calibration saw.
    """

    ARITY = 0
    shape: Shape
    scale: float
    low: int
    high: int
    exact: bool = False
    sample: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise NetworkError(f"input scale {self.scale} is not finite and positive")
        if not self.shape or min(self.shape) < 1:
            raise NetworkError(f"input of shape {self.shape} has no elements")
        check_bounds(self.low, self.high)
        if self.exact and self.scale != 1:
            raise NetworkError(f"an input of indices has scale {self.scale}, expected 1")
        if self.sample is not None:
            self._check_sample(self.sample)

    def _check_sample(self, sample: np.ndarray) -> None:
        if sample.dtype != np.int32 or sample.ndim == 0 or sample.shape[1:] != self.shape or not len(sample):
            raise NetworkError(f"input sample is {sample.dtype}{sample.shape}, expected int32[batch, *{self.shape}]")
        if sample.min() < self.low or sample.max() > self.high:
            raise NetworkError(f"input sample holds values outside {self.low}..{self.high}")

    def output_shape(self, *shapes: Shape) -> Shape:
        return self.shape

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return self.low, self.high

    def quantize(self, x: np.ndarray) -> np.ndarray:
        """int32 codes of real samples [batch, *shape]."""
        if not np.isfinite(x).all():
            raise NetworkError("input holds NaN or infinity")
        if self.exact and not ((x == np.rint(x)) & (x >= self.low) & (x <= self.high)).all():
            raise NetworkError(f"input holds something else than whole numbers in {self.low}..{self.high}")
        return np.clip(np.rint(np.asarray(x, np.float64) / self.scale), self.low, self.high).astype(np.int32)
