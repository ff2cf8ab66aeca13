"""Operators with stored integers that are no weights: tables and constants."""

import dataclasses

import numpy as np

from hwsim.errors import NetworkError
from hwsim.operators.base import HostOperator, Shape, check_bounds
from hwsim.qtensor import signed_bits


def _bits(values: np.ndarray) -> int:
    """Bits per element as stored: whole bytes."""
    return -(-signed_bits(int(values.min()), int(values.max())) // 8) * 8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Embedding(HostOperator):
    """``y[..., :] = table[x[...]]``, table int32[entries, d]. Costs an element operation per element read."""

    table: np.ndarray

    def __post_init__(self) -> None:
        if self.table.dtype != np.int32 or self.table.ndim != 2 or self.table.size == 0:
            raise NetworkError(f"embedding table is {self.table.dtype}{self.table.shape}, expected int32 [entries, d]")

    def output_shape(self, *shapes: Shape) -> Shape:
        return (*shapes[0], self.table.shape[1])

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        low, high = ranges[0]
        if low < 0 or high >= len(self.table):
            raise NetworkError(f"indices {low}..{high} into an embedding table of {len(self.table)} entries")
        return int(self.table.min()), int(self.table.max())

    def read_bits(self, tokens: int) -> int:
        """Bits of the table that ``tokens`` indices read."""
        return tokens * self.table.shape[1] * _bits(self.table)

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return self.table[inputs[0]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Constant(HostOperator):
    """Base of operators that bring the input to the scale of a stored int32 tensor ``value``."""

    value: np.ndarray
    multiplier: int
    shift: int
    low: int
    high: int

    def __post_init__(self) -> None:
        name = type(self).__name__
        if self.value.dtype != np.int32 or self.value.size == 0:
            raise NetworkError(f"{name}: the constant is {self.value.dtype}{self.value.shape}, expected int32")
        if not (1 <= self.multiplier < 1 << 31 and 1 <= self.shift <= 62):
            raise NetworkError(f"{name}: multiplier or shift is not valid")
        check_bounds(self.low, self.high)

    @property
    def constant_bits(self) -> int:
        return self.value.size * _bits(self.value)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        largest = max(-ranges[0][0], ranges[0][1]) * self.multiplier + (1 << (self.shift - 1)) + (1 << 31)
        if largest >= 1 << 63:
            raise NetworkError(f"a scaled sum can reach {largest}, beyond 64 bits")
        return self.low, self.high

    def rescale(self, x: np.ndarray) -> np.ndarray:
        """``x`` as int64 at the scale of ``value``."""
        return (x.astype(np.int64) * self.multiplier + (1 << (self.shift - 1))) >> self.shift


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class AddConstant(Constant):
    """``clamp(((x * multiplier + 2**(shift-1)) >> shift) + value, low, high)``, value of the input's shape."""

    def output_shape(self, *shapes: Shape) -> Shape:
        if shapes[0] != self.value.shape:
            raise NetworkError(f"shape {shapes[0]} plus a constant of shape {self.value.shape}")
        return shapes[0]

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        return np.clip(self.rescale(inputs[0]) + self.value, self.low, self.high).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class JoinConstant(Constant):
    """The input at the scale of ``value``, clamped, with ``value`` before it (or behind it) along the first axis."""

    before: bool = True

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if not shape or shape[1:] != self.value.shape[1:] or len(shape) != self.value.ndim:
            raise NetworkError(f"shape {shape} joined with a constant of shape {self.value.shape}")
        return (shape[0] + len(self.value), *shape[1:])

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        x = np.clip(self.rescale(inputs[0]), self.low, self.high).astype(np.int32)
        constant = np.broadcast_to(np.clip(self.value, self.low, self.high), (len(x), *self.value.shape))
        return np.concatenate([constant, x] if self.before else [x, constant], axis=1)
