"""Slow, obvious rounding rules and choices of number formats."""

import math

import numpy as np


def _neighbours(x: float, grid: list[float]) -> tuple[float, float]:
    """The values of an ascending grid at or around x, both the same beyond an end."""
    below = [v for v in grid if v <= x] or grid[:1]
    above = [v for v in grid if v >= x] or grid[-1:]
    return below[-1], above[0]


def ties_lower(x: float, grid: list[float]) -> float:
    low, high = _neighbours(x, grid)
    return high if x > (low + high) / 2 else low


def ties_larger(x: float, grid: list[float]) -> float:
    low, high = _neighbours(x, grid)
    return high if x >= (low + high) / 2 else low


def ties_away(x: float, grid: list[float]) -> float:
    return ties_larger(x, grid) if x > 0 else ties_lower(x, grid)


def ties_even(x: float, grid: list[float]) -> float:
    """Among the magnitudes in ascending order the one with the even index."""
    positive = [v for v in grid if v >= 0]
    low, high = _neighbours(abs(x), positive)
    middle = (low + high) / 2
    chosen = low if abs(x) < middle else high
    if abs(x) == middle:
        chosen = low if positive.index(low) % 2 == 0 else high
    return math.copysign(chosen, x)


def logarithmic(x: float, grid: list[float]) -> float:
    """RNE(log2|x|) clipped; with a zero, below half of the smallest magnitude is zero."""
    powers = [v for v in grid if v > 0]
    if 0 in grid and abs(x) < powers[0] / 2:
        return 0.0
    exponent = -(10**9) if x == 0 else round(math.log2(abs(x)))
    low, high = round(math.log2(powers[0])), round(math.log2(powers[-1]))
    return math.copysign(2.0 ** min(max(exponent, low), high), x if x else 1.0)


def only_zero_is_zero(x: float, grid: list[float]) -> float:
    return logarithmic(x, [v for v in grid if v]) if x else 0.0


def bitmod_choice(w: np.ndarray, tables: np.ndarray) -> tuple[float, int]:
    """Scale and index of the first candidate with the lowest squared error."""
    found = []
    for table in tables:
        scale = min(max(np.abs(w).max() / np.abs(table).max(), 1e-5), 1e4)
        error = 0.0
        for x in w:
            error += (x - ties_lower(x / scale, sorted(table.tolist())) * scale) ** 2
        found.append((error, scale))
    choice = min(range(len(found)), key=lambda i: found[i][0])
    return found[choice][1], choice
