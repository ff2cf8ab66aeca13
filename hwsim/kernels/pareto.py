"""Which points of many no other one beats."""

import numpy as np

from hwsim.kernels._jit import jit


@jit()
def front(values):
    """bool[P]: which of float64[P, D] ``values``, sorted by the first column, then the next, ..., no row dominates.

    A row is dominated by one that is smaller somewhere and larger nowhere: such a one comes before it, and is on the
    front or dominated by one that is.
    """
    count, size = values.shape
    keep = np.zeros(count, dtype=np.bool_)
    members = np.empty((count, size))
    found = 0
    for p in range(count):
        beaten = False
        for f in range(found):
            less, more = False, False
            for d in range(size):
                less |= members[f, d] < values[p, d]
                more |= members[f, d] > values[p, d]
            if less and not more:
                beaten = True
                for d in range(size):  # who beats one point often beats the next: look there first
                    members[0, d], members[f, d] = members[f, d], members[0, d]
                break
        if not beaten:
            keep[p] = True
            members[found] = values[p]
            found += 1
    return keep
