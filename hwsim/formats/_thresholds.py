"""Codes of small tables by thresholds: a value at or below one belongs under it."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hwsim.formats import _group_scales
from hwsim.kernels import nearest as kernel
from hwsim.qtensor import QTensor

Thresholds = Callable[[np.ndarray], np.ndarray]
"""Ascending distinct values [E] to thresholds [E - 1]."""

ROOT_HALF = 0.5**0.5
"""The float64 next above sqrt(1/2): no float64 lies between the two, so comparing with it is exact."""


def lower(grid: np.ndarray) -> np.ndarray:
    """Nearest value, ties to the smaller one."""
    return (grid[:-1] + grid[1:]) / 2


def larger(grid: np.ndarray) -> np.ndarray:
    """Nearest value, ties to the larger one."""
    return np.nextafter(lower(grid), -np.inf)


def away(grid: np.ndarray) -> np.ndarray:
    """Nearest value, ties to the one farther from zero."""
    return np.where(grid[1:] > 0, larger(grid), lower(grid))


def logarithmic(grid: np.ndarray) -> np.ndarray:
    """Nearest power of two in the exponent: sqrt(2) * 2**n parts 2**n from 2**(n+1).

    Zero becomes 0, or where the grid has no 0 the smallest positive value. With a 0, less than
    half of the smallest magnitude becomes 0.
    """
    step = np.where(grid[1:] > 0, np.nextafter(grid[1:] * ROOT_HALF, 0), grid[:-1] * ROOT_HALF)
    step = np.where((grid[1:] == 0) | (grid[:-1] == 0), away(grid), step)
    return np.where((grid[:-1] < 0) & (grid[1:] > 0), np.nextafter(0, -1), step)


def nonzero(grid: np.ndarray) -> np.ndarray:
    """`logarithmic`, but only 0 becomes 0."""
    return np.where(grid[1:] == 0, np.nextafter(0, -1), np.where(grid[:-1] == 0, 0, logarithmic(grid)))


def codes(
    x: np.ndarray, scale: np.ndarray, group_size: int, tables: np.ndarray, rule: Thresholds,
    select: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """uint8[N, K] codes of ``x / scale`` in ``tables`` [C, E], scale [N, G]; of equal values the first code."""
    grids = [np.unique(table, return_index=True) for table in tables]
    width = max(len(grid) for grid, _ in grids)
    order = np.zeros((len(tables), width), np.uint8)
    limits = np.full((len(tables), width - 1), np.inf)
    for t, (grid, first) in enumerate(grids):
        order[t, : len(grid)] = first
        limits[t, : len(grid) - 1] = rule(grid)
    chosen = _group_scales.per_group(np.zeros((1, 1), np.uint16) if select is None else select, scale.shape)
    result = np.empty(x.shape, np.uint8)
    kernel.encode(x, scale, group_size, chosen, limits, order, result)
    return _group_scales.final(result)


def encoder(rule: Thresholds) -> Callable[[np.ndarray, QTensor], QTensor]:
    """``(w, like) -> QTensor`` by ``rule`` on the grid of ``like``."""

    def encode(w: np.ndarray, like: QTensor) -> QTensor:
        flat = _group_scales.matrix(w)
        new = codes(flat, _group_scales.of(like), like.group_size, like.codebook.values, rule, like.select)
        return dataclasses.replace(like, codes=new)

    return encode
