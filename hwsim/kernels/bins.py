"""Sums of numbers by the interval that they lie in."""

import numba
import numpy as np

from hwsim.kernels._jit import jit

CELLS = 4096
"""Equal cells of the range of the edges: a number's cell says where among the edges to look."""


@jit(parallel=True)
def sums(values: np.ndarray, edges: np.ndarray, partial: np.ndarray) -> None:
    """Partial float64[P, 3, E + 1]: of |values| [K] between ascending edges [E] the number, sum and sum of squares.

    An edge, all of which are positive, belongs to the interval above it. Every part has an equal share of the values,
    whatever the threads.
    """
    per_unit = min(CELLS / edges[-1], 1e300)
    start = np.zeros(CELLS + 1, np.int64)
    for edge in edges:
        start[_cell(edge, per_unit) + 1] += 1
    start = np.cumsum(start)  # how many edges lie in lower cells, and are thus smaller
    parts = partial.shape[0]
    share = -(-values.size // parts)
    for p in numba.prange(parts):
        sum_of = np.zeros((edges.size + 1, 3))
        for k in range(p * share, min((p + 1) * share, values.size)):
            magnitude = np.float64(abs(values[k]))
            place = start[_cell(magnitude, per_unit)]
            while place < edges.size and edges[place] <= magnitude:
                place += 1
            sum_of[place, 0] += 1
            sum_of[place, 1] += magnitude
            sum_of[place, 2] += magnitude * magnitude
        partial[p] = sum_of.T


@jit()
def _cell(magnitude: float, per_unit: float) -> int:
    return np.int64(min(magnitude * per_unit, CELLS - 1.0))
