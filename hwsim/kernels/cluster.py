"""Weighted one-dimensional k-means, row by row, and the nearest entry of a row's table."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def cluster(values, weights, kept, tables, iterations):
    """Ascending centroids float64[N, C] into ``tables`` for ``values`` float64[N, K] where ``kept``.

    ``weights`` float64[N, K], or [1, 1] for equal ones. Rows with at most C different
    values keep them exactly.
    """
    n, k = values.shape
    for i in numba.prange(n):
        m = 0
        row = np.empty(k, dtype=np.float64)
        mass = np.ones(k, dtype=np.float64)
        for j in range(k):
            if kept[i, j]:
                row[m] = values[i, j]
                if weights.shape[0] > 1:
                    mass[m] = weights[i, j]
                m += 1
        tables[i] = 0
        if m == 0:
            continue
        if weights.shape[0] > 1:
            order = np.argsort(row[:m], kind="mergesort")
            x, mass = row[:m][order], mass[:m][order]
        else:
            x = np.sort(row[:m])
        total, moment = np.zeros(m + 1), np.zeros(m + 1)
        for j in range(m):
            total[j + 1] = total[j] + mass[j]
            moment[j + 1] = moment[j] + mass[j] * x[j]
        if not distinct(x, tables[i]):
            lloyd(x, total, moment, tables[i], iterations)


@jit()
def distinct(x, table):
    """Whether sorted ``x`` has at most as many different values as ``table``, which then holds them."""
    used = 0
    for j in range(len(x)):
        if j == 0 or x[j] != x[j - 1]:
            if used == len(table):
                return False
            table[used] = x[j]
            used += 1
    table[used:] = x[-1]
    return True


@jit()
def lloyd(x, total, moment, table, iterations):
    """k-means on sorted ``x`` with prefix sums, from the quantiles, until nothing moves."""
    count, m = len(table), len(x)
    for c in range(count):
        part = total[m] * (c + 0.5) / count
        table[c] = x[min(np.searchsorted(total, part) - 1, m - 1)]
    bounds = np.zeros(count + 1, dtype=np.int64)
    bounds[count] = m
    for _ in range(iterations):
        moved = False
        for c in range(1, count):
            bound = np.searchsorted(x, (table[c - 1] + table[c]) / 2, side="right")
            moved |= bound != bounds[c]
            bounds[c] = bound
        if not moved:
            break
        for c in range(count):
            low, high = bounds[c], bounds[c + 1]
            mass = total[high] - total[low] if high > low else 0.0
            if mass > 0:
                mean = (moment[high] - moment[low]) / mass
                table[c] = min(max(mean, x[low]), x[high - 1])


@jit(parallel=True)
def nearest(values, tables, codes):
    """Into ``codes`` the nearest entry of each row's ascending table; ties and repeats to the lowest code."""
    n, k = values.shape
    count = tables.shape[1]
    for i in numba.prange(n):
        middle = np.empty(count - 1, dtype=np.float64)
        first = np.zeros(count, dtype=np.uint8)  # the lowest code of an equal value
        for c in range(count - 1):
            middle[c] = (tables[i, c] + tables[i, c + 1]) / 2
            first[c + 1] = first[c] if tables[i, c] == tables[i, c + 1] else c + 1
        for j in range(k):
            below = 0
            for c in range(count - 1):  # every one: a search would branch
                below += np.int64(middle[c] < values[i, j])
            codes[i, j] = first[below]
