"""Attention: a matmul whose second operand is an activation too, and softmax."""

import dataclasses
import math

import numpy as np

from hwsim.errors import NetworkError
from hwsim.formats.integer import codebook
from hwsim.operators.base import Shape
from hwsim.operators.functions import RealFunction
from hwsim.operators.matmul import Matmul
from hwsim.qtensor import QTensor, signed_bits

OPERAND_BITS = 8


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DynamicMatmul(Matmul):
    """``y[..., m, n] = requantize(sum_k x[..., m, k] w[..., k, n])``, both operands activations.

    The second operand takes the place of weights: int8, one scale per tensor, made at run time. With
    ``transposed`` it is given as [..., n, k], which is how the array reads it. Leading axes are independent matmuls.
    """

    JOIN_AXIS = 0
    ARITY = 2
    transposed: bool = False

    def sizes(self, first: Shape, second: Shape) -> tuple[int, int, int, int]:
        """Matmuls, M, N and K for inputs of these shapes; NetworkError if they do not fit."""
        if min(len(first), len(second)) < 2 or first[:-2] != second[:-2]:
            raise NetworkError(f"matmul of shapes {first} and {second}")
        k, n = second[-2:] if not self.transposed else second[:-3:-1]
        if first[-1] != k or len(self.quantizer.bias) != n:
            raise NetworkError(f"matmul of shapes {first} and {second} with {len(self.quantizer.bias)} output channels")
        return math.prod(first[:-2]), first[-2], n, k

    def output_shape(self, *shapes: Shape) -> Shape:
        _, m, n, _ = self.sizes(*shapes)
        return (*shapes[0][:-2], m, n)

    def output_range(self, *ranges: tuple[int, int]) -> tuple[int, int]:
        bits = signed_bits(*ranges[1])
        if bits > OPERAND_BITS:
            raise NetworkError(f"the second operand of a matmul needs {bits} bits, {OPERAND_BITS} are supported")
        return super().output_range(*ranges)

    def worst_case(self, ranges: list[tuple[int, int]], k: int) -> int:
        """Largest |sum| over ``k`` products of inputs in ``ranges``."""
        first, second = (max(-low, high) for low, high in ranges)
        return k * first * second

    def operands(self, *inputs: np.ndarray) -> list[tuple[np.ndarray, QTensor]]:
        x, w = inputs
        rows = x.reshape(-1, *x.shape[-2:])
        columns = (w if self.transposed else w.swapaxes(-1, -2)).reshape(len(rows), -1, x.shape[-1])
        return [(a, operand(b)) for a, b in zip(rows, columns, strict=True)]

    def fold(self, y: np.ndarray, batch: int, shape: Shape) -> np.ndarray:
        return y.reshape(batch, *shape)


def operand(values: np.ndarray, bits: int = OPERAND_BITS) -> QTensor:
    """Activations int[N, K] within ``bits``, up to 8, as the second operand of a matmul, in units of their scale."""
    n, k = values.shape
    codes = values.astype(np.int8).view(np.uint8) & ((1 << bits) - 1)
    return QTensor(
        format=f"int{bits}", shape=(n, k), codes=codes.astype(np.uint8), codebook=codebook(bits),
        group_size=k, scale=np.ones((n, 1), np.int32), scale_kind="none", channel_scale=np.ones(n, np.float32),
    )  # fmt: skip


SOFTMAX_BITS = 30


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(RealFunction):
    """``e = RNE(2**30 * exp(scale * (x - max)))``; ``y = clip(RNE((e / sum e) / output_scale), low, high)``.

    Over the last axis. The sum is one of whole numbers, so its order is free. With ``mask``, bool of the input's
    last axes, elements where it is False take no part: neither in the maximum nor in the sum, and become 0.
    """

    PASSES = 3
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mask is None:
            return
        if self.mask.dtype != np.bool_ or self.mask.ndim == 0:
            raise NetworkError(f"Softmax: mask is {self.mask.dtype}{self.mask.shape}, expected bool")
        if not self.mask.any(axis=-1).all():
            raise NetworkError("Softmax: a row of the mask leaves nothing")

    @property
    def constant_bits(self) -> int:
        return 0 if self.mask is None else self.mask.size

    def output_shape(self, *shapes: Shape) -> Shape:
        if self.mask is not None and shapes[0][-self.mask.ndim :] != self.mask.shape:
            raise NetworkError(f"Softmax: a mask of shape {self.mask.shape} for an input of shape {shapes[0]}")
        return super().output_shape(*shapes)

    def apply(self, *inputs: np.ndarray) -> np.ndarray:
        x = inputs[0].astype(np.int64)
        seen = np.ones_like(x, dtype=bool) if self.mask is None else np.broadcast_to(self.mask, x.shape)
        largest = x.max(axis=-1, keepdims=True, where=seen, initial=np.iinfo(np.int32).min)
        distance = np.where(seen, x - largest, 0).astype(np.float64)
        powers = np.rint(np.ldexp(np.exp(self.scale * distance), SOFTMAX_BITS)) * seen
        return self.quantized(powers / powers.sum(axis=-1, keepdims=True))
