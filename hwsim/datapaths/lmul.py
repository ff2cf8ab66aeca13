"""L-Mul: minifloats multiplied by one integer addition (Luo and Sun, arXiv 2410.00907)."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from hwsim import floating, lmul, workspace
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

    def prepared(self, x: np.ndarray, codes: np.ndarray, division: int, exact: bool) -> Operands:
        """See `FloatDatapath.prepared`, by the fastest product that is right for these codes."""
        kind = self.kind
        assert kind.bias is not None
        place = 23 - kind.mantissa_bits
        rebias = (127 - kind.bias) << 23
        subtracted = (self.offset(division) << place) - rebias
        smallest = (128 - kind.bias) << 23
        largest = (kind.max_code << place) + rebias
        ends = [self._ends(each) for each in (x, codes)]
        lowest, highest = (sum(end) - subtracted for end in zip(*ends, strict=True))
        spread = max(high - low for low, high in ends)
        raised = max(0, (MOST - highest - (x.shape[1].bit_length() << 23)) >> 23)
        name = self._fastest(lowest, highest, spread, raised, (smallest, largest), x.shape[1])
        power = raised if name == "plain" else 0
        total = lowest + (power << 23)
        halves = total // 2 & ~3, total - (total // 2 & ~3)
        zeros = [0, 0]
        if name in ("narrow", "wide"):  # too small with any other operand, and with another zero
            zeros = [min(smallest - 4 - half - spread, (smallest - 4) // 2) & ~3 for half in reversed(halves)]
        operands: list[np.ndarray] = []
        for used, (low, _), half, zero in zip((x, codes), ends, halves, zeros, strict=True):
            table = used.size >= 1 << kind.bits  # of all codes, or only of those that are there
            each = np.arange(1 << kind.bits) if table else used.astype(np.int64)
            magnitude, negative = each & (kind.sign_bit - 1), each >= kind.sign_bit
            made = (magnitude << place) - low + half
            made += negative.astype(np.int64) << (31 if name in ("plain", "flushed") else 0)
            made = np.where(magnitude >> kind.mantissa_bits > 0, made, zero)
            made = made.astype(np.int64 if name == "wide" else np.int32)
            operands.append(self._looked_up(made, used, len(operands)) if table else made)
        dtype = operands[0].dtype.type
        return Operands(
            matmul=kernels.MATMULS[name, exact], constants=(np.int32(smallest), np.int32(largest)), x=operands[0],
            w=operands[1], nothing=(dtype(zeros[0]), dtype(zeros[1])), power=power,
            negligible=float(np.ldexp(1.0, (total >> 23) - 127 - power - FAR // 2)) if name == "plain" else 0.0,
        )  # fmt: skip

    @staticmethod
    def _looked_up(table: np.ndarray, codes: np.ndarray, side: int) -> np.ndarray:
        """``table[codes]``; the next call for this side overwrites it."""
        out = workspace.array(f"operands {side}", codes.shape, table.dtype)
        return np.take(table, codes, out=out, mode="clip")

    def _ends(self, codes: np.ndarray) -> tuple[int, int]:
        """Smallest and largest normal code without sign, at the place of a float32's exponent and mantissa."""
        place = 23 - self.kind.mantissa_bits
        low, high = floating_kernels.ends(codes.ravel(), self.kind.sign_bit - 1, 1 << self.kind.mantissa_bits)
        return int(low) << place, int(high) << place

    def _fastest(self, lowest: int, highest: int, spread: int, raised: int, limits: tuple[int, int], k: int) -> str:
        """The product's name, for sums of ``k`` products between ``lowest`` and ``highest`` (bits of a float32)."""
        smallest, largest = limits
        half = lowest // 2 + 4 + spread  # of an operand with a zero
        total = lowest + (raised << 23)
        far_from_zero = total // 2 + 4 + spread <= total - (FAR << 23) and lowest > (self.kind.mantissa_bits + 2) << 23
        if lowest >= smallest and highest <= largest and highest + (k.bit_length() << 23) <= MOST and far_from_zero:
            return "plain"
        if lowest >= 0 and highest <= largest and half < smallest:
            return "flushed"
        zero = min(smallest - 8 - half, (smallest - 8) // 2)
        if min(2 * zero, zero + lowest // 2, lowest) - 8 >= -(1 << 31) and highest < 1 << 31:
            return "narrow"
        return "wide"
