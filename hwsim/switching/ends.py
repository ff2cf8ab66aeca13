"""Toggles of what arrays of all datapaths have at both ends: operand registers and requantizers."""

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Operand
from hwsim.requantization import Quantizer
from hwsim.switching.bits import product_toggles, toggles
from hwsim.switching.steps import stationary, steps

MULTIPLIER_BITS = 31


def registers(datapath: ArrayDatapath, x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Of registers that hold a step for the rows and columns of the array; weight-stationary: for the rows alone."""
    passes = -(-w.n // array.cols)
    if array.weight_stationary:
        streamed, *_ = stationary(datapath, x, w.rows(0, 1), array)
        return {
            "activation_register_toggles": toggles(streamed, datapath.operand_bits[0]) * passes,
            "weight_register_toggles": 0,
        }
    index, _ = steps(w.k, w.group_size, datapath.lanes)
    activation_bits, weight_bits = datapath.operand_bits
    rows = np.moveaxis(np.pad(datapath.encode(x).astype(np.int64), ((0, 0), (0, 1)))[:, index], 0, 1)
    columns = np.moveaxis(datapath.operands(w, index).astype(np.int64), 0, 1)
    return {
        "activation_register_toggles": toggles(rows, activation_bits) * passes,
        "weight_register_toggles": toggles(columns, weight_bits) * -(-len(x) // array.rows),
    }


def results(datapath: ArrayDatapath, x: np.ndarray, w: Operand, quantizer: Quantizer) -> dict[str, int]:
    """Of requantizers, each of which takes the sums of one column row by row: biased, and multiplied."""
    sums = datapath.layer_sums(x, w, quantizer.sum_shift).astype(np.int64).T
    biased = (sums + quantizer.bias.astype(np.int64)[:, None]).ravel()
    multiplier = np.repeat(quantizer.multiplier.astype(np.int64), len(x))
    return {
        "magnitude_toggles": toggles(np.abs(biased), datapath.result_bits),
        "multiplier_toggles": toggles(multiplier, MULTIPLIER_BITS),
        "multiplied_toggles": product_toggles(biased, multiplier, datapath.result_bits, MULTIPLIER_BITS),
    }
