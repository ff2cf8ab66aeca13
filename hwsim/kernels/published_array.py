"""Cycles and events of an array whose steps all last alike.

``params`` is int64 ``[rows, cols, lanes, fill_drain]``; ``stats`` is int64 ``[cycles of a step]``.
"""

import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, FILL_DRAIN = range(4)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64: of its tiles, with or without what the array needs around them."""
    tile = np.empty(1, dtype=np.int64)
    tile[0] = stats[0] * tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    if params[FILL_DRAIN]:
        return tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], 0)
    count = tiles.ceil_div(shape[tiles.M], params[ROWS]) * tiles.ceil_div(shape[tiles.N], params[COLS])
    return np.int64(count * tile[0])


@jit()
def events(shape, stats, params, counts):
    """Counts of PublishedArray.EVENTS in ``counts`` int64[E]."""
    counts[0] = cycles(shape, stats, params) * params[ROWS] * params[COLS]
