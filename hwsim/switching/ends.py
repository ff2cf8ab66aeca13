"""Toggles of what arrays of all datapaths have at both ends: operand registers and requantizers."""

import dataclasses

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Operand
from hwsim.kernels import weight_stationary
from hwsim.requantization import Quantizer
from hwsim.switching.bits import ones, row_toggles, toggles
from hwsim.switching.steps import stationary, steps

BIAS_BITS = 32
MULTIPLIER_BITS = 31
RESCALED_BITS = 63
MANY = 1024
"""Rows of activations after which an array computes steadily."""


def count(datapath: ArrayDatapath, x: np.ndarray, w: Operand, quantizer: Quantizer, array: Array) -> dict[str, int]:
    """Toggles by feature of operand registers and requantizers."""
    if array.weight_stationary:
        pauses = _stationary_pauses(datapath, w, array)
        return _streamed(datapath, x, w, array) | _results(datapath, x, w, quantizer, pauses)
    cycles, passes = _compute_cycles(datapath, w, array), -(-w.n // array.cols)
    pauses = [(array.tile_rows, cycles > array.tile_rows * passes)] * w.n
    return _registers(datapath, x, w, array, cycles) | _results(datapath, x, w, quantizer, pauses)


def _streamed(datapath: ArrayDatapath, x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Of registers that hold a step for the rows of a weight-stationary array."""
    streamed, *_ = stationary(datapath, x, w.rows(0, 1), array)
    return {
        "activation_register_toggles": toggles(streamed, datapath.operand_bits[0]) * -(-w.n // array.cols),
        "weight_register_toggles": 0,
        "hold_set_bits": 0,
        "hold_unset_bits": 0,
    }


def _registers(datapath: ArrayDatapath, x: np.ndarray, w: Operand, array: Array, cycles: int) -> dict[str, int]:
    """Of registers that hold a step for the rows and columns of the array.

    ``cycles`` are `_compute_cycles`. What makes bits hold is told apart by what the bits are on average.
    """
    passes = -(-w.n // array.cols)
    index, _ = steps(w.k, w.group_size, datapath.lanes)
    activation_bits, weight_bits = datapath.operand_bits
    rows = np.moveaxis(np.pad(datapath.encode(x).astype(np.int64), ((0, 0), (0, 1)))[:, index], 0, 1)
    columns = np.moveaxis(datapath.operands(w, index).astype(np.int64), 0, 1)
    tiles = -(-len(x) // array.rows)
    accepted = len(index) * passes * tiles
    held = _holds(datapath, array, accepted, cycles * tiles)
    there = ones(rows, activation_bits).sum() * passes + ones(columns, weight_bits).sum() * tiles
    set_bits = held * int(there) // (rows.size * activation_bits * passes + columns.size * weight_bits * tiles)
    return {
        "activation_register_toggles": toggles(rows, activation_bits) * passes,
        "weight_register_toggles": toggles(columns, weight_bits) * tiles,
        "hold_set_bits": set_bits,
        "hold_unset_bits": held - set_bits,
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


def _compute_cycles(datapath: ArrayDatapath, w: Operand, array: Array) -> int:
    """Cycles in which an output-stationary array computes a row of tiles: what one more row adds where draining does
    not take longer."""
    line = dataclasses.replace(array, rows=1)
    stats, params = datapath.stats(w, line).values, datapath.params(line)
    shapes = (np.array([m, w.n, w.k, w.group_size, 0], np.int64) for m in (MANY, MANY + 1))
    fewer, more = (datapath.cycles(shape, stats, params) for shape in shapes)
    return int(more - fewer)


def _results(
    datapath: ArrayDatapath, x: np.ndarray, w: Operand, quantizer: Quantizer, pauses: list[tuple[int, bool]]
) -> dict[str, int]:
    """Of requantizers, each of which takes the sums of one column tile by tile: biased, and multiplied.

    Where the next tile is not ready when a tile's rows have left, zeros follow them, with the tile's constants; and
    after the last one. ``pauses``: for each column of ``w`` how many results come in a row, and whether a pause is
    after them.
    """
    sums = datapath.layer_sums(x, w, quantizer.sum_shift).astype(np.int64).T
    bias, multiplier = (each.astype(np.int64) for each in (quantizer.bias, quantizer.multiplier))
    taken = []
    for n, (rows, waits) in enumerate(pauses):
        tiles = [np.pad(sums[n, at : at + rows], (0, int(waits))) for at in range(0, len(x), rows)]
        taken.append(np.concatenate(tiles))
    if not waits:
        taken[-1] = np.append(taken[-1], 0)
    constants = np.repeat(np.stack([bias, multiplier]), [len(each) for each in taken], axis=1)
    biased = np.concatenate(taken) + constants[0]
    rescaled = biased * constants[1]
    return {
        "biased_toggles": toggles(biased, datapath.result_bits),
        "bias_toggles": toggles(constants[0], BIAS_BITS),
        "multiplier_toggles": toggles(constants[1], MULTIPLIER_BITS),
        "multiplier_row_toggles": row_toggles(biased, constants[1], datapath.result_bits, MULTIPLIER_BITS),
        "rescaled_toggles": toggles(rescaled, RESCALED_BITS),
        "rescaled_magnitude_toggles": toggles(np.abs(rescaled), RESCALED_BITS),
    }


def _stationary_pauses(datapath: ArrayDatapath, w: Operand, array: Array) -> list[tuple[int, bool]]:
    """``pauses`` of weight-stationary columns, which deliver with the steps of their last slice."""
    found: list[tuple[int, bool]] = []
    for n in range(0, w.n, array.cols):
        tile = w.rows(n, min(n + array.cols, w.n))
        stats = datapath.stats(tile, array).values
        slow, several = stats[weight_stationary.LAST_CYCLES] > 1, stats[weight_stationary.SLICES] > 1
        found += [(1, True) if slow else (array.tile_rows, bool(several))] * tile.n
    return found
