"""Cycles and events of the bit-serial array.

``params`` is int64 ``[rows, cols, lanes, scale_stage, scale_latency]``; ``activation`` is float64
``[zero_fraction, toggle_rate]``. ``stats`` is int64 ``[non-zero terms, column cycles, first wait, compute
cycles of column tile 0, 1, ...]``: column cycles are those in which a column takes terms, summed
over the columns; first wait is how long the first group waits for a serial scale, if it is not the first.
"""

import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, SCALE_STAGE, SCALE_LATENCY = range(5)
NONZERO_TERMS, COLUMN_CYCLES, FIRST_WAIT, TILE_CYCLES = range(4)


@jit()
def stats(counts, group_size, lanes, cols, fixed, depth, scale_latency):
    """The statistics of uint8[N, K] term ``counts``; ``fixed`` > 0 is the cycles of every step."""
    n, k = counts.shape
    n_tiles = tiles.ceil_div(n, cols)
    out = np.zeros(TILE_CYCLES + n_tiles, dtype=np.int64)
    out[NONZERO_TERMS] = total(counts)
    finished, slowest = np.empty(cols, dtype=np.int64), np.empty(depth, dtype=np.int64)
    for tile in range(n_tiles):
        low, high = tile * cols, min((tile + 1) * cols, n)
        for start in range(0, k, group_size):
            stop = min(start + group_size, k)
            if fixed:
                cycles = fixed * tiles.ceil_div(stop - start, lanes)
            elif depth == 1:
                cycles = lock_step_cycles(counts, low, high, start, stop, lanes)
            else:
                cycles, busy = run_ahead_cycles(counts, low, high, start, stop, lanes, finished, slowest)
                out[COLUMN_CYCLES] += busy
            if depth == 1:
                out[COLUMN_CYCLES] += cycles * (high - low)
            if tile == 0 and start == 0:
                out[FIRST_WAIT] = max(scale_latency - cycles, 0)
            out[TILE_CYCLES + tile] += max(cycles, scale_latency)
    return out


@jit()
def total(counts):
    """Sum of uint8[N, K], int64."""
    n, k = counts.shape
    result = np.int64(0)
    for row in range(n):
        part = np.int64(0)
        for i in range(k):
            part += counts[row, i]
        result += part
    return result


@jit()
def lock_step_cycles(counts, low, high, start, stop, lanes):
    """Cycles of rows ``low:high`` and k ``start:stop``: each step lasts as long as its longest weight."""
    cycles = np.int64(0)
    for first in range(start, stop, lanes):
        longest = np.uint8(1)
        for row in range(low, high):
            for i in range(first, min(first + lanes, stop)):
                longest = max(longest, counts[row, i])
        cycles += longest
    return cycles


@jit()
def run_ahead_cycles(counts, low, high, start, stop, lanes, finished, slowest):
    """The same where a column starts a step when it has finished its last one, and all the one ``depth`` before.

    ``finished`` int64[cols] and ``slowest`` int64[depth] are scratch. Returns the cycles until all
    columns have finished, and the cycles in which they take terms, summed.
    """
    depth = len(slowest)
    finished[:] = 0
    slowest[:] = 0
    busy = np.int64(0)
    for step, first in enumerate(range(start, stop, lanes)):
        released = slowest[step % depth]
        last = np.int64(0)
        for row in range(low, high):
            longest = np.uint8(1)
            for i in range(first, min(first + lanes, stop)):
                longest = max(longest, counts[row, i])
            finished[row - low] = max(finished[row - low], released) + longest
            last = max(last, finished[row - low])
            busy += longest
        slowest[step % depth] = last
    return last, busy


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    total = tiles.matmul_cycles(shape, stats[TILE_CYCLES:], 1, params[ROWS], params[COLS], params[SCALE_LATENCY])
    return total - stats[FIRST_WAIT]


@jit()
def events(shape, stats, params, activation, counts, features):
    """Counts of BitSerial.EVENTS in ``counts`` int64[E], their features in ``features`` float64[E, F]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = shape[tiles.M] * stats[NONZERO_TERMS]
    features[0, :2] = activation
    counts[1] = shape[tiles.M] * stats[COLUMN_CYCLES]
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * params[SCALE_STAGE]
    counts[3] = tiles.ceil_div(shape[tiles.M], params[ROWS]) * shape[tiles.N] * shape[tiles.K]
    compute = cycles(shape, stats, params)
    counts[4] = compute * params[ROWS] * params[COLS]
    counts[5] = compute
    counts[6] = outputs
