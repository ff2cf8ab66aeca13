"""Cycles, events and look-ups of the table array.

``params`` is int64 ``[rows, cols, lanes, scale_stage, mu, readers, build_cycles, additions, entries, parallel,
plane_scales]``, build_cycles 0 where tables are built on the way in. ``stats`` is int64 ``[planes, computed columns,
passes of column tile 0, 1, ...]``.
"""

import numba
import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit
from hwsim.kernels.accumulate import saturate

ROWS, COLS, LANES, SCALE_STAGE, MU, READERS, BUILD_CYCLES, ADDITIONS, ENTRIES, PARALLEL, PLANE_SCALES = range(11)
PLANES, COMPUTED, PASSES = range(3)


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
    compute = max(read, build) * tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    m_tiles = tiles.ceil_div(shape[tiles.M], rows)
    last_rows = shape[tiles.M] - (m_tiles - 1) * rows
    passes = stats[PASSES:]
    n_tiles = len(passes)
    total = compute + last_rows * passes[n_tiles - 1] + scale_latency(stats, params) + tiles.REQUANTIZER_STAGES + 2
    total += min(read, build)  # the first table is built while nothing is read
    for n in range(n_tiles):
        if shape[tiles.M_OUTER]:
            follows = n < n_tiles - 1
            total += (m_tiles - 1) * max(compute, rows * passes[n]) + follows * max(compute, last_rows * passes[n])
        else:
            total += (m_tiles - 1) * max(compute, rows * passes[n])
            if n < n_tiles - 1:
                total += max(compute, last_rows * passes[n])
    return np.int64(total)


@jit()
def events(shape, stats, params, activation, counts, features):
    """Counts of Lut.EVENTS in ``counts`` int64[E], their features in ``features`` float64[E, F]."""
    m, k, group_size = shape[tiles.M], shape[tiles.K], shape[tiles.GROUP_SIZE]
    outputs, planes = m * stats[COMPUTED], stats[PLANES]
    tables = tiles.steps(k, group_size, params[MU])
    whole = stats[COMPUTED] // params[COLS]
    ragged = stats[COMPUTED] - whole * params[COLS]
    sharing = whole * (params[COLS] // params[READERS]) + tiles.ceil_div(ragged, params[READERS])
    counts[0] = m * sharing * tables * params[ADDITIONS]
    features[0, :2] = activation
    counts[1] = m * sharing * tables * params[ENTRIES]
    counts[2] = outputs * tables * planes
    features[2, :2] = activation
    sums = planes if params[PLANE_SCALES] else 1
    counts[3] = outputs * tiles.steps(k, group_size, params[LANES]) * sums
    counts[4] = outputs * tiles.ceil_div(k, group_size) * params[SCALE_STAGE] * sums
    compute = cycles(shape, stats, params)
    counts[5] = compute * params[ROWS] * params[COLS]
    counts[6] = compute * params[ROWS] * (params[COLS] // params[READERS]) * (params[LANES] // params[MU])
    counts[7] = compute
    counts[8] = m * shape[tiles.N]


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
                        part = scale[j, g, plane] * groups[j, plane]
                        totals[j] = limited(totals[j] + part, acc_bits, saturates)
                elif plane_scales:
                    for plane in range(1, count):
                        addend += scale[j, g, plane] * groups[j, plane]
                totals[j] = limited(totals[j] + addend + scale[j, g, 0] * groups[j, 0], acc_bits, saturates)
        out[i] = totals
    return out
