"""Look-up in the two-dimensional tables of a cell library."""

import numpy as np

from hwsim.kernels._jit import jit


@jit()
def _segment(axis: np.ndarray, x: float) -> int:
    """Index i such that x lies between axis[i] and axis[i + 1], or beyond the nearer end."""
    low, high = 0, axis.size - 2
    while low < high:
        middle = (low + high + 1) // 2
        if x < axis[middle]:
            high = middle - 1
        else:
            low = middle
    return low


@jit()
def lookup(slew_axis: np.ndarray, load_axis: np.ndarray, values: np.ndarray, slew: float, load: float) -> float:
    """Bilinear interpolation, linear beyond the ends; an axis of one point makes no difference.

    ``values`` is float64[slews, loads], the axes float64 and increasing.
    """
    i = j = 0
    s = t = 0.0
    if slew_axis.size > 1:
        i = _segment(slew_axis, slew)
        s = (slew - slew_axis[i]) / (slew_axis[i + 1] - slew_axis[i])
    if load_axis.size > 1:
        j = _segment(load_axis, load)
        t = (load - load_axis[j]) / (load_axis[j + 1] - load_axis[j])
    result = values[i, j]
    if slew_axis.size > 1:
        result += s * (values[i + 1, j] - values[i, j])
    if load_axis.size > 1:
        result += t * (values[i, j + 1] - values[i, j])
    if slew_axis.size > 1 and load_axis.size > 1:
        result += s * t * (values[i + 1, j + 1] - values[i + 1, j] - values[i, j + 1] + values[i, j])
    return result
