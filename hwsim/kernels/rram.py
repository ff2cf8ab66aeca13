"""Cycles and events of crossbars that sense one bit per column.

``params`` is int64 ``[period, stages, crossbar_cols]``: cycles of one input vector in the crossbars, register stages
from its sense bits to its results, columns of a crossbar. ``stats`` is int64 ``[groups, window]``: groups of inputs
whose bits are merged, input vectors whose bits are pooled.
"""

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

PERIOD, STAGES, CROSSBAR_COLS = range(3)
GROUPS, WINDOW = range(2)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one layer, int64: vectors follow one another, all crossbars work side by side."""
    return shape[tiles.M] * params[PERIOD] + params[STAGES] + 2


@jit()
def events(shape, stats, params, counts):
    """Counts of Rram.EVENTS in ``counts`` int64[E]."""
    columns = shape[tiles.M] * shape[tiles.N]
    counts[0] = columns * shape[tiles.K]
    counts[1] = columns * stats[GROUPS]
    counts[2] = shape[tiles.M] * shape[tiles.K] * tiles.ceil_div(shape[tiles.N], params[CROSSBAR_COLS])
    counts[3] = columns * stats[GROUPS]
    counts[4] = columns // stats[WINDOW] * stats[GROUPS]
