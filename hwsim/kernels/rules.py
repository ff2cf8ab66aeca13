"""Cycles and events that every cost-only rule shares, and the loops that schedule its passes.

A *pass* is one step of `hwsim.kernels.tiles` (``lanes`` consecutive k of one group) on one tile of
rows x columns. ``stats`` is int64 ``[rows per tile, row tiles counted, cycles of these with all column
tiles, passes of one row tile with all column tiles]``; ``params`` is int64 ``[rows, cols]``.
"""

import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

TILE_ROWS, COUNTED_TILES, COUNTED_CYCLES, PASSES = range(4)
ROWS, COLS = range(2)


@jit()
def cycles(shape, stats, params):
    """Cycles of one matmul, int64: its passes one after the other, without fill and drain.

    Row tiles beyond those counted take as long as these on average, rounded up.
    """
    row_tiles = tiles.ceil_div(shape[tiles.M], stats[TILE_ROWS])
    return np.int64(tiles.ceil_div(stats[COUNTED_CYCLES] * row_tiles, stats[COUNTED_TILES]))


@jit()
def events(shape, stats, params, counts):
    """Counts of `hwsim.scheduling.pe_events`: PE cycles, scheduler cycles, activation register loads."""
    compute = cycles(shape, stats, params)
    counts[0] = compute * params[ROWS] * params[COLS]
    if len(counts) > 1:
        counts[1] = compute * params[COLS]
    if len(counts) > 2:
        counts[2] = tiles.ceil_div(shape[tiles.M], stats[TILE_ROWS]) * stats[PASSES] * params[ROWS]


@jit()
def pass_starts(k, group_size, lanes):
    """int64[passes + 1]: first k of each pass along K, and ``k``."""
    out = np.empty(tiles.steps(k, group_size, lanes) + 1, dtype=np.int64)
    i = 0
    for group in range(0, k, group_size):
        for first in range(group, min(group + group_size, k), lanes):
            out[i] = first
            i += 1
    out[i] = k
    return out


@jit()
def largest_count(counts, starts):
    """int64[U, passes]: the largest of each pass's int64[U, K] ``counts``."""
    n, passes = len(counts), len(starts) - 1
    out = np.zeros((n, passes), dtype=np.int64)
    for u in range(n):
        for p in range(passes):
            for k in range(starts[p], starts[p + 1]):
                out[u, p] = max(out[u, p], counts[u, k])
    return out


@jit()
def any_bit(masks, starts):
    """int64[U, passes]: the OR of each pass's int64[U, K] ``masks``."""
    n, passes = len(masks), len(starts) - 1
    out = np.zeros((n, passes), dtype=np.int64)
    for u in range(n):
        for p in range(passes):
            for k in range(starts[p], starts[p + 1]):
                out[u, p] |= masks[u, k]
    return out


@jit()
def windowed_shifts(masks, starts, window):
    """int64[U, passes]: cycles until no lane of a pass has a bit left (Bit-Pragmatic).

    Each cycle, every lane with a bit among the ``window`` positions from the lowest bit left in
    any lane retires its lowest one. At least one cycle.
    """
    n, passes = len(masks), len(starts) - 1
    out = np.empty((n, passes), dtype=np.int64)
    left = np.empty(max(1, (starts[1:] - starts[:-1]).max()), dtype=np.int64)
    for u in range(n):
        for p in range(passes):
            lanes = starts[p + 1] - starts[p]
            remaining = np.int64(0)
            for lane in range(lanes):
                left[lane] = masks[u, starts[p] + lane]
                remaining |= left[lane]
            taken = 0
            while remaining:
                low = remaining & -remaining
                reach = (low << window) - low  # the positions in the window
                remaining = np.int64(0)
                for lane in range(lanes):
                    lowest = left[lane] & -left[lane]
                    if lowest & reach:
                        left[lane] ^= lowest
                    remaining |= left[lane]
                taken += 1
            out[u, p] = max(1, taken)
    return out


@jit()
def fullest_plane(masks, starts, bits):
    """int64[U, passes]: the most ones of any of ``bits`` planes of a pass (Bitlet); may be 0."""
    n, passes = len(masks), len(starts) - 1
    out = np.zeros((n, passes), dtype=np.int64)
    for u in range(n):
        for p in range(passes):
            for bit in range(bits):
                ones = np.int64(0)
                for k in range(starts[p], starts[p + 1]):
                    ones += masks[u, k] >> bit & 1
                out[u, p] = max(out[u, p], ones)
    return out


@jit()
def longest_walk(masks, starts, bits, window):
    """int64[U, passes]: cycles of the slowest plane's check window (Bitlet's RTL).

    A cycle takes the first one in the window; the window moves to the second one, or on by its
    own length where there is none.
    """
    n, passes = len(masks), len(starts) - 1
    out = np.zeros((n, passes), dtype=np.int64)
    for u in range(n):
        for p in range(passes):
            for bit in range(bits):
                position, taken = starts[p], np.int64(0)
                while position < starts[p + 1]:
                    following = position + window
                    ones = 0
                    for k in range(position, min(position + window, starts[p + 1])):
                        ones += masks[u, k] >> bit & 1
                        if ones == 2:
                            following = k
                            break
                    position = following
                    taken += 1
                out[u, p] = max(out[u, p], taken)
    return out


@jit()
def run(costs, units, ahead):
    """int64: cycles of all tiles of ``units`` units, one after the other.

    Unit u takes ``costs[u, p]`` cycles for pass p, and begins it when it has ended the one before and
    all units of its tile have ended pass ``p - 1 - ahead``: in lock-step with 0, else up to
    ``ahead`` passes before the slowest.
    """
    n, passes = costs.shape
    total = np.int64(0)
    ended = np.empty(units, dtype=np.int64)
    slowest = np.empty(passes, dtype=np.int64)
    for first in range(0, n, units):
        count = min(units, n - first)
        ended[:count] = 0
        for p in range(passes):
            gate = slowest[p - 1 - ahead] if p > ahead else np.int64(0)
            slowest[p] = 0
            for u in range(count):
                ended[u] = max(ended[u], gate) + costs[first + u, p]
                slowest[p] = max(slowest[p], ended[u])
        total += slowest[passes - 1]
    return total


@jit()
def tile_maximum(values, units):
    """int64[tiles, K]: the largest of each tile's rows of int64[U, K] ``values``."""
    n, k = values.shape
    out = np.zeros((tiles.ceil_div(n, units), k), dtype=np.int64)
    for u in range(n):
        for i in range(k):
            out[u // units, i] = max(out[u // units, i], values[u, i])
    return out


@jit()
def products(row_tiles, column_tiles, starts):
    """int64: sum over all pairs of tiles and passes of the largest product in a pass, at least 1."""
    total = np.int64(0)
    for m in range(len(row_tiles)):
        for n in range(len(column_tiles)):
            for p in range(len(starts) - 1):
                longest = np.int64(1)
                for k in range(starts[p], starts[p + 1]):
                    longest = max(longest, row_tiles[m, k] * column_tiles[n, k])
                total += longest
    return total
