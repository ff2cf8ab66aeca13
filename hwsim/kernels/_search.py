"""Binary search without branches, which a processor cannot foresee."""

import numpy as np

from hwsim.kernels._jit import jit


@jit()
def count_below(ascending: np.ndarray, value: float) -> int:
    """How many of ``ascending`` are less than ``value``."""
    low, rest = 0, ascending.size
    while rest > 0:
        half = (rest + 1) // 2
        low += half if ascending[low + half - 1] < value else 0
        rest -= half
    return low


@jit()
def count_up_to(ascending: np.ndarray, value: float) -> int:
    """How many of ``ascending`` are less than or equal to ``value``."""
    low, rest = 0, ascending.size
    while rest > 0:
        half = (rest + 1) // 2
        low += half if ascending[low + half - 1] <= value else 0
        rest -= half
    return low
