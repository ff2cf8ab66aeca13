"""Plane weights and codes of binary coding: greedy, alternating least squares, nearest levels."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def encode(x: np.ndarray, group_size: int, weights: np.ndarray, offset: np.ndarray, codes: np.ndarray) -> None:
    """Codes[N, K]: the nearest ``sum_i weights[i] * (+-1) + offset``, as float32 decodes it, of each x.

    Weights are [planes, N, G], offset [N, G]. Of two levels equally far the larger is taken, of two equal
    levels the larger code.
    """
    for n in numba.prange(x.shape[0]):
        for group in range(weights.shape[2]):
            end = min((group + 1) * group_size, x.shape[1])
            part = slice(group * group_size, end)
            _nearest(x[n, part], weights[:, n, group], offset[n, group], codes[n, part])


@jit(parallel=True)
def fit(x: np.ndarray, group_size: int, rounds: int, weights: np.ndarray, codes: np.ndarray) -> None:
    """Weights[planes, N, G] and codes[N, K]: greedy, then up to ``rounds`` of least squares and nearest levels."""
    for n in numba.prange(x.shape[0]):
        for group in range(weights.shape[2]):
            end = min((group + 1) * group_size, x.shape[1])
            part = slice(group * group_size, end)
            _greedy(x[n, part], weights[:, n, group], codes[n, part])
            _alternate(x[n, part], rounds, weights[:, n, group], codes[n, part])


@jit()
def _greedy(x: np.ndarray, weights: np.ndarray, codes: np.ndarray) -> None:
    residual = x.copy()
    codes[:] = 0
    for i in range(len(weights)):
        weight = 0.0
        for k in range(len(x)):
            weight += abs(residual[k])
        weight /= len(x)
        weights[i] = weight
        for k in range(len(x)):
            if residual[k] >= 0:
                codes[k] |= 1 << i
                residual[k] -= weight
            else:
                residual[k] += weight


@jit()
def _alternate(x: np.ndarray, rounds: int, weights: np.ndarray, codes: np.ndarray) -> None:
    for _ in range(rounds):
        _least_squares(x, codes, weights)
        if not _nearest(x, weights, 0.0, codes):
            break


@jit()
def _least_squares(x: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> None:
    """The best weights for ``codes``; unchanged where their planes are linearly dependent."""
    planes = len(weights)
    counts = np.zeros(1 << planes)
    sums = np.zeros(1 << planes)
    for k in range(len(x)):
        counts[codes[k]] += 1
        sums[codes[k]] += x[k]
    system = np.zeros((planes, planes + 1))  # normal equations
    for code in range(len(counts)):
        for i in range(planes):
            left = 1 if code >> i & 1 else -1
            system[i, planes] += left * sums[code]
            for j in range(planes):
                system[i, j] += left * counts[code] if code >> j & 1 else -left * counts[code]
    for i in range(planes):
        if system[i, i] < 1e-9 * len(x):
            return
        for j in range(planes):
            if j != i:
                factor = system[j, i] / system[i, i]
                for column in range(planes + 1):
                    system[j, column] -= system[i, column] * factor
    for i in range(planes):
        weights[i] = system[i, planes] / system[i, i]


@jit()
def _nearest(x: np.ndarray, weights: np.ndarray, offset: float, codes: np.ndarray) -> bool:
    """Whether a code changed."""
    size = 1 << len(weights)
    levels = np.empty(size)
    order = np.empty(size, np.uint8)
    for code in range(size):
        level = offset
        for i in range(len(weights)):
            level += weights[i] if code >> i & 1 else -weights[i]
        level = np.float64(np.float32(level))
        place = code
        while place > 0 and levels[place - 1] > level:
            levels[place] = levels[place - 1]
            order[place] = order[place - 1]
            place -= 1
        levels[place] = level
        order[place] = code
    for i in range(size - 2, -1, -1):
        if levels[i] == levels[i + 1]:
            order[i] = order[i + 1]
    below = np.zeros(len(x), np.uint8)
    for i in range(size - 1):
        middle = (levels[i] + levels[i + 1]) / 2
        for k in range(len(x)):
            below[k] += x[k] >= middle
    changed = False
    for k in range(len(x)):
        changed |= codes[k] != order[below[k]]
        codes[k] = order[below[k]]
    return changed
