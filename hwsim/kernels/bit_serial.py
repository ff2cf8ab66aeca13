"""Cycles and events of the bit-serial array.

``params`` is int64 ``[rows, cols, lanes, scale_stage, accumulator_rows]``, the last 0 if the array is
output-stationary; ``activation`` is float64 ``[zero_fraction, toggle_rate]``; ``stats`` is, output-stationary,
int64 ``[non-zero terms, column cycles, compute cycles of column tile 0, 1, ...]`` where column cycles are compute
cycles summed over the columns in use. Weight-stationary ones are those of `hwsim.kernels.weight_stationary`, whose
first two are used alike.
"""

import numpy as np

from hwsim.kernels import tiles, weight_stationary
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, SCALE_STAGE, ACCUMULATOR_ROWS = range(5)
NONZERO_TERMS, COLUMN_CYCLES, TILE_CYCLES = range(3)


@jit()
def stats(counts, group_size, lanes, cols, fixed):
    """The statistics of uint8[N, K] term ``counts``; ``fixed`` > 0 is the cycles of every step."""
    n, k = counts.shape
    n_tiles = tiles.ceil_div(n, cols)
    out = np.zeros(TILE_CYCLES + n_tiles, dtype=np.int64)
    nonzero = np.int64(0)
    for row in range(n):
        total = np.int64(0)
        for i in range(k):
            total += counts[row, i]
        nonzero += total
    for tile in range(n_tiles):
        low, high = tile * cols, min((tile + 1) * cols, n)
        compute = np.int64(0)
        if fixed:
            compute = fixed * tiles.steps(k, group_size, lanes)
        else:
            for start in range(0, k, group_size):
                stop = min(start + group_size, k)
                for first in range(start, stop, lanes):
                    longest = np.uint8(1)
                    for row in range(low, high):
                        for i in range(first, min(first + lanes, stop)):
                            longest = max(longest, counts[row, i])
                    compute += longest
        out[TILE_CYCLES + tile] = compute
    out[NONZERO_TERMS] = nonzero
    for tile in range(n_tiles):
        out[COLUMN_CYCLES] += out[TILE_CYCLES + tile] * (min((tile + 1) * cols, n) - tile * cols)
    return out


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    if params[ACCUMULATOR_ROWS]:
        return weight_stationary.cycles(shape, stats, params)
    return tiles.matmul_cycles(shape, stats[TILE_CYCLES:], 1, params[ROWS], params[COLS], params[SCALE_STAGE])


@jit()
def events(shape, stats, params, activation, counts, features):
    """Counts of BitSerial.EVENTS in ``counts`` int64[E], their features in ``features`` float64[E, F]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = shape[tiles.M] * stats[NONZERO_TERMS]
    features[0, :2] = activation
    counts[1] = shape[tiles.M] * stats[COLUMN_CYCLES]
    compute = cycles(shape, stats, params)
    counts[4] = compute * params[ROWS] * params[COLS]
    counts[5] = compute
    counts[6] = outputs
    if params[ACCUMULATOR_ROWS]:
        counts[3] = outputs * shape[tiles.K]
        weight_stationary.events(shape, stats, params, compute, counts)
        return
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * params[SCALE_STAGE]
    counts[3] = tiles.ceil_div(shape[tiles.M], params[ROWS]) * shape[tiles.N] * shape[tiles.K]
