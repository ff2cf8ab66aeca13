"""Cycles, events and sums of the array that adds activations by weight code.

``params`` is int64 ``[rows, cols, lanes, serial]``, ``stats`` int64 ``[entries of the codebook]``.
"""

import numba
import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit
from hwsim.kernels.accumulate import saturate

ROWS, COLS, LANES, SERIAL = range(4)
ENTRIES = 0


@jit()
def group_cycles(size, stats, params):
    """Cycles in which a group of ``size`` is added up, whatever else goes on."""
    return tiles.ceil_div(size, params[LANES]) * (params[LANES] if params[SERIAL] else 1)


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    scaling = stats[ENTRIES] if params[SERIAL] else np.int64(1)
    k, size = shape[tiles.K], min(shape[tiles.GROUP_SIZE], shape[tiles.K])
    whole, rest = k // size, k % size
    first = group_cycles(size, stats, params)
    tile = np.empty(1, dtype=np.int64)
    tile[0] = whole * max(first, scaling)
    if rest:
        tile[0] += max(group_cycles(rest, stats, params), scaling)
    # The first group waits for none before it.
    total = tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], scaling)
    return np.int64(total - max(scaling - first, 0))


@jit()
def events(shape, stats, params, counts):
    """Counts of LutBuckets.EVENTS in ``counts`` int64[E]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = outputs * shape[tiles.K]
    counts[1] = counts[0]
    if not params[SERIAL]:
        counts[1] = outputs * tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES]) * stats[ENTRIES]
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * stats[ENTRIES]
    compute = cycles(shape, stats, params)
    counts[3] = compute * params[ROWS] * params[COLS]
    counts[4] = compute
    counts[5] = outputs


@jit()
def largest_bucket(codes, group_size, entries):
    """The most weights of one code in any group of ``codes`` uint[N, K], int64."""
    n, k = codes.shape
    filled = np.empty(entries, dtype=np.int64)
    most = np.int64(0)
    for j in range(n):
        for start in range(0, k, group_size):
            filled[:] = 0
            for t in range(start, min(start + group_size, k)):
                filled[codes[j, t]] += 1
            most = max(most, filled.max())
    return most


@jit(parallel=True)
def matmul(x, codes, scale, offset, group_size, lanes, serial, acc_bits, group_bits):
    """int32[M, N] of x int32[M, K] and codes uint[N, K], each addition saturating in its order (docs/hardware.md).

    ``scale`` int64[N, G, entries], ``offset`` int64[N, G].
    """
    m, k = x.shape
    n, groups, entries = scale.shape
    out = np.zeros((m, n), dtype=np.int32)
    for i in numba.prange(m):
        buckets = np.empty(entries, dtype=np.int64)
        step = np.empty(entries, dtype=np.int64)
        for j in range(n):
            acc = np.int64(0)
            for g in range(groups):
                start, stop = g * group_size, min((g + 1) * group_size, k)
                buckets[:] = 0
                group_sum = np.int64(0)
                for low in range(start, stop, lanes):
                    step[:] = 0
                    for t in range(low, min(low + lanes, stop)):
                        group_sum += x[i, t]
                        code = codes[j, t]
                        if serial:
                            buckets[code] = saturate(buckets[code] + x[i, t], group_bits)
                        else:
                            step[code] += x[i, t]
                    if not serial:
                        for c in range(entries):
                            buckets[c] = saturate(buckets[c] + step[c], group_bits)
                total = offset[j, g] * group_sum
                for c in range(entries):
                    total += scale[j, g, c] * buckets[c]
                    if serial or c == entries - 1:
                        acc = saturate(acc + total, acc_bits)
                        total = 0
            out[i, j] = acc
    return out
