"""Real numbers to codes of a small table, and the largest magnitude of each group."""

import numba
import numpy as np

from hwsim.kernels._jit import jit

CHUNK = 256
"""Weights compared at a time: they stay in the nearest cache."""

BELOW = 1.001 * 2.0**-24
"""A float32 less this part of its magnitude rounds to the float32 next below."""


@jit(parallel=True)
def largest(bits: np.ndarray, magnitude: int, group_size: int, out: np.ndarray) -> None:
    """Out[N, G]: the largest of ``bits & magnitude`` in each group of a row.

    Of floating-point numbers viewed as integers, ``magnitude`` all ones but the sign, this is the largest
    |x| - by integer comparisons, which compilers turn into vector instructions.
    """
    for n in numba.prange(bits.shape[0]):
        for group in range(out.shape[1]):
            part = bits[n, group * group_size : min((group + 1) * group_size, bits.shape[1])]
            most = part[0] & magnitude
            for i in range(part.size):
                most = max(most, part[i] & magnitude)
            out[n, group] = most


@jit()
def reach(limit: float, factor: float, like: np.ndarray) -> float:
    """The largest number t of the dtype of ``like`` with ``t / factor <= limit`` in float64.

    ``x > t`` is then exactly ``x / factor > limit``, without a division.
    """
    product = limit * factor
    if like.itemsize == 4 and 2.0**-120 < abs(product) < 2.0**120:  # the nearest float32, or the one next below it
        single = np.float64(np.float32(product))
        close = abs(single - product) <= abs(product) * 2.0**-50  # only then does the quotient's rounding matter
        over = single / factor > limit if close else single > product
        return like.dtype.type(single - abs(single) * BELOW if over else single)
    down, up = like.dtype.type(-np.inf), like.dtype.type(np.inf)
    if factor == np.inf:
        return up if limit >= 0 else down
    if abs(limit) < 2.0**-1000:  # 0, or the number next below it
        return like.dtype.type(0) if limit >= 0 else np.nextafter(like.dtype.type(0), down)
    t = like.dtype.type(product)
    while np.float64(t) / factor > limit:
        t = np.nextafter(t, down)
    while t < up and np.float64(np.nextafter(t, up)) / factor <= limit:
        t = np.nextafter(t, up)
    return t


@jit(parallel=True)
def encode(
    x: np.ndarray, scale: np.ndarray, group_size: int, select: np.ndarray, thresholds: np.ndarray, order: np.ndarray,
    codes: np.ndarray,
) -> None:  # fmt: skip
    """Codes[N, K]: ``order[t, j]`` where j of ``thresholds[t]`` lie below ``x / scale``, t the group's table.

    Thresholds are [C, E - 1], order [C, E], scale and select [N, G]. Meant for small tables: every
    threshold is compared with every weight, which compilers turn into vector instructions.
    """
    for n in numba.prange(x.shape[0]):
        below = np.empty(CHUNK, x.dtype)  # of one width with x, for the vector instructions
        limits = np.empty(thresholds.shape[1], x.dtype)
        for group in range(scale.shape[1]):
            table = select[n, group]
            for e in range(thresholds.shape[1]):
                limits[e] = reach(thresholds[table, e], scale[n, group], x)
            end = min((group + 1) * group_size, x.shape[1])
            for start in range(group * group_size, end, CHUNK):
                part = x[n, start : min(start + CHUNK, end)]
                below[: part.size] = 0
                for limit in limits:
                    for i in range(part.size):
                        below[i] += x.dtype.type(1) if part[i] > limit else x.dtype.type(0)
                row = order[table]
                for i in range(part.size):
                    codes[n, start + i] = row[np.int64(below[i])]
