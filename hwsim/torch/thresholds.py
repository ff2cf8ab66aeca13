"""Batch norm and sign as one integer comparison per channel."""

import numpy as np


def thresholds(slope: np.ndarray, offset: np.ndarray, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Integer bias int64[N] and invert bool[N] that decide ``slope*x + offset >= 0``.

    For every integer x in ``low..high`` the sign of ``slope*x + offset``, computed in
    float64, is +1 exactly where ``(x + bias >= 0) != invert``. As x -> slope*x + offset is
    monotonic in float64 too, bisection finds the one x at which the answer changes, ties
    included; a slope of 0 puts it at an end of the range.
    """
    falling = slope < 0
    first = np.full(slope.shape, low, dtype=np.int64)
    last = np.full(slope.shape, high + 1, dtype=np.int64)
    while (first < last).any():
        middle = (first + last) // 2
        reached = (slope * middle + offset >= 0) != falling
        last = np.where(reached, middle, last)
        first = np.where(reached | (first == last), first, middle + 1)
        first = np.minimum(first, last)
    return -last, falling
