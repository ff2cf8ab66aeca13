"""Toggles of the L-Mul array."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Operand
from hwsim.switching.bits import toggles
from hwsim.switching.floating import added, multiplied
from hwsim.switching.steps import Steps

if TYPE_CHECKING:
    from hwsim.datapaths.lmul import LMul

OFFSET_BITS = 18


def count(datapath: "LMul", x: np.ndarray, w: Operand) -> dict[str, int]:
    """Toggles by feature of `LMul.EVENTS`."""
    at = Steps.of(datapath, x, w)
    weights, products = multiplied(datapath, at, w)
    magnitude = datapath.kind.sign_bit - 1
    sums = (at.x & magnitude) + (weights & magnitude)
    results = sums - datapath.offset(datapath.division(w))
    return {
        "code_sum_toggles": toggles(sums, datapath.kind.bits),
        "result_toggles": toggles(results, OFFSET_BITS),
        "underflow_toggles": toggles(results < 1 << datapath.kind.mantissa_bits, 1),
        **added(datapath, products, at, w),
    }
