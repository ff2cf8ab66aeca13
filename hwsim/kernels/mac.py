"""Cycles and events of the plain MAC array.

``params`` is int64 ``[rows, cols, lanes, scale_stage]``; ``stats`` is not read;
``activation`` is float64 ``[zero_fraction, toggle_rate]``.
"""

import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, SCALE_STAGE = range(4)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    tile = np.empty(1, dtype=np.int64)
    tile[0] = tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    return tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], params[SCALE_STAGE])


@jit()
def events(shape, stats, params, activation, counts, features):
    """Counts of Mac.EVENTS in ``counts`` int64[E], their features in ``features`` float64[E, F]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = outputs * shape[tiles.K]
    features[0, :2] = activation
    counts[1] = outputs * tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * params[SCALE_STAGE]
    compute = cycles(shape, stats, params)
    counts[3] = compute * params[ROWS] * params[COLS]
    counts[4] = compute
    counts[5] = outputs
