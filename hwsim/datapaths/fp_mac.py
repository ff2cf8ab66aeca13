"""Floating-point multiply-accumulate: products correctly rounded to the operands' format. L-Mul's baseline."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from hwsim import floating, floating_sums
from hwsim.datapath import Array, Operand
from hwsim.floating import FloatDatapath
from hwsim.floating_sums import Operands
from hwsim.kernels import fp_mac as kernels
from hwsim.switching import fp_mac as switching


@dataclasses.dataclass(frozen=True, kw_only=True)
class FpMac(FloatDatapath):
    """Products are rounded to nearest even, subnormal ones too, and saturate; no product is -0."""

    EVENTS = floating.events(
        "fp_mac",
        ("exponent_sum_toggles", "significand_pairs", "significand_product_toggles", "nonzero_toggles"),
    )

    def _constants(self, division: int) -> tuple[np.float64, ...]:
        assert self.kind.bias is not None
        numbers = (self.kind.mantissa_bits, 1 - self.kind.bias, self.kind.max, 2.0**-division)
        return tuple(np.float64(each) for each in numbers)

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w)

    def products(self, a: np.ndarray, b: np.ndarray, division: int = 0) -> np.ndarray:
        """Codes of the products of codes ``a`` and ``b``, which broadcast; operands that are no number count as 0."""
        x, y = (np.nan_to_num(self.kind.decode(c), posinf=0, neginf=0) for c in np.broadcast_arrays(a, b))
        flat = [np.ascontiguousarray(each, dtype=np.float32).ravel() for each in (x, y)]
        values = kernels.products(*flat, self._constants(division))
        return self.kind.encode(values, signed_zero=False).reshape(x.shape)

    def prepared(self, x: np.ndarray, codes: np.ndarray, division: int) -> Operands:
        """See `FloatDatapath.prepared`: the values."""
        values = self.kind.values.astype(np.float32)
        return Operands(
            matmuls=kernels.MATMULS, constants=self._constants(division), largest=self.largest_product,
            x=floating_sums.rows(kernels.operands, x, values, np.float32),
            w=floating_sums.columns(kernels.operands, codes, values, np.float32),
        )  # fmt: skip
