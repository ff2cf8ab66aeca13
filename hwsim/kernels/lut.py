"""Cycles, events and look-ups of the table array.

``params`` is int64 ``[rows, cols, lanes, scale_stage, mu, readers, build_cycles, additions, entries, parallel,
plane_scales, units]``, build_cycles 0 where tables are built on the way in. ``stats`` is int64 ``[planes, computed
columns, look-ups, sums, passes and rounds of column tile 0, of 1, ...]``: look-ups per row of activations and plane,
sums per row that are accumulated, passes in which a tile's results leave, rounds in which its steps are read.
"""

import numba
import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit
from hwsim.kernels.accumulate import saturate

ROWS, COLS, LANES, SCALE_STAGE, MU, READERS, BUILD_CYCLES, ADDITIONS, ENTRIES, PARALLEL, PLANE_SCALES, UNITS = range(12)
PLANES, COMPUTED, LOOK_UPS, SUMS, TILES = range(5)


@jit()
def reads(stats, params):
    """Cycles in which a step's tables are read."""
    return np.int64(1) if params[PARALLEL] else stats[PLANES]


@jit()
def scale_latency(stats, params):
    """Cycles from a group's sums to the tile's: one multiplier takes plane after plane."""
    if params[PLANE_SCALES] and not params[PARALLEL]:
        return stats[PLANES]
    return params[SCALE_STAGE]


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    read, build, rows = reads(stats, params), params[BUILD_CYCLES], params[ROWS]
    m_tiles = tiles.ceil_div(shape[tiles.M], rows)
    last_rows = shape[tiles.M] - (m_tiles - 1) * rows
    passes, compute = stats[TILES::2], stats[TILES + 1 :: 2] * max(read, build)
    end = len(passes) - 1
    total = compute[0] + last_rows * passes[end] + scale_latency(stats, params) + tiles.REQUANTIZER_STAGES + 2
    total += min(read, build)  # the first table is built while nothing is read
    for n in range(end + 1):
        if n:
            total += max(compute[n], last_rows * passes[n - 1])
        before = (n - 1 if n else end) if shape[tiles.M_OUTER] else n
        total += (m_tiles - 1) * max(compute[n], rows * passes[before])
    return np.int64(total)


