"""Cycles and events of the weight-stationary array (docs/hardware.md, Weight-stationary).

``stats`` is int64 ``[non-zero terms, PE cycles, cycles of the last pass's steps, array rows of the
first slice, slices]`` and, for each kind of pass, ``[cycles of its steps, array rows of the next
slice, how many there are]``, counted over the column tiles. PE cycles are the cycles of one step of
every pass, summed over the PEs in use. All column tiles have the same slices, so the order of tiles
does not matter.
"""

import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

COLS, LANES, SCALE_STAGE, ACCUMULATOR_ROWS = range(1, 5)
"""Of ``params`` as all integer datapaths have them; 0 accumulator rows: output-stationary."""

NONZERO_TERMS, PE_CYCLES, LAST_CYCLES, FIRST_ROWS, SLICES, PASSES = range(6)

COLUMN_STAGES = 2
"""Registers between a step and the requantizer: the PE's sum, the column's sum."""

EVENTS = 6
"""The events of weight registers, columns and their accumulator buffers, last of a datapath's."""


@jit()
def slices(k, group_size, rows, lanes):
    """int64[S, 3]: first k, end k and array rows of each slice, ascending."""
    per_group = tiles.ceil_div(group_size, rows * lanes)
    out = np.empty((tiles.ceil_div(k, group_size) * per_group, 3), dtype=np.int64)
    count = 0
    for start in range(0, k, group_size):
        stop = min(start + group_size, k)
        for low in range(start, stop, rows * lanes):
            high = min(low + rows * lanes, stop)
            out[count, 0], out[count, 1] = low, high
            out[count, 2] = tiles.ceil_div(high - low, lanes)
            count += 1
    return out[:count]


@jit()
def most_terms(counts, parts, cols):
    """uint8[column tiles, S]: the largest of uint8[N, K] ``counts`` in each slice of ``parts``, at least 1."""
    n = counts.shape[0]
    out = np.ones((tiles.ceil_div(n, cols), len(parts)), dtype=np.uint8)
    for row in range(n):
        tile = row // cols
        for s in range(len(parts)):
            longest = out[tile, s]
            for i in range(parts[s, 0], parts[s, 1]):
                longest = max(longest, counts[row, i])
            out[tile, s] = longest
    return out


@jit()
def stats(lasts, parts, n, cols, nonzero_terms):
    """The statistics of weights [n, K] cut into ``parts``, whose steps last uint8[column tiles, S] ``lasts`` cycles."""
    n_tiles, count = lasts.shape
    histogram = np.zeros((lasts.max() + 1, parts[:, 2].max() + 1), dtype=np.int64)
    pe_cycles = np.int64(0)
    for tile in range(n_tiles):
        used = min((tile + 1) * cols, n) - tile * cols
        for s in range(count):
            histogram[lasts[tile, s], parts[(s + 1) % count, 2]] += 1
            pe_cycles += lasts[tile, s] * used * parts[s, 2]
    kinds = np.argwhere(histogram)
    out = np.empty(PASSES + 3 * len(kinds), dtype=np.int64)
    out[NONZERO_TERMS], out[PE_CYCLES] = nonzero_terms, pe_cycles
    out[LAST_CYCLES], out[FIRST_ROWS], out[SLICES] = lasts[-1, -1], parts[0, 2], count
    for i in range(len(kinds)):
        t, rows = kinds[i]
        out[PASSES + 3 * i], out[PASSES + 3 * i + 1], out[PASSES + 3 * i + 2] = t, rows, histogram[t, rows]
    return out


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64: loading hides behind computing, or computing behind loading."""
    depth = params[ACCUMULATOR_ROWS]
    full = (shape[tiles.M] - 1) // depth
    last = shape[tiles.M] - full * depth
    total = np.int64(0)
    for i in range(PASSES, len(stats), 3):
        step, rows = stats[i], stats[i + 1]
        total += stats[i + 2] * (full * max(depth * step, rows) + max(last * step, rows))
    final = last * stats[LAST_CYCLES]
    total += final - max(final, stats[FIRST_ROWS])  # no slice is loaded behind the last pass
    return np.int64(1 + stats[FIRST_ROWS] + total + COLUMN_STAGES + tiles.REQUANTIZER_STAGES)


@jit()
def events(shape, stats, params, cycles, counts):
    """The last of ``counts``: weight loads, column adds, scales and clock, buffer reads and writes."""
    partial_sums = shape[tiles.M] * shape[tiles.N] * stats[SLICES]
    kept = partial_sums - shape[tiles.M] * shape[tiles.N]
    m_tiles = tiles.ceil_div(shape[tiles.M], params[ACCUMULATOR_ROWS])
    loads = tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])  # array rows, over all slices
    first = len(counts) - EVENTS
    counts[first] = m_tiles * shape[tiles.N] * loads
    counts[first + 1] = partial_sums
    counts[first + 2] = partial_sums * params[SCALE_STAGE]
    counts[first + 3] = cycles * params[COLS]
    counts[first + 4] = kept
    counts[first + 5] = kept
