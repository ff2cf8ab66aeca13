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
ROWS_EACH = 16
"""Rows of one piece of parallel work."""
ROWS, COLS, LANES, LATENCY, SCALE_STAGE = range(5)


def summing(product, real=np.float32):
    """The compiled ``matmul(x, w, constants, lanes, flush, out)`` over float32 ``product(a, b, constants)``.

    Operands x [M, K] and w [N / COLUMNS, K, COLUMNS], K a multiple of ``lanes``, a power of two. Each ``lanes``
    products are added by a balanced tree, lower k on the left, and then to a sum, which starts at 0; it moves to
    ``out`` float64[M, N / COLUMNS, COLUMNS] after every ``flush`` trees and at the end. All additions are those
    of ``real``.
    """

    @jit()
    def few(x, w, constants, total):
        """``total[j]`` plus the products of one or two ``x[k]`` and ``w[k, j]``."""
        a, wa, b, wb = x[0], w[0], x[-1], w[-1]
        if x.size == 1:
            for j in range(COLUMNS):
                total[j] += real(product(a, wa[j], constants))
        else:
            for j in range(COLUMNS):
                total[j] += real(product(a, wa[j], constants)) + real(product(b, wb[j], constants))

    @jit()
    def four(x, w, constants, into):
        """``into[j]``: the sum of the products of four ``x[k]`` and ``w[k, j]``."""
        a, b, c, d = x[0], x[1], x[2], x[3]
        wa, wb, wc, wd = w[0], w[1], w[2], w[3]
        for j in range(COLUMNS):
            into[j] = (real(product(a, wa[j], constants)) + real(product(b, wb[j], constants))) + (
                real(product(c, wc[j], constants)) + real(product(d, wd[j], constants))
            )

    @jit()
    def eight(x, w, constants, left, total):
        """``total[j]`` plus the sum of ``left[j]``, the first four products of eight, and of the others."""
        a, b, c, d = x[4], x[5], x[6], x[7]
        wa, wb, wc, wd = w[4], w[5], w[6], w[7]
        for j in range(COLUMNS):
            right = (real(product(a, wa[j], constants)) + real(product(b, wb[j], constants))) + (
                real(product(c, wc[j], constants)) + real(product(d, wd[j], constants))
            )
            total[j] += left[j] + right

    @jit()
    def add_tree(parts, total):
        """``total`` plus the sum of all parts, by a balanced tree; the parts are spent."""
        stride = 1
        while stride < len(parts):
            for p in range(0, len(parts), 2 * stride):
                left, right = parts[p], parts[p + stride]
                for j in range(COLUMNS):
                    left[j] += right[j]
            stride *= 2
        whole = parts[0]
        for j in range(COLUMNS):
            total[j] += whole[j]

    @jit()
    def add_step(x, w, constants, parts, total):
        """``total[j]`` plus the sum of one step's products."""
        if x.size <= 2:
            few(x, w, constants, total)
        elif x.size == 8:
            four(x, w, constants, parts[0])
            eight(x, w, constants, parts[0], total)
        else:
            for p in range(len(parts)):
                four(x[4 * p : 4 * p + 4], w[4 * p : 4 * p + 4], constants, parts[p])
            add_tree(parts, total)

    @jit(parallel=True)
    def matmul(x, w, constants, lanes, flush, out):
        m, k = x.shape
        for piece in numba.prange((m + ROWS_EACH - 1) // ROWS_EACH):
            first = piece * ROWS_EACH
            rows = min(ROWS_EACH, m - first)
            parts = np.empty((max(1, lanes // 4), COLUMNS), dtype=real)
            total = np.empty((ROWS_EACH, COLUMNS), dtype=real)
            for block in range(len(w)):
                total[:] = 0
                for step in range(k // lanes):
                    low, high = step * lanes, (step + 1) * lanes
                    for i in range(rows):
                        add_step(x[first + i, low:high], w[block, low:high], constants, parts, total[i])
                    if (step + 1) % flush == 0:
                        for i in range(rows):
                            out[first + i, block] += total[i]
                        total[:] = 0
                for i in range(rows):
                    out[first + i, block] += total[i]

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
