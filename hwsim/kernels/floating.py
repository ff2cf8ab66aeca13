"""Sums of floating-point products in the array's order, and what its arrays take and do.

``shape`` is that of `hwsim.kernels.tiles`; ``params`` are int64 ``[rows, cols, lanes, latency, scale_stage]``;
``activation`` is float64 ``[zero_fraction, toggle_rate]``.
"""

import numba
import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

COLUMNS = 128
"""Output channels at a time: their operands stay in the cache."""
ROWS_EACH = 8
"""Rows of one piece of parallel work."""
ROWS, COLS, LANES, LATENCY, SCALE_STAGE = range(5)


def summing(product):
    """The compiled ``matmul(x, w, constants, lanes, flush, out)`` over products ``product(a, b, constants)``.

    Operands x [M, K] and w [N / COLUMNS, K, COLUMNS], K a multiple of ``lanes``, a power of two. Each ``lanes`` products are added by a
    balanced tree of float32 additions, lower k on the left, and then to a float32 sum, which starts at 0; it
    moves to ``out`` float64[M, N / COLUMNS, COLUMNS] after every ``flush`` trees and at the end.
    """

    @jit()
    def leaves(x, w, constants, into):
        """``into[p, j]``: the sum of the p-th four (or two, or one) products of ``x[k]`` and ``w[k, j]``."""
        first, last = w[0], w[-1]
        if x.size == 1:
            for j in range(COLUMNS):
                into[0, j] = product(x[0], first[j], constants)
        elif x.size == 2:
            for j in range(COLUMNS):
                into[0, j] = product(x[0], first[j], constants) + product(x[1], last[j], constants)
        else:
            for p in range(x.size // 4):
                a, b, c, d = x[4 * p], x[4 * p + 1], x[4 * p + 2], x[4 * p + 3]
                wa, wb, wc, wd = w[4 * p], w[4 * p + 1], w[4 * p + 2], w[4 * p + 3]
                part = into[p]
                for j in range(COLUMNS):
                    part[j] = (product(a, wa[j], constants) + product(b, wb[j], constants)) + (
                        product(c, wc[j], constants) + product(d, wd[j], constants)
                    )

    @jit()
    def add_tree(parts):
        """``parts[0]``: the sum of all, by a balanced tree; the others are spent."""
        stride = 1
        while stride < len(parts):
            for p in range(0, len(parts), 2 * stride):
                left, right = parts[p], parts[p + stride]
                for j in range(COLUMNS):
                    left[j] += right[j]
            stride *= 2

    @jit(parallel=True)
    def matmul(x, w, constants, lanes, flush, out):
        m, k = x.shape
        for piece in numba.prange((m + ROWS_EACH - 1) // ROWS_EACH):
            parts = np.empty((max(1, lanes // 4), COLUMNS), dtype=np.float32)
            total = np.empty(COLUMNS, dtype=np.float32)
            for block in range(len(w)):
                for i in range(piece * ROWS_EACH, min((piece + 1) * ROWS_EACH, m)):
                    total[:] = 0
                    for step in range(k // lanes):
                        low, high = step * lanes, (step + 1) * lanes
                        leaves(x[i, low:high], w[block, low:high], constants, parts)
                        add_tree(parts)
                        for j in range(COLUMNS):
                            total[j] += parts[0, j]
                        if (step + 1) % flush == 0:
                            out[i, block] += total
                            total[:] = 0
                    out[i, block] += total

    return matmul


def columns(operands, nothing):
    """[blocks, K, COLUMNS]: operands [N, K], the last block filled up with ``nothing``."""
    n, k = operands.shape
    blocks = -(-n // COLUMNS)
    full = np.full((blocks * COLUMNS, k), nothing, dtype=operands.dtype)
    full[:n] = operands
    return np.ascontiguousarray(full.reshape(blocks, COLUMNS, k).transpose(0, 2, 1))


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    tile = np.empty(1, dtype=np.int64)
    tile[0] = tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    return tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], params[LATENCY])


@jit()
def events(shape, stats, params, activation, counts, features):
    """Counts of a floating-point datapath's EVENTS int64[E], their features float64[E, F]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = outputs * shape[tiles.K]
    features[0, :2] = activation
    counts[1] = counts[0]
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * params[SCALE_STAGE]
    compute = cycles(shape, stats, params)
    counts[3] = compute * params[ROWS] * params[COLS]
    counts[4] = compute
    counts[5] = outputs
