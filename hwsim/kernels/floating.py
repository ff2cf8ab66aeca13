"""Sums of floating-point products in the array's order, and what its arrays take and do.

``shape`` is that of `hwsim.kernels.tiles`; ``params`` are int64 ``[rows, cols, lanes, latency, scale_stage]``;
"""

import numba
import numpy as np

from hwsim import workspace
from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

COLUMNS = 256
"""Output channels at a time, at most: a step's weights and the sums of a piece of work stay in the cache."""
VECTOR = 16
"""Output channels at a time are a multiple of it."""
ROWS_EACH = 16
"""Rows of one piece of parallel work."""
ROWS, COLS, LANES, LATENCY, SCALE_STAGE = range(5)


def summing(product, real=np.float32, pairs=False):
    """The compiled ``matmul(x, w, constants, lanes, flush, out)`` over float32 ``product(a, b, constants)``.

    Operands x [M, K] and w [blocks, K, columns] as `columns` lays them out, K a multiple of ``lanes``, a power of
    two. Each ``lanes`` products are added by a balanced tree, lower k on the left, and then to a sum, which starts
    at 0; it moves to ``out`` float64[M, blocks, columns] after every ``flush`` trees and at the end. All additions
    are those of ``real``. With ``pairs`` two rows are computed at a time: quicker where products are short.

    The compiler vectorizes the loops over columns as they are written: operands of a row in variables of their own,
    and no more products in a loop than registers hold.
    """

    @jit()
    def few(x, w, constants, total):
        """``total[i, j]`` plus the products of one or two ``x[i, k]`` and ``w[k, j]``."""
        for i in range(len(x)):
            a, b = x[i, 0], x[i, -1]
            if len(w) == 1:
                for j in range(w.shape[1]):
                    total[i, j] += real(product(a, w[0, j], constants))
            else:
                for j in range(w.shape[1]):
                    total[i, j] += real(product(a, w[0, j], constants)) + real(product(b, w[1, j], constants))

    @jit()
    def four(x, w, constants, into):
        """``into[i, j]``: the sum of the products of four ``x[i, k]`` and ``w[k, j]``."""
        for i in range(len(x)):
            a, b, c, d = x[i, 0], x[i, 1], x[i, 2], x[i, 3]
            for j in range(w.shape[1]):
                into[i, j] = (real(product(a, w[0, j], constants)) + real(product(b, w[1, j], constants))) + (
                    real(product(c, w[2, j], constants)) + real(product(d, w[3, j], constants))
                )

    @jit()
    def eight(x, w, constants, left, total):
        """``total[i, j]`` plus the sum of the products of eight; those of four are in ``left``."""
        four(x[:, :4], w[:4], constants, left)
        for i in range(len(x)):
            a, b, c, d = x[i, 4], x[i, 5], x[i, 6], x[i, 7]
            for j in range(w.shape[1]):
                right = (real(product(a, w[4, j], constants)) + real(product(b, w[5, j], constants))) + (
                    real(product(c, w[6, j], constants)) + real(product(d, w[7, j], constants))
                )
                total[i, j] += left[i, j] + right

    @jit()
    def eight_in_pairs(x, w, constants, left, total):
        """Like `eight`."""
        for i in range(0, len(x) - 1, 2):
            n = i + 1
            a, b, c, d, e, f, g, h = x[i, 0], x[i, 1], x[i, 2], x[i, 3], x[i, 4], x[i, 5], x[i, 6], x[i, 7]
            p, q, r, s, t, u, v, y = x[n, 0], x[n, 1], x[n, 2], x[n, 3], x[n, 4], x[n, 5], x[n, 6], x[n, 7]
            for j in range(w.shape[1]):
                w0, w1, w2, w3 = w[0, j], w[1, j], w[2, j], w[3, j]
                w4, w5, w6, w7 = w[4, j], w[5, j], w[6, j], w[7, j]
                total[i, j] += (
                    (real(product(a, w0, constants)) + real(product(b, w1, constants)))
                    + (real(product(c, w2, constants)) + real(product(d, w3, constants)))
                ) + (
                    (real(product(e, w4, constants)) + real(product(f, w5, constants)))
                    + (real(product(g, w6, constants)) + real(product(h, w7, constants)))
                )
                total[n, j] += (
                    (real(product(p, w0, constants)) + real(product(q, w1, constants)))
                    + (real(product(r, w2, constants)) + real(product(s, w3, constants)))
                ) + (
                    (real(product(t, w4, constants)) + real(product(u, w5, constants)))
                    + (real(product(v, w6, constants)) + real(product(y, w7, constants)))
                )
        if len(x) % 2:
            eight(x[-1:], w, constants, left[-1:], total[-1:])

    add_eight = eight_in_pairs if pairs else eight

    @jit()
    def add_step(x, w, constants, partial, total):
        """``total`` plus the sum of one step's products: of neighbours that are sums of equally many."""
        if len(w) <= 2:
            few(x, w, constants, total)
        elif len(w) == 4:
            four(x, w, constants, partial[0])
            total += partial[0]
        elif len(w) == 8:
            add_eight(x, w, constants, partial[0], total)
        else:
            depth = 1
            for eighth in range(len(w) // 8):
                part = slice(8 * eighth, 8 * eighth + 8)
                partial[depth] = 0
                add_eight(x[:, part], w[part], constants, partial[0], partial[depth])
                complete = eighth
                while complete & 1:
                    partial[depth - 1] += partial[depth]
                    depth -= 1
                    complete >>= 1
                depth += 1
            total += partial[1]

    @jit(parallel=True)
    def matmul(x, w, constants, lanes, flush, out):
        m, k = x.shape
        for piece in numba.prange((m + ROWS_EACH - 1) // ROWS_EACH):
            first = piece * ROWS_EACH
            rows = x[first : first + ROWS_EACH]
            depth = 1
            while 4 << depth <= lanes:
                depth += 1
            partial = np.empty((depth, len(rows), w.shape[2]), dtype=real)
            total = np.empty((len(rows), w.shape[2]), dtype=real)
            for block in range(len(w)):
                total[:] = 0
                for step in range(k // lanes):
                    part = slice(step * lanes, (step + 1) * lanes)
                    add_step(rows[:, part], w[block, part], constants, partial, total)
                    if (step + 1) % flush == 0:
                        out[first : first + ROWS_EACH, block] += total
                        total[:] = 0
                out[first : first + ROWS_EACH, block] += total

    return matmul


def columns(operands, nothing):
    """[blocks, K, columns]: operands [N, K], the last block filled up with ``nothing``; the next call overwrites it."""
    n, k = operands.shape
    width = min(COLUMNS, -(-n // VECTOR) * VECTOR)
    blocks = -(-n // width)
    full = operands
    if blocks * width > n:
        full = np.full((blocks * width, k), nothing, dtype=operands.dtype)
        full[:n] = operands
    laid_out = workspace.array("columns", (blocks, k, width), operands.dtype)
    laid_out[:] = full.reshape(blocks, width, k).transpose(0, 2, 1)
    return laid_out


@jit()
def ends(codes, magnitude, normal):
    """Smallest and largest of ``codes & magnitude``, codes uint[N], of at least ``normal``; that twice if none is."""
    low, high = np.int64(magnitude) + 1, np.int64(normal) - 1
    for i in range(codes.size):
        code = np.int64(codes[i]) & magnitude
        low = min(low, code if code >= normal else low)
        high = max(high, code)
    return (low, high) if high >= normal else (np.int64(normal), np.int64(normal))


@jit(parallel=True)
def to_float32(sums, factor, negligible, out):
    """``out`` float32[M, N]: the first N of float64 ``sums`` [M, ..] times ``factor``; whether all are finite.

    What is below ``negligible`` is 0.
    """
    finite = np.ones(len(out), dtype=np.bool_)
    for i in numba.prange(len(out)):
        all_finite = True
        for j in range(out.shape[1]):
            value = sums[i, j] * factor
            all_finite &= abs(value) < np.inf
            out[i, j] = value if abs(value) >= negligible else 0.0
        finite[i] = all_finite
    return finite.all()


@jit(parallel=True)
def add_integers(sums, factor, total):
    """Adds the first N of float64 ``sums`` [M, ..], times ``factor`` whole numbers, to ``total`` int64[M, N]."""
    for i in numba.prange(len(total)):
        for j in range(total.shape[1]):
            total[i, j] += np.int64(np.rint(sums[i, j] * factor))


@jit()
def cycles(shape, stats, params):
    """Compute cycles of one matmul, int64."""
    tile = np.empty(1, dtype=np.int64)
    tile[0] = tiles.steps(shape[tiles.K], shape[tiles.GROUP_SIZE], params[LANES])
    return tiles.matmul_cycles(shape, tile, 0, params[ROWS], params[COLS], params[LATENCY])


@jit()
def events(shape, stats, params, counts):
    """Counts of a floating-point datapath's EVENTS int64[E]."""
    outputs = shape[tiles.M] * shape[tiles.N]
    counts[0] = outputs * shape[tiles.K]
    counts[1] = counts[0]
    counts[2] = outputs * tiles.ceil_div(shape[tiles.K], shape[tiles.GROUP_SIZE]) * params[SCALE_STAGE]
    compute = cycles(shape, stats, params)
    counts[3] = compute * params[ROWS] * params[COLS]
    counts[4] = compute
    counts[5] = outputs
