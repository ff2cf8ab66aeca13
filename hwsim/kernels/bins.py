"""Sums of numbers by the interval that they lie in."""

import numba
import numpy as np

from hwsim.kernels._jit import jit
from hwsim.kernels._search import count_up_to


@jit(parallel=True)
def sums(values: np.ndarray, edges: np.ndarray, partial: np.ndarray) -> None:
    """Partial float64[P, 3, E + 1]: of |values| [K] between ascending edges [E] the number, sum and sum of squares.

    An edge belongs to the interval above it. Every part has an equal share of the values, whatever the threads.
    """
    parts = partial.shape[0]
    share = -(-values.size // parts)
    for p in numba.prange(parts):
        sum_of = np.zeros((3, edges.size + 1))
        for k in range(p * share, min((p + 1) * share, values.size)):
            magnitude = np.float64(abs(values[k]))
            place = count_up_to(edges, magnitude)
            sum_of[0, place] += 1
            sum_of[1, place] += magnitude
            sum_of[2, place] += magnitude * magnitude
        partial[p] = sum_of
