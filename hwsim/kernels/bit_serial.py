"""Cycles and events of the bit-serial array.

``params`` is int64 ``[rows, cols, lanes, scale_stage, accumulator_rows, scale_latency]``; 0 accumulator rows: the
array is output-stationary. ``stats`` is,
output-stationary, int64 ``[non-zero terms, column cycles, first wait, compute cycles of column tile 0, 1, ...]``:
column cycles are those in which a column takes terms, summed over the columns; first wait is how long the first
group waits for a serial scale, if it is not the first. Weight-stationary ones are those of
`hwsim.kernels.weight_stationary`, whose first two are used alike.
"""

import numba
import numpy as np

from hwsim.kernels import terms, tiles, weight_stationary
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, SCALE_STAGE, ACCUMULATOR_ROWS, SCALE_LATENCY = range(6)
NONZERO_TERMS, COLUMN_CYCLES, FIRST_WAIT, TILE_CYCLES = range(4)


@jit(parallel=True)
def stats(codes, tables, select, group_size, lanes, cols, fixed, depth, scale_latency):
    """The statistics of uint8 or uint16 [N, K] ``codes``; nothing of their size is made.

    ``tables`` uint8[C, E] are the terms of each code, ``select`` [1|N, 1|G] the table of each group;
    ``fixed`` > 0 is the cycles of every step.
    """
    n = codes.shape[0]
    n_tiles = tiles.ceil_div(n, cols)
    words, bits = terms.packed(tables)
    parts = np.empty((3, n_tiles), dtype=np.int64)
    out = np.zeros(TILE_CYCLES + n_tiles, dtype=np.int64)
    for tile in numba.prange(n_tiles):
        low, high = tile * cols, min((tile + 1) * cols, n)
        found = tile_stats(
            codes, low, high, tables, words, bits, select, group_size, lanes, fixed, depth, scale_latency
        )
        parts[0, tile], parts[1, tile], parts[2, tile], out[TILE_CYCLES + tile] = found
    out[NONZERO_TERMS] = parts[0].sum()
    out[COLUMN_CYCLES] = parts[1].sum()
    out[FIRST_WAIT] = max(scale_latency - parts[2, 0], 0)
    return out


@jit()
def tile_stats(codes, low, high, tables, words, bits, select, group_size, lanes, fixed, depth, scale_latency):
    """Non-zero terms, column cycles, cycles of the first group and of all groups of rows ``low:high``."""
    k = codes.shape[1]
    size = min(group_size, k)
    groups, steps = tiles.ceil_div(k, size), tiles.ceil_div(size, lanes)
    columns = high - low if depth > 1 else 1  # that may be at different steps
    row_words = np.zeros(tiles.ceil_div(groups * steps * lanes, 8), dtype=np.uint64)
    row_counts = row_words.view(np.uint8)
    counts = np.zeros((columns, row_counts.size), dtype=np.uint8)
    next_row, nonzero = min(select.shape[0] - 1, 1), np.int64(0)
    for row in range(low, high):
        terms.count(codes[row], tables, words, bits, select[row * next_row], size, steps * lanes, row_counts)
        nonzero += terms.total(row_words)
        if not fixed:
            raise_to(counts[(row - low) % columns], row_counts)
    durations = np.full((groups * steps, columns), fixed, dtype=np.uint8)
    if not fixed:
        longest_of_steps(counts, lanes, durations)
    finished, slowest = np.empty(columns, dtype=np.int32), np.empty(depth, dtype=np.int32)
    column_cycles, first, tile_cycles = np.int64(0), np.int64(0), np.int64(0)
    for group in range(groups):
        taken_steps = tiles.ceil_div(min(size, k - group * size), lanes)
        chosen = durations[group * steps : group * steps + taken_steps]
        busy = total(chosen)
        cycles = run_ahead(chosen, finished, slowest) if columns > 1 else busy
        column_cycles += busy * (high - low) // columns
        first = cycles if group == 0 else first
        tile_cycles += max(cycles, scale_latency)
    return nonzero, column_cycles, first, tile_cycles


@jit()
def raise_to(values, others):
    """``values[i] = max(values[i], others[i])``, arrays that do not overlap: many at once."""
    for i in range(others.size):
        values[i] = max(values[i], others[i])


@jit()
def longest_of_steps(counts, lanes, durations):
    """uint8[steps, columns] ``durations``: the most of each step's ``counts`` uint8[columns, ...], at least 1.

    ``counts`` are overwritten by the maxima of 1, 2, 4, ... neighbours, at every place at once, until they are
    those of ``lanes``.
    """
    spare = np.empty(counts.shape[1], dtype=np.uint8)
    for column in range(len(counts)):
        here, there = counts[column], spare
        reach = 1
        while reach < lanes:
            further = min(reach, lanes - reach)
            larger(here[:-further], here[further:], there)
            here, there = there, here
            reach += further
        for step in range(len(durations)):
            durations[step, column] = max(here[step * lanes], np.uint8(1))


@jit()
def larger(values, others, out):
    """``out[i] = max(values[i], others[i])``; ``out`` overlaps neither."""
    for i in range(values.size):
        out[i] = max(values[i], others[i])


@jit()
def total(counts):
    """Sum of uint8 ``counts`` of two dimensions, int64."""
    result = np.int64(0)
    for row in counts:
        for i in range(row.size):
            result += row[i]
    return result


@jit()
def run_ahead(durations, finished, slowest):
    """Cycles until all columns have taken all steps, each for ``durations`` uint8[steps, columns].

    A column starts a step when it has finished its last one, and all columns the one ``len(slowest)``
    before. ``finished`` int32[columns] and ``slowest`` int32[depth] are scratch.
    """
    finished[:] = 0
    slowest[:] = 0
    last = np.int32(0)
    for step in range(len(durations)):
        released = slowest[step % len(slowest)]
        last = np.int32(0)
        for column in range(len(finished)):
            finished[column] = max(finished[column], released) + durations[step, column]
            last = max(last, finished[column])
        slowest[step % len(slowest)] = last
    return np.int64(last)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    if params[ACCUMULATOR_ROWS]:
        return weight_stationary.cycles(shape, stats, params)
    total = tiles.matmul_cycles(shape, stats[TILE_CYCLES:], 1, params[ROWS], params[COLS], params[SCALE_LATENCY])
    return total - stats[FIRST_WAIT]


@jit()
def events(shape, stats, params, counts):
    """Counts of BitSerial.EVENTS in ``counts`` int64[E]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = shape[tiles.M] * stats[NONZERO_TERMS]
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
