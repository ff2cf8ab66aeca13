"""Sums of floating-point products in the array's order, and what its arrays take and do.

``shape`` is that of `hwsim.kernels.tiles`; ``params`` are int64 ``[rows, cols, lanes, latency, scale_stage]``;
"""

import numba
import numpy as np

from hwsim.kernels import tiles
from hwsim.kernels._jit import jit

ROWS, COLS, LANES, LATENCY, SCALE_STAGE = range(5)


def summing(product, total=np.float32):
    """The compiled ``matmul(x, w, constants, lanes, first, last, each, out)``.

    Operands x [M, K] and w [blocks, K, columns], M even, K a multiple of ``lanes``, a power of two. The float32
    ``product(a, b, constants)`` of a step of ``lanes`` are added by a balanced tree, lower k on the left, and these
    trees, of the steps from ``first`` to before ``last``, to ``out`` [blocks, M, columns], which starts at 0. Additions
    are in ``total``, float32 or float64; or it is int32, for up to 8 lanes: trees are float32 and, times the last of
    the constants, whole numbers. ``each`` rows, an even number, are one piece of parallel work.

    The compiler vectorizes the loops over columns as they are written: operands of two rows in variables of their
    own, as many as registers hold.
    """
    real = np.float64 if total is np.float64 else np.float32

    @jit()
    def moved(tree, constants):
        return np.int32(tree * constants[-1]) if total is np.int32 else tree

    @jit()
    def few(x, w, constants, into):
        """``into[i, j]`` plus the products of one or two ``x[i, k]`` and ``w[k, j]``."""
        for i in range(len(x)):
            a, b = x[i, 0], x[i, -1]
            if len(w) == 1:
                for j in range(w.shape[1]):
                    into[i, j] += moved(real(product(a, w[0, j], constants)), constants)
            else:
                for j in range(w.shape[1]):
                    tree = real(product(a, w[0, j], constants)) + real(product(b, w[1, j], constants))
                    into[i, j] += moved(tree, constants)

    @jit()
    def four(x, w, constants, into):
        """Like `few`, of four."""
        for i in range(len(x)):
            a, b, c, d = x[i, 0], x[i, 1], x[i, 2], x[i, 3]
            for j in range(w.shape[1]):
                tree = (real(product(a, w[0, j], constants)) + real(product(b, w[1, j], constants))) + (
                    real(product(c, w[2, j], constants)) + real(product(d, w[3, j], constants))
                )
                into[i, j] += moved(tree, constants)

    @jit()
    def eight(x, w, constants, into):
        """Like `few`, of eight, for an even number of rows."""
        for i in range(0, len(x), 2):
            n = i + 1
            a, b, c, d, e, f, g, h = x[i, 0], x[i, 1], x[i, 2], x[i, 3], x[i, 4], x[i, 5], x[i, 6], x[i, 7]
            p, q, r, s, t, u, v, y = x[n, 0], x[n, 1], x[n, 2], x[n, 3], x[n, 4], x[n, 5], x[n, 6], x[n, 7]
            for j in range(w.shape[1]):
                w0, w1, w2, w3 = w[0, j], w[1, j], w[2, j], w[3, j]
                w4, w5, w6, w7 = w[4, j], w[5, j], w[6, j], w[7, j]
                upper = (
                    (real(product(a, w0, constants)) + real(product(b, w1, constants)))
                    + (real(product(c, w2, constants)) + real(product(d, w3, constants)))
                ) + (
                    (real(product(e, w4, constants)) + real(product(f, w5, constants)))
                    + (real(product(g, w6, constants)) + real(product(h, w7, constants)))
                )
                lower = (
                    (real(product(p, w0, constants)) + real(product(q, w1, constants)))
                    + (real(product(r, w2, constants)) + real(product(s, w3, constants)))
                ) + (
                    (real(product(t, w4, constants)) + real(product(u, w5, constants)))
                    + (real(product(v, w6, constants)) + real(product(y, w7, constants)))
                )
                into[i, j] += moved(upper, constants)
                into[n, j] += moved(lower, constants)

    @jit()
    def add_step(x, w, constants, partial, into):
        """``into`` plus the sum of one step's products: of neighbours that are sums of equally many."""
        if len(w) <= 2:
            few(x, w, constants, into)
        elif len(w) == 4:
            four(x, w, constants, into)
        elif len(w) == 8:
            eight(x, w, constants, into)
        else:
            depth = 0
            for eighth in range(len(w) // 8):
                part = slice(8 * eighth, 8 * eighth + 8)
                partial[depth] = 0
                eight(x[:, part], w[part], constants, partial[depth])
                complete = eighth
                while complete & 1:
                    partial[depth - 1] += partial[depth]
                    depth -= 1
                    complete >>= 1
                depth += 1
            into += partial[0]

    @jit(parallel=True)
    def matmul(x, w, constants, lanes, first, last, each, out):
        depth = 0
        while 8 << depth <= lanes and lanes > 8:
            depth += 1
        for piece in numba.prange(tiles.ceil_div(len(x), each)):
            rows = slice(piece * each, (piece + 1) * each)
            partial = np.empty((depth, len(x[rows]), w.shape[2]), dtype=total)
            for block in range(len(w)):
                into = out[block, rows]
                into[:] = 0
                for step in range(first, last):
                    part = slice(step * lanes, (step + 1) * lanes)
                    add_step(x[rows, part], w[block, part], constants, partial, into)

    return matmul


def standing_for(operand):
    """The compiled ``operands(codes, constants, out)``: ``out[i] = operand(codes[i], constants)``, one-dimensional."""

    @jit(parallel=True)
    def operands(codes, constants, out):
        for i in numba.prange(len(out)):
            out[i] = operand(codes[i], constants)

    return operands


@jit()
def ends(codes, magnitude, normal):
    """Smallest and largest of ``codes & magnitude``, codes uint[N], of at least ``normal``; that twice if none is."""
    mask, least, most = np.int32(magnitude), np.int32(normal), np.int32(0x7FFFFFFF)
    low, high = most, np.int32(0)
    for i in range(codes.size):
        code = np.int32(np.int32(codes[i]) & mask)
        high = np.int32(max(high, code))
        low = np.int32(min(low, code if code >= least else most))
    return (low, high) if high >= least else (least, least)


@jit(parallel=True)
def to_float32(sums, factor, negligible, out):
    """``out`` float32[M, N]: ``sums`` [blocks, M or more, columns] times ``factor``; whether all are finite.

    What is below ``negligible`` is 0.
    """
    finite = np.ones(len(out), dtype=np.bool_)
    for i in numba.prange(len(out)):
        all_finite = True
        for block in range(len(sums)):
            first = block * sums.shape[2]
            for j in range(min(sums.shape[2], out.shape[1] - first)):
                value = sums[block, i, j] * factor
                all_finite &= abs(value) < np.inf
                out[i, first + j] = value if abs(value) >= negligible else 0.0
        finite[i] = all_finite
    return finite.all()


@jit(parallel=True)
def add_integers(sums, factor, total):
    """Adds ``sums`` [blocks, M or more, columns], times ``factor`` whole numbers, to ``total`` int64[M, N]."""
    for i in numba.prange(len(total)):
        for block in range(len(sums)):
            first = block * sums.shape[2]
            for j in range(min(sums.shape[2], total.shape[1] - first)):
                total[i, first + j] += np.int64(np.rint(sums[block, i, j] * factor))


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
