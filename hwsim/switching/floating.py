"""What changes where floating-point PEs add products up."""

import numpy as np

from hwsim.datapath import Operand
from hwsim.floating import FloatDatapath
from hwsim.switching.accumulation import accumulated
from hwsim.switching.bits import before, toggles
from hwsim.switching.steps import Steps

MANTISSA = 23
EXPONENT_BITS = 8
"""Of a float32."""
SIGN = 31
"""Its place."""


def multiplied(datapath: FloatDatapath, at: Steps, w: Operand) -> tuple[np.ndarray, np.ndarray]:
    """Weights and products int64[T, M, lanes], codes both."""
    weights = np.broadcast_to(at.w[:, None], at.x.shape)
    return weights, datapath.products(at.x, weights, datapath.division(w)).astype(np.int64)


def added(datapath: FloatDatapath, products: np.ndarray, at: Steps, w: Operand) -> dict[str, int]:
    """Toggles of what adds products' codes int64[T, M, lanes]."""
    if datapath.accumulation == "float32":
        return _float32_sums(datapath.kind.values.astype(np.float32)[products], at)
    magnitudes = np.ldexp(np.abs(datapath.kind.values), -datapath.product_exponent)
    whole = np.where(np.isfinite(magnitudes), magnitudes, 0).astype(np.int64)[products]
    values = np.where(products >= datapath.kind.sign_bit, -whole, whole)
    a, b = (codes & (datapath.kind.sign_bit - 1) for codes in (at.x, at.w))
    changing = (a != before(a)) & (b != before(b))[:, None]
    return {
        "zero_toggles": toggles(whole == 0, 1),
        "whole_toggles": toggles(whole, datapath.product_bits - 1),
        "signed_toggles": toggles(values, datapath.product_bits),
        "both_change": int(changing.sum()),
        **accumulated(datapath, values.sum(axis=2), np.ones(len(values), bool), at, w),
    }


def _float32_sums(values: np.ndarray, at: Steps) -> dict[str, int]:
    """Of the tree of a step's values float32[T, M, lanes], neighbours first, and of the accumulator after it."""
    found = dict.fromkeys(("exponent_toggles", "order_toggles", "subtractions"), 0)
    while values.shape[2] > 1:
        pairs = values.shape[2] // 2
        left, right = values[:, :, 0 : 2 * pairs : 2], values[:, :, 1 : 2 * pairs : 2]
        _count_adder(found, left, right)
        values = np.concatenate([left + right, values[:, :, 2 * pairs :]], axis=2)
    steps = values[:, :, 0].reshape(int(at.tile[-1]) + 1, -1, values.shape[1])
    sums = np.add.accumulate(steps, axis=1)
    earlier = np.concatenate([np.zeros_like(sums[:, :1]), sums[:, :-1]], axis=1)
    _count_adder(found, earlier.reshape(-1, values.shape[1]), steps.reshape(-1, values.shape[1]))
    return found


def _count_adder(found: dict[str, int], a: np.ndarray, b: np.ndarray) -> None:
    """Adds the toggles of adders of float32[T, ...]: of the exponents that they take and of which of the numbers is
    larger; and how often one subtracts other numbers than the cycle before."""
    x, y = (np.ascontiguousarray(each).view(np.uint32) for each in (a, b))
    magnitude = np.uint32((1 << SIGN) - 1)
    new = (x != before(x)) | (y != before(y))
    found["exponent_toggles"] += sum(toggles(each >> MANTISSA, EXPONENT_BITS) for each in (x, y))
    found["order_toggles"] += toggles((x & magnitude) < (y & magnitude), 1)
    found["subtractions"] += int((new & ((x ^ y) >> SIGN == 1)).sum())
