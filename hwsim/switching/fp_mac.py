"""Toggles of the floating-point multiply-accumulate array."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Operand
from hwsim.minifloat import Minifloat
from hwsim.switching.bits import before, toggles
from hwsim.switching.floating import added, multiplied
from hwsim.switching.steps import Steps

if TYPE_CHECKING:
    from hwsim.datapaths.fp_mac import FpMac


def count(datapath: "FpMac", x: np.ndarray, w: Operand) -> dict[str, int]:
    """Toggles by feature of `FpMac.EVENTS`."""
    at = Steps.of(datapath, x, w)
    weights, products = multiplied(datapath, at, w)
    kind = datapath.kind
    (a, a_exponent), (b, b_exponent) = (_significand(kind, codes) for codes in (at.x, weights))
    bits = kind.mantissa_bits + 1
    product = a * b
    return {
        "significand_pairs": int(((a != before(a)) & (b != before(b))).sum()),
        "significand_product_toggles": toggles(product, 2 * bits),
        "nonzero_toggles": toggles(product != 0, 1),
        "exponent_sum_toggles": toggles(a_exponent + b_exponent, kind.exponent_bits + 1),
        **added(datapath, products, at, w),
    }


def _significand(kind: Minifloat, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole significands of codes, and exponent fields: 1 for subnormal numbers."""
    magnitude = codes & (kind.sign_bit - 1)
    exponent = magnitude >> kind.mantissa_bits
    mantissa = magnitude & ((1 << kind.mantissa_bits) - 1)
    return mantissa + np.where(exponent > 0, 1 << kind.mantissa_bits, 0), np.maximum(exponent, 1)
