"""Layers split over their inputs: every group of inputs gives one bit per output, a majority merges them.

An array that senses one bit per column has no partial sums to add: a layer with more inputs than an array has
rows is split, each group has its own threshold, and the output is the majority of the groups' bits (Kim, Kim, Kim:
"Neural Network-Hardware Co-design for Scalable RRAM-based BNN Accelerators", arXiv 1811.02187).
"""

import dataclasses
import math
from abc import abstractmethod

import numpy as np

from hwsim.errors import NetworkError
from hwsim.operators.base import Shape
from hwsim.operators.matmul import StaticMatmul, conv_columns, conv_shape


def majority(bits: np.ndarray, axis: int) -> np.ndarray:
    """+1 where at least half of the ±1 ``bits`` along ``axis`` are +1, else -1; a tie is +1. int32."""
    return np.where(bits.sum(axis=axis, dtype=np.int64) >= 0, 1, -1).astype(np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Split(StaticMatmul):
    """Base of split layers.

    Weights are [splits * N, K / splits]: the rows of the first group of inputs come first. The quantizer has a
    threshold for each of them.
    """

    splits: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.splits < 1 or self.weight.n % self.splits:
            raise NetworkError(f"{self.weight.n} rows of weights do not divide into {self.splits} splits")
        quantizer = self.quantizer
        if not quantizer.threshold or (quantizer.low, quantizer.high) != (-1, 1):
            raise NetworkError("the bits of a split layer are thresholds of results -1 and 1")

    @property
    def matmuls(self) -> int:
        return self.splits

    @property
    def outputs(self) -> int:
        """Output channels after merging."""
        return self.weight.n // self.splits

    @property
    def inputs(self) -> int:
        """Inputs of one output, all groups together."""
        return self.weight.k * self.splits

    @property
    def window(self) -> int:
        """Input vectors whose bits are pooled into one."""
        return 1

    def vectors(self, shape: Shape) -> int:
        return math.prod(shape) // self.outputs * self.window

    def merge(self, y: np.ndarray) -> np.ndarray:
        """±1 [outputs, N] of bits [vectors, splits * N]: pooled over windows, then the majority of the groups.

        Pooling stands before the threshold: the largest sum passes a threshold if any does, and falls short of an
        inverted one only if all do.
        """
        windows = y.reshape(-1, self.window, self.weight.n)
        pooled = np.where(self.quantizer.invert, windows.min(axis=1), windows.max(axis=1))
        return majority(pooled.reshape(-1, self.splits, self.outputs), axis=1)

    @abstractmethod
    def arrange(self, merged: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        """Merged results [outputs, N] as a batch of ``shape``."""

    def fold(self, y: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        return self.arrange(self.merge(y), batch, shape)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SplitLinear(Split):
    """A linear layer over the last axis; group i takes inputs ``i*K/splits`` and up."""

    def output_shape(self, *shapes: Shape) -> Shape:
        if not shapes[0] or shapes[0][-1] != self.inputs:
            raise NetworkError(f"input of shape {shapes[0]} for split weights with K={self.inputs}")
        return (*shapes[0][:-1], self.outputs)

    def unfold(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x.reshape(-1, self.splits, self.weight.k).transpose(1, 0, 2))

    def arrange(self, merged: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        return merged.reshape(batch, *shape)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SplitConv(Split):
    """A convolution whose K = (c_in, *kernel) is cut into equal groups, also within a channel, and max-pooled.

    ``pool`` is the window of a max-pooling of the sums, its stride too: each group's bits are pooled before they
    are merged. Padding contributes ``pad_value``, +1 or -1.
    """

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    pool: Shape
    pad_value: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        rank = len(self.kernel)
        sizes = {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1, "pool": 1}
        for name, least in sizes.items():
            value = getattr(self, name)
            if rank not in (1, 2) or len(value) != rank or min(value) < least:
                raise NetworkError(f"split convolution {name} {value} does not fit {rank} spatial axes")
        if self.inputs % math.prod(self.kernel):
            raise NetworkError(f"{self.inputs} inputs are no whole number of channels of kernel {self.kernel}")
        if self.pad_value not in (-1, 1):
            raise NetworkError(f"a split convolution pads ±1 activations with {self.pad_value}, expected -1 or 1")

    @property
    def window(self) -> int:
        return math.prod(self.pool)

    def output_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        channels = self.inputs // math.prod(self.kernel)
        spatial = conv_shape(shape, channels, self.kernel, self.stride, self.padding, self.dilation)
        if any(size % pool for size, pool in zip(spatial, self.pool, strict=True)):
            raise NetworkError(f"pooling windows {self.pool} do not divide the convolution's output {spatial}")
        return (self.outputs, *(size // pool for size, pool in zip(spatial, self.pool, strict=True)))

    def unfold(self, x: np.ndarray) -> np.ndarray:
        """See `StaticMatmul.unfold`; the vectors of a pooling window follow one another."""
        columns = conv_columns(x, self.kernel, self.stride, self.padding, self.dilation, self.pad_value)
        batch, spatial = columns.shape[0], columns.shape[1:-1]
        blocks = [part for size, pool in zip(spatial, self.pool, strict=True) for part in (size // pool, pool)]
        rank = len(spatial)
        outer, inner = range(1, 1 + 2 * rank, 2), range(2, 2 + 2 * rank, 2)
        ordered = columns.reshape(batch, *blocks, -1).transpose(0, *outer, *inner, 1 + 2 * rank)
        return np.ascontiguousarray(ordered.reshape(-1, self.splits, self.weight.k).transpose(1, 0, 2))

    def arrange(self, merged: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        return np.moveaxis(merged.reshape(batch, *shape[1:], shape[0]), -1, 1)
