"""Toggles of the plain MAC array."""

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.integer import IntegerDatapath
from hwsim.switching.accumulation import accumulated
from hwsim.switching.bits import product_toggles, row_toggles, toggles
from hwsim.switching.columns import column
from hwsim.switching.steps import Steps, stationary


def count(datapath: IntegerDatapath, x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Toggles by feature of `Mac.EVENTS`."""
    if array.weight_stationary:
        values, weights, where = stationary(datapath, x, w, array)
        sums = (values * weights).sum(axis=2)
        return _multiplied(datapath, values, weights) | column(datapath, weights, sums, where, len(x), w)
    at = Steps.of(datapath, x, w)
    weights = at.w[:, None]
    sums = (at.x * weights).sum(axis=2)
    last = np.ones(len(sums), bool)
    return _multiplied(datapath, at.x, weights) | accumulated(datapath, sums, last, at, w)


def _multiplied(datapath: IntegerDatapath, x: np.ndarray, w: np.ndarray) -> dict[str, int]:
    """Of the multipliers' operands int64[T, PEs, lanes], weights perhaps the same for all PEs.

    Magnitudes change less than numbers of changing signs, whose upper bits all change at once and cause fewer glitches.
    """
    products = x * w
    magnitudes = np.abs(x), np.broadcast_to(np.abs(w), x.shape)
    return {
        "weight_sign_toggles": toggles(w < 0, 1) * (x.shape[1] // w.shape[1]),
        "activation_sign_toggles": toggles(x < 0, 1),
        "product_sign_toggles": toggles(products < 0, 1),
        "magnitude_product_toggles": product_toggles(*magnitudes, *datapath.operand_bits),
        "result_toggles": toggles(products, sum(datapath.operand_bits)),
        "result_magnitude_toggles": toggles(np.abs(products), sum(datapath.operand_bits)),
        "sum_toggles": toggles(products.sum(axis=2), datapath.step_bits),
        "product_toggles": product_toggles(x, w, datapath.activation_bits, datapath.weight_bits),
        "row_toggles": row_toggles(np.broadcast_to(w, x.shape), x, *reversed(datapath.operand_bits)),
    }
