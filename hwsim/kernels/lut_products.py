"""Cycles and events of the array that looks products up.

``params`` is int64 ``[rows, cols, lanes, scale_stage, readers, entries of a table]``; ``stats`` is not read.
"""

import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, SCALE_STAGE, READERS, ENTRIES = range(6)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    tile = np.empty(1, dtype=np.int64)
    tile[0] = tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    return tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], params[SCALE_STAGE])


@jit()
def events(shape, stats, params, counts):
    """Counts of LutProducts.EVENTS in ``counts`` int64[E]."""
    m, k = shape[tiles.M], shape[tiles.K]
    outputs = m * shape[tiles.N]
    groups = tiles.ceil_div(k, shape[tiles.GROUP_SIZE])
    sets = tiles.ceil_div(shape[tiles.N], params[READERS])
    counts[0] = outputs * k
    counts[1] = outputs * tiles.steps(k, shape[tiles.GROUP_SIZE], params[LANES])
    counts[2] = outputs * groups * params[SCALE_STAGE]
    counts[4] = m * sets * k
    counts[5] = tiles.ceil_div(m, params[ROWS]) * sets * groups * params[ENTRIES]
    compute = cycles(shape, stats, params)
    counts[3] = compute * params[ROWS] * params[COLS]
    counts[6] = compute * (params[COLS] // params[READERS])
    counts[7] = compute
    counts[8] = outputs
