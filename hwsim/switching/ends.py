"""Toggles of what arrays of all datapaths have at both ends: operand registers and requantizers."""

import dataclasses

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Operand
from hwsim.kernels import weight_stationary
from hwsim.requantization import Quantizer
from hwsim.switching.bits import product_toggles, toggles
from hwsim.switching.steps import stationary, steps

MULTIPLIER_BITS = 31
MANY = 1024
"""Rows of activations beside which loading weights is short."""


def registers(datapath: ArrayDatapath, x: np.ndarray, w: Operand, array: Array, cycles: int) -> dict[str, int]:
    """Of registers that hold a step for the rows and columns of the array; weight-stationary: for the rows alone.

    ``cycles`` are `compute_cycles`.
    """
    passes = -(-w.n // array.cols)
    if array.weight_stationary:
        streamed, *_ = stationary(datapath, x, w.rows(0, 1), array)
        return {
            "activation_register_toggles": toggles(streamed, datapath.operand_bits[0]) * passes,
            "weight_register_toggles": 0,
            "hold_toggles": 0,
        }
    index, _ = steps(w.k, w.group_size, datapath.lanes)
    activation_bits, weight_bits = datapath.operand_bits
    rows = np.moveaxis(np.pad(datapath.encode(x).astype(np.int64), ((0, 0), (0, 1)))[:, index], 0, 1)
    columns = np.moveaxis(datapath.operands(w, index).astype(np.int64), 0, 1)
    tiles = -(-len(x) // array.rows)
    return {
        "activation_register_toggles": toggles(rows, activation_bits) * passes,
        "weight_register_toggles": toggles(columns, weight_bits) * tiles,
        "hold_toggles": _holds(datapath, array, len(index) * passes * tiles, cycles * tiles),
    }


def _holds(datapath: ArrayDatapath, array: Array, accepted: int, cycles: int) -> int:
    """Changes of what tells every bit of the registers to take the next step or to hold, of ``accepted`` steps.

    It falls where a step lasts longer than a cycle, and after the last one; in a queue one of the slots takes each.
    """
    bits = register_bits(datapath, array)
    pulses = accepted if datapath.operand_depth > 1 else min(accepted, cycles - accepted + 1)
    return 2 * pulses * bits // datapath.operand_depth


def register_bits(datapath: ArrayDatapath, array: Array) -> int:
    """Bits of the operand registers."""
    registers = next(part for part in datapath.components(array) if part.name == "operand_register")
    return int(registers.parameters["register_bits"])


def compute_cycles(datapath: ArrayDatapath, w: Operand, array: Array) -> int:
    """Cycles in which an output-stationary array computes a row of tiles, a weight-stationary one a row of all slices:
    what one more row adds where nothing else takes longer, neither draining nor loading."""
    stationary = array.weight_stationary
    line = dataclasses.replace(array, accumulator_rows=2 * MANY) if stationary else dataclasses.replace(array, rows=1)
    stats, params = datapath.stats(w, line).values, datapath.params(line)
    shapes = (np.array([m, w.n, w.k, w.group_size, 0], np.int64) for m in (MANY, MANY + 1))
    fewer, more = (datapath.cycles(shape, stats, params) for shape in shapes)
    return int(more - fewer)


def results(
    datapath: ArrayDatapath, x: np.ndarray, w: Operand, quantizer: Quantizer, array: Array, cycles: int
) -> dict[str, int]:
    """Of requantizers, each of which takes the sums of one column tile by tile: biased, and multiplied.

    Where the next tile is not ready when a tile's rows have left, zeros follow them, with the tile's constants; and
    after the last one. ``cycles`` are `compute_cycles`.
    """
    sums = datapath.layer_sums(x, w, quantizer.sum_shift).astype(np.int64).T
    rows, passes = array.tile_rows, -(-w.n // array.cols)
    if array.weight_stationary:
        slices = len(weight_stationary.slices(w.k, w.group_size, array.rows, datapath.lanes))
        rows, waits = (1, True) if cycles > slices * passes else (rows, slices > 1)
    else:
        waits = cycles > rows * passes
    taken = np.concatenate(
        [np.pad(sums[:, at : at + rows], ((0, 0), (0, int(waits)))) for at in range(0, len(x), rows)], axis=1
    )
    biased = (taken + quantizer.bias.astype(np.int64)[:, None]).ravel()
    multiplier = np.repeat(quantizer.multiplier.astype(np.int64), taken.shape[1])
    if not waits:
        biased, multiplier = np.append(biased, quantizer.bias[-1]), np.append(multiplier, quantizer.multiplier[-1])
    return {
        "magnitude_toggles": toggles(np.abs(biased), datapath.result_bits),
        "biased_toggles": toggles(biased, datapath.result_bits),
        "multiplier_toggles": toggles(multiplier, MULTIPLIER_BITS),
        "multiplied_toggles": product_toggles(biased, multiplier, datapath.result_bits, MULTIPLIER_BITS),
        "rescaled_toggles": toggles(biased * multiplier, 63),
    }
