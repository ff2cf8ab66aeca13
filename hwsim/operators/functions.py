"""Real functions on the vector unit: integers in, integers out, a stated float64 formula between.

``x`` stands for ``scale`` times an input. Additions, products, quotients and square roots are those of
IEEE float64; ``exp`` and ``erf`` are the C library's, so results next to a rounding tie may differ between libraries.
"""

import dataclasses
import math

import numpy as np

from hwsim.errors import NetworkError
from hwsim.operators.base import HostOperator, Shape, check_bounds


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RealFunction(HostOperator):
    """Base of functions that return ``clip(RNE(f(scale * x) / output_scale), low, high)``."""

    scale: float
    output_scale: float
    low: int
    high: int

    def __post_init__(self) -> None:
        for name in ("scale", "output_scale"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise NetworkError(f"{type(self).__name__}: {name} {value} is not finite and positive")
        check_bounds(self.low, self.high)

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0]:
            raise NetworkError(f"{type(self).__name__} of a shape without axes")
        return shapes[0]

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return self.low, self.high

    def quantized(self, y: np.ndarray) -> np.ndarray:
        """int32 ``clip(RNE(y / output_scale), low, high)``."""
        return np.clip(np.rint(y / self.output_scale), self.low, self.high).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Gelu(RealFunction):
    """``x / 2 * (1 + erf(x / sqrt(2)))``, or with tanh ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3)))``.

    Source: Hendrycks and Gimpel, arXiv 1606.08415.
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.approximate not in ("none", "tanh"):
            raise NetworkError(f"Gelu: approximate {self.approximate!r} is not 'none' or 'tanh'")

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        values, place = np.unique(inputs[0], return_inverse=True)
        x = self.scale * values.astype(np.float64)
        if self.approximate == "tanh":
            inner = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x)))
        else:
            inner = np.array([math.erf(each) for each in x / math.sqrt(2)])
        return self.quantized(x / 2 * (1 + inner))[place].reshape(inputs[0].shape)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm(RealFunction):
    """``gain * (d x - S) / sqrt(d Q - S*S + d*d * epsilon / scale**2) + bias`` over the last axis of d integers x.

    S is their sum, Q the sum of their squares; ``d x - S`` and ``d Q - S*S`` are exact whole numbers.
    This is (x - mean) / sqrt(variance + epsilon) of Ba et al., arXiv 1607.06450, in one rounding per operation.
    """

    PASSES = 2
    gain: np.ndarray
    bias: np.ndarray
    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gain", "bias"):
            array = getattr(self, name)
            if array.dtype != np.float64 or array.ndim != 1 or not np.isfinite(array).all():
                raise NetworkError(f"LayerNorm: {name} is {array.dtype}{array.shape}, expected finite float64 [d]")
        if self.gain.shape != self.bias.shape or not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise NetworkError("LayerNorm: gain and bias differ in shape, or epsilon is not finite and positive")

    @property
    def constant_bits(self) -> int:
        return 64 * self.gain.size

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0] or shapes[0][-1] != self.gain.size:
            raise NetworkError(f"LayerNorm over {self.gain.size} elements of shape {shapes[0]}")
        return shapes[0]

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        largest = max(-ranges[0][0], ranges[0][1]) * self.gain.size
        if 2 * largest * largest >= 1 << 63:
            raise NetworkError(f"a squared sum of LayerNorm can reach {2 * largest * largest}, beyond 64 bits")
        return super().output_range(*ranges)

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        x, d = inputs[0].astype(np.int64), self.gain.size
        total = x.sum(axis=-1, keepdims=True)
        variance = d * (x * x).sum(axis=-1, keepdims=True) - total * total
        root = np.sqrt(variance + d * d * self.epsilon / self.scale**2)
        return self.quantized(self.gain * ((d * x - total) / root) + self.bias)
