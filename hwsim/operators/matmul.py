"""Operators that run on the array: linear layers and convolutions."""

import dataclasses
import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hwsim.errors import NetworkError
from hwsim.operators.base import Operator, Shape
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Matmul(Operator):
    """An operator that runs on the array, and the quantizer of its sums."""

    JOIN_AXIS: ClassVar[int]
    """Where the sums of several matmuls [M, N] are joined: 0 for rows, 1 for output channels."""
    quantizer: Quantizer

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        return self.quantizer.low, self.quantizer.high

    @abstractmethod
    def operands(self, *inputs: np.ndarray) -> list[tuple[np.ndarray, QTensor]]:
        """Activations [M, K] and weights [N, K] of each matmul, for a batch of inputs."""

    @abstractmethod
    def fold(self, y: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        """Joined results as a batch of ``shape``."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StaticMatmul(Matmul):
    """A matmul with stored weights [N, K]."""

    JOIN_AXIS = 1
    weight: QTensor

    def __post_init__(self) -> None:
        if len(self.quantizer.bias) != self.weight.n:
            raise NetworkError(f"{len(self.quantizer.bias)} quantizer channels for {self.weight.n} output channels")
        if not self.weight.lowered:
            raise NetworkError("weights of a network must be lowered")

    @property
    def matmuls(self) -> int:
        """Independent matmuls: 1, or the groups of a grouped convolution."""
        return 1

    def split_weight(self) -> list[QTensor]:
        """The weights of each of the `matmuls`."""
        return [self.weight] if self.matmuls == 1 else self.weight.split(self.matmuls)

    def operands(self, *inputs: np.ndarray) -> list[tuple[np.ndarray, QTensor]]:
        return list(zip(self.unfold(inputs[0]), self.split_weight(), strict=True))

    @abstractmethod
    def unfold(self, x: np.ndarray) -> np.ndarray:
        """Activations [matmuls, M, K] of a batch of inputs."""

    def vectors(self, shape: Shape) -> int:
        """M per sample, for an output of ``shape``."""
        return math.prod(shape) // self.weight.n


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Linear(StaticMatmul):
    """``y[..., n] = requantize(sum_k x[..., k] w[n, k])`` over the last axis."""

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0] or shapes[0][-1] != self.weight.k:
            raise NetworkError(f"input of shape {shapes[0]} for weights with K={self.weight.k}")
        return (*shapes[0][:-1], self.weight.n)

    def unfold(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(1, -1, self.weight.k)

    def fold(self, y: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        return y.reshape(batch, *shape)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Conv(StaticMatmul):
    """Convolution over one or two spatial axes; K is (c_in / groups, *kernel), M (batch, *out).

    Padding contributes ``pad_value``: 0, or +-1 where activations are +-1.
    """

    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int = 1
    pad_value: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        rank = len(self.weight.shape) - 2
        if rank not in (1, 2):
            raise NetworkError(f"convolution weights of shape {self.weight.shape}, expected 3 or 4 axes")
        for name in ("stride", "padding", "dilation"):
            if len(getattr(self, name)) != rank or min(getattr(self, name)) < (name != "padding"):
                raise NetworkError(f"convolution {name} {getattr(self, name)} does not fit {rank} spatial axes")
        if self.groups < 1 or self.weight.n % self.groups:
            raise NetworkError(f"{self.weight.n} output channels do not divide into {self.groups} groups")

    @property
    def matmuls(self) -> int:
        return self.groups

    @property
    def kernel(self) -> Shape:
        """Kernel size per spatial axis."""
        return self.weight.shape[2:]

    def output_shape(self, *shapes: Shape) -> Shape:
        channels = self.weight.shape[1] * self.groups
        return (
            self.weight.n,
            *conv_shape(shapes[0], channels, self.kernel, self.stride, self.padding, self.dilation),
        )

    def unfold(self, x: np.ndarray) -> np.ndarray:
        columns = conv_columns(x, self.kernel, self.stride, self.padding, self.dilation, self.pad_value)
        return columns.reshape(-1, self.groups, self.weight.k).transpose(1, 0, 2)

    def fold(self, y: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        return np.moveaxis(y.reshape(batch, *shape[1:], shape[0]), -1, 1)


def conv_shape(
    shape: Shape, channels: int, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape
) -> tuple[int, ...]:
    """Spatial sizes of a convolution's output; NetworkError unless it takes an input of ``shape``."""
    if len(shape) != len(kernel) + 1 or shape[0] != channels:
        raise NetworkError(f"input of shape {shape} for a convolution of {channels} channels")
    spatial = []
    for size, taps, step, pad, spread in zip(shape[1:], kernel, stride, padding, dilation, strict=True):
        span = size + 2 * pad - spread * (taps - 1) - 1
        if span < 0:
            raise NetworkError(f"kernel {kernel} is larger than the padded input {shape}")
        spatial.append(span // step + 1)
    return tuple(spatial)


def conv_columns(
    x: np.ndarray, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, pad_value: int
) -> np.ndarray:
    """[batch, *out, channels * taps]: what each output of a convolution over ``x`` reads, (c_in, *kernel) in order."""
    rank = len(kernel)
    pad = [(0, 0), (0, 0), *((p, p) for p in padding)]
    padded = np.pad(x, pad, constant_values=pad_value)
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    windows = sliding_window_view(padded, span, axis=tuple(range(2, 2 + rank)))
    strides = tuple(slice(None, None, s) for s in stride)
    taps = tuple(slice(None, None, d) for d in dilation)
    windows = windows[(slice(None), slice(None), *strides, *taps)]
    order = (0, *range(2, 2 + rank), 1, *range(2 + rank, 2 + 2 * rank))
    columns = np.ascontiguousarray(windows.transpose(order))
    return columns.reshape(*columns.shape[: 1 + rank], -1)
