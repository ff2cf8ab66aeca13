"""L-Mul: minifloats multiplied by one integer addition (Luo and Sun, arXiv 2410.00907)."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from hwsim import floating, floating_sums, lmul
from hwsim.datapath import Array, Operand
from hwsim.floating import FloatDatapath
from hwsim.floating_sums import Operands
from hwsim.kernels import floating as floating_kernels
from hwsim.kernels import lmul as kernels
from hwsim.switching import lmul as switching

MOST = 250 << 23
"""Bits of a float32 that sums stay below."""
FAR = 70
"""Powers of two between products and numbers that stand for zero: no rounding notices these, nor a million of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LMul(FloatDatapath):
    """Codes are added as integers and an offset is subtracted; zero and subnormal operands count as 0.

    Attributes:
        correction: which offset the register holds: the ``"paper"``'s; the ``"best"``, of the least
            root-mean-square error; or ``"none"``, which is Mitchell's multiplication.
    """

    correction: Literal["paper", "best", "none"] = "paper"

    EVENTS = floating.events("lmul", ("code_sum_toggles", "result_toggles", "underflow_toggles"))

    def offset(self, division: int = 0) -> int:
        """What the offset register holds, where products are divided by ``2**division``."""
        assert self.kind.bias is not None
        m = self.kind.mantissa_bits
        return ((self.kind.bias + division) << m) - lmul.correction(m, self.correction)

    @property
    def layout(self) -> tuple[int, int, int]:
        """What the kernels know of the format."""
        return self.kind.exponent_bits, self.kind.mantissa_bits, self.kind.max_code

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w)

    def products(self, a: np.ndarray, b: np.ndarray, division: int = 0) -> np.ndarray:
        """Codes of the products of codes ``a`` and ``b``, which broadcast; operands that are no number count as 0."""
        pair = np.broadcast_arrays(a, b)
        x, y = (np.where((c & (self.kind.sign_bit - 1)) > self.kind.max_code, 0, c) for c in pair)
        flat = [np.ascontiguousarray(each, dtype=np.int64).ravel() for each in (x, y)]
        codes = kernels.products(*flat, self.layout, self.offset(division))
        return codes.astype(np.uint8 if self.kind.bits <= 8 else np.uint16).reshape(pair[0].shape)

    def prepared(self, x: np.ndarray, codes: np.ndarray, division: int) -> Operands:
        """See `FloatDatapath.prepared`, by the fastest product that is right for these codes."""
        kind = self.kind
        assert kind.bias is not None
        place = 23 - kind.mantissa_bits
        rebias = (127 - kind.bias) << 23
        subtracted = (self.offset(division) << place) - rebias
        limits = (128 - kind.bias) << 23, (kind.max_code << place) + rebias
        ends = [self._ends(each) for each in (x, codes)]
        lowest, highest = (sum(end) - subtracted for end in zip(*ends, strict=True))
        spread = max(high - low for low, high in ends)
        name, power = self._fastest(lowest, highest, spread, limits, x.shape[1])
        total = lowest + (power << 23)
        halves = total // 2 & ~3, total - (total // 2 & ~3)
        zeros = [0, 0]
        if name == "flushed":
            zeros = [kernels.NOT_NORMAL // 2] * 2
        elif name != "plain":  # too small with any other operand, and with another zero
            zeros = [min(limits[0] - 4 - half - spread, (limits[0] - 4) // 2) & ~3 for half in reversed(halves)]
        sign = 1 << 31 if name in ("plain", "flushed") else 1
        layouts = [
            (kind.sign_bit, 1 << kind.mantissa_bits, place, half - low, sign, zero)
            for (low, _), half, zero in zip(ends, halves, zeros, strict=True)
        ]
        dtype = np.int64 if name == "wide" else np.int32
        return Operands(
            matmuls=kernels.MATMULS[name], constants=tuple(np.int32(each) for each in limits),
            x=floating_sums.rows(kernels.operands, x, layouts[0], dtype),
            w=floating_sums.columns(kernels.operands, codes, layouts[1], dtype),
            largest=self._bound(highest), power=power,
            negligible=float(np.ldexp(1.0, (total >> 23) - 127 - power - FAR // 2)) if name == "plain" else 0.0,
        )  # fmt: skip

    def _ends(self, codes: np.ndarray) -> tuple[int, int]:
        """Smallest and largest normal code without sign, at the place of a float32's exponent and mantissa."""
        place = 23 - self.kind.mantissa_bits
        low, high = floating_kernels.ends(codes.ravel(), self.kind.sign_bit - 1, 1 << self.kind.mantissa_bits)
        return int(low) << place, int(high) << place

    def _bound(self, highest: int) -> int:
        """A power of two that no product exceeds, or the largest one; ``highest`` in bits of a float32."""
        exponent = (highest >> 23) - 126 - self.product_exponent
        return min(1 << max(exponent, 0), self.largest_product)

    def _fastest(self, lowest: int, highest: int, spread: int, limits: tuple[int, int], k: int) -> tuple[str, int]:
        """The product's name and power, for ``k`` products between ``lowest`` and ``highest`` (bits of a float32)."""
        smallest, largest = limits
        length = k.bit_length() << 23
        if highest <= largest and highest + length <= MOST:
            raised = max(0, (MOST - highest - length) >> 23)
            total = lowest + (raised << 23)
            far_from_zero = total // 2 + 4 + spread <= total - (FAR << 23)
            if lowest >= smallest and lowest > (self.kind.mantissa_bits + 2) << 23 and far_from_zero:
                return "plain", raised
            power = (kernels.NORMAL >> 23) - (max(lowest, smallest) >> 23)
            total = lowest + (power << 23)
            apart = (total + 1) // 2 + 4 + spread < kernels.ABOVE // 2  # of a zero and any other operand
            if total >= kernels.NOT_NORMAL and highest + (power << 23) < kernels.ABOVE and apart:
                return "flushed", power
        half = lowest // 2 + 4 + spread  # of an operand with a zero
        zero = min(smallest - 8 - half, (smallest - 8) // 2)
        if min(2 * zero, zero + lowest // 2, lowest) - 8 >= -(1 << 31) and highest < 1 << 31:
            return "narrow", 0
        return "wide", 0
