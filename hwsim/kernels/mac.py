"""Cycles and events of the plain MAC array.

``params`` is int64 ``[rows, cols, lanes, scale_stage, accumulator_rows]``, the last 0 if the array is
output-stationary; ``stats`` is read only if it is not.
"""

import numpy as np

from hwsim.kernels import tiles, weight_stationary
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, SCALE_STAGE, ACCUMULATOR_ROWS = range(5)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    if params[ACCUMULATOR_ROWS]:
        return weight_stationary.cycles(shape, stats, params)
    tile = np.empty(1, dtype=np.int64)
    tile[0] = tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    return tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], params[SCALE_STAGE])


@jit()
def events(shape, stats, params, counts):
    """Counts of Mac.EVENTS in ``counts`` int64[E]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = outputs * shape[tiles.K]
    compute = cycles(shape, stats, params)
    counts[3] = compute * params[ROWS] * params[COLS]
    counts[4] = compute
    counts[5] = outputs
    if params[ACCUMULATOR_ROWS]:
        weight_stationary.events(shape, stats, params, compute, counts)
        return
    counts[1] = outputs * tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * params[SCALE_STAGE]