@jit()
def events(shape, stats, params, counts):
    """Counts of Lut.EVENTS in ``counts`` int64[E]."""
    m, k, group_size = shape[tiles.M], shape[tiles.K], shape[tiles.GROUP_SIZE]
    planes = stats[PLANES]
    tables = tiles.steps(k, group_size, params[MU])
    whole = stats[COMPUTED] // params[COLS]
    ragged = stats[COMPUTED] - whole * params[COLS]
    sharing = whole * (params[COLS] // params[READERS]) + tiles.ceil_div(ragged, params[READERS])
    counts[0] = m * sharing * tables * params[ADDITIONS]
    counts[1] = m * sharing * tables * params[ENTRIES]
    reader = 7 if params[UNITS] else 2
    counts[reader] = m * stats[LOOK_UPS] * planes
    sums = planes if params[PLANE_SCALES] else 1
    counts[3] = m * stats[SUMS] * sums
    counts[4] = m * stats[COMPUTED] * tiles.ceil_div(k, group_size) * params[SCALE_STAGE] * sums
    compute = cycles(shape, stats, params)
    counts[5] = compute * params[ROWS] * params[COLS]
    counts[6] = compute * params[ROWS] * (params[COLS] // params[READERS]) * (params[LANES] // params[MU])
    counts[8] = compute * params[ROWS] * params[UNITS]
    counts[9] = compute
    counts[10] = m * shape[tiles.N]


@jit()
def patterns(codes, values, group_size, lanes, cols, select):
    """Numbers what the columns of each tile have in common, step by step.

    ``select`` int32[N, steps] gets the number of each channel's pattern, from 1 by first appearance in its tile; 0
    where all ``values`` [N, K] of the step are 0. ``codes`` uint8[N, K]. Returns int64[tiles, steps]: patterns.
    """
    n, k = codes.shape
    distinct = np.zeros((tiles.ceil_div(n, cols), select.shape[1]), dtype=np.int64)
    seen = np.empty(cols, dtype=np.int64)
    for tile in range(len(distinct)):
        step = 0
        for group in range(0, k, group_size):
            end = min(group + group_size, k)
            for start in range(group, end, lanes):
                stop = min(start + lanes, end)
                count = 0
                for row in range(tile * cols, min((tile + 1) * cols, n)):
                    select[row, step] = 0
                    if not values[row, start:stop].any():
                        continue
                    number = 0
                    while number < count and (codes[seen[number], start:stop] != codes[row, start:stop]).any():
                        number += 1
                    if number == count:
                        seen[count] = row
                        count += 1
                    select[row, step] = number + 1
                distinct[tile, step] = count
                step += 1
    return distinct


@jit()
def build(x, start, stop, mu, rounded, table):
    """Fills ``table`` int64[tables, 2**mu] with the signed sums of ``x[start:stop]``, rounded to 8 bits if asked."""
    top = 1 << (mu - 1)
    for t in range(table.shape[0]):
        low = start + t * mu
        count = max(min(low + mu, stop) - low, 0)
        magnitude = np.int64(0)
        for j in range(count):
            magnitude += abs(np.int64(x[low + j]))
        shift = np.int64(0)
        while rounded and magnitude >> (shift + 7):
            shift += 1
        for e in range(top, 2 * top):
            total = np.int64(0)
            for j in range(count):
                value = np.int64(x[low + j])
                total += value if e >> j & 1 else -value
            if shift:
                total = (total + (np.int64(1) << (shift - 1))) >> shift
                total = min(max(total, -127), 127) << shift
            table[t, e] = total
            table[t, 2 * top - 1 - e] = -total


@jit()
def index_of(codes, n, start, stop, mu, plane, t):
    """The table index of table ``t`` of a step: the signs of one plane, 0 where there is no k."""
    low = start + t * mu
    index = 0
    for j in range(min(low + mu, stop) - low):
        index |= (codes[n, low + j] >> plane & 1) << j
    return index


@jit()
def limited(value, bits, saturates):
    """``value``, saturated if asked; sums that may wrap are proved not to."""
    return saturate(value, bits) if saturates else value


@jit(parallel=True)
def matmul(x, codes, scale, offset, planes, group_size, lanes, mu, widths, options):
    """int32[M, N]: docs/hardware.md's look-ups, one at a time.

    ``x`` int32[M, K], ``codes`` uint8[N, K], ``scale`` int64[N, G, planes or 1], ``offset`` int64[N, G]; ``planes`` is
    ``(count, doubles, constant, halve)``, ``widths`` ``(group, accumulator)`` and ``options`` ``(scale_stage,
    plane_scales, parallel, rounded, saturates)``.
    """
    count, doubles, constant, halve = planes
    group_bits, acc_bits = widths
    scale_stage, plane_scales, parallel, rounded, saturates = options
    m, k = x.shape
    n = codes.shape[0]
    out = np.zeros((m, n), dtype=np.int32)
    for i in numba.prange(m):
        table = np.empty((lanes // mu, 1 << mu), dtype=np.int64)
        groups = np.zeros((n, count), dtype=np.int64)
        totals = np.zeros(n, dtype=np.int64)
        for g in range(offset.shape[1]):
            first, end = g * group_size, min((g + 1) * group_size, k)
            groups[:] = 0
            group_sum = np.int64(0)
            for start in range(first, end, lanes):
                stop = min(start + lanes, end)
                build(x[i], start, stop, mu, rounded, table)
                step_sum = np.int64(0)
                for low in range(start, stop):
                    step_sum += x[i, low]
                group_sum += step_sum
                for j in range(n):
                    step = np.int64(0)
                    for plane in range(count - 1, -1, -1):
                        found = np.int64(0)
                        for t in range((stop - start + mu - 1) // mu):
                            found += table[t, index_of(codes, j, start, stop, mu, plane, t)]
                        if plane_scales:
                            part = (found + constant * step_sum) >> halve
                            groups[j, plane] = limited(groups[j, plane] + part, group_bits, saturates)
                        else:
                            step = (step << (doubles >> plane & 1)) + found
                    if not plane_scales:
                        step = (step + constant * step_sum) >> halve
                        if scale_stage:
                            groups[j, 0] = limited(groups[j, 0] + step, group_bits, saturates)
                        else:
                            totals[j] = limited(totals[j] + step, acc_bits, saturates)
            if not scale_stage:
                continue
            for j in range(n):
                addend = offset[j, g] * group_sum
                if plane_scales and not parallel:
                    for plane in range(count - 1, 0, -1):
                        addend += scale[j, g, plane] * groups[j, plane]
                        totals[j] = limited(totals[j] + addend, acc_bits, saturates)
                        addend = 0
                elif plane_scales:
                    for plane in range(1, count):
                        addend += scale[j, g, plane] * groups[j, plane]
                totals[j] = limited(totals[j] + addend + scale[j, g, 0] * groups[j, 0], acc_bits, saturates)
        out[i] = totals
    return out
