"""L-Mul: minifloats multiplied by one integer addition (Luo and Sun, arXiv 2410.00907)."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from hwsim import floating, lmul
from hwsim.floating import FloatDatapath
from hwsim.kernels import lmul as kernels

ZERO = -(1 << 34)
"""The wide operand of zero and subnormal numbers: its sum with any other is below every product."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LMul(FloatDatapath):
    """Codes are added as integers and an offset is subtracted; zero and subnormal operands count as 0.

    Attributes:
        correction: which offset the register holds: the ``"paper"``'s; the ``"best"``, of the least
            root-mean-square error; or ``"none"``, which is Mitchell's multiplication.
    """

    correction: Literal["paper", "best", "none"] = "paper"

    EVENTS = floating.events("lmul")

    def offset(self, division: int = 0) -> int:
        """What the offset register holds, where products are divided by ``2**division``."""
        assert self.kind.bias is not None
        m = self.kind.mantissa_bits
        return ((self.kind.bias + division) << m) - lmul.correction(m, self.correction)

    @property
    def layout(self) -> tuple[int, int, int]:
        """What the kernels know of the format."""
        return self.kind.exponent_bits, self.kind.mantissa_bits, self.kind.max_code

    def products(self, a: np.ndarray, b: np.ndarray, division: int = 0) -> np.ndarray:
        """Codes of the products of codes ``a`` and ``b``, which broadcast; operands that are no number count as 0."""
        pair = np.broadcast_arrays(a, b)
        x, y = (np.where((c & (self.kind.sign_bit - 1)) > self.kind.max_code, 0, c) for c in pair)
        flat = [np.ascontiguousarray(each, dtype=np.int64).ravel() for each in (x, y)]
        codes = kernels.products(*flat, self.layout, self.offset(division))
        return codes.astype(np.uint8 if self.kind.bits <= 8 else np.uint16).reshape(pair[0].shape)

    def operands(
        self, x: np.ndarray, codes: np.ndarray, division: int
    ) -> tuple[Callable[..., None], tuple, np.ndarray, np.ndarray, tuple[Any, Any]]:
        """See `FloatDatapath.operands`: 32 bits wide if the sums of these codes fit, else 64."""
        assert self.kind.bias is not None
        m = self.kind.mantissa_bits
        place = 23 - m
        subtracted = (self.offset(division) << place) - ((127 - self.kind.bias) << 23)
        parts = subtracted // 2, subtracted - subtracted // 2
        smallest = (128 - self.kind.bias) << 23
        largest = (self.kind.max_code << place) + ((127 - self.kind.bias) << 23)
        magnitudes = [
            (_where_normal(each, self.kind.sign_bit, m) << place) - part
            for each, part in zip((x, codes), parts, strict=True)
        ]
        ends = [(int(each.min(initial=0)), int(each.max(initial=0))) for each in magnitudes]
        # An operand of zero: too small with any other one, and with another zero.
        zeros = [min(smallest - 4 - most, (smallest - 4) // 2) for _, most in reversed(ends)]
        lowest = sum(min(low, zero) for (low, _), zero in zip(ends, zeros, strict=True))
        fits = lowest >= -(1 << 31) and ends[0][1] + ends[1][1] < 1 << 31
        multiply = kernels.matmul if fits else kernels.matmul_wide
        if not fits:
            zeros = [ZERO, ZERO]
        dtype = np.int32 if fits else np.int64
        signed = [
            np.where(
                (each & (self.kind.sign_bit - 1)) >> m > 0,
                magnitude | ((each & self.kind.sign_bit) > 0),
                zero & ~3,
            ).astype(dtype)
            for each, magnitude, zero in zip((x, codes), magnitudes, zeros, strict=True)
        ]
        constants = (np.int32(smallest), np.int32(largest))
        return multiply, constants, signed[0], signed[1], (dtype(zeros[0] & ~3), dtype(zeros[1] & ~3))


def _where_normal(codes: np.ndarray, sign_bit: int, mantissa_bits: int) -> np.ndarray:
    """int64 codes without sign; those below the normal numbers as the smallest of these."""
    return np.maximum(codes.astype(np.int64) & (sign_bit - 1), 1 << mantissa_bits)
