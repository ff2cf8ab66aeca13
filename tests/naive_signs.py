"""Slow, obvious sign, ternary, complex and plane formats, one weight at a time in Python floats."""

import math
from itertools import product


def sign(x: float) -> int:
    return 1 if x >= 0 else -1


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def binary(row: list[float]) -> tuple[list[int], float]:
    """Signs and scale of a channel."""
    return [sign(x) for x in row], mean([abs(x) for x in row])


def plum(w: list[list[float]], delta: float = 0.05) -> list[list[int]]:
    result = []
    for i, row in enumerate(w):
        region = 1 if i < len(w) // 2 else -1
        threshold = delta * max(abs(x) for x in row)
        result.append([region if region * x >= threshold and threshold > 0 else 0 for x in row])
    return result


def tile(flat: list[float], p: int) -> list[int]:
    size = len(flat) // p
    sums = [sum(flat[j * size + i] for j in range(p)) for i in range(size)]
    return [1 if total > 0 else -1 for total in sums]


def ternary(flat: list[float], divisor: float) -> list[int]:
    return [max(-1, min(1, round(x / divisor))) for x in flat]


def lower_median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def fdb(x: float, first: float, second: float) -> tuple[int, int]:
    b1 = 1 if x - (first + second) / 2 >= 0 else 0
    b2 = 1 if -(x - first * b1 - second / 2) >= 0 else 0
    return b1, b2


def phase(z: complex) -> int:
    """The power of i of the sector that the phase lies in; corners are decided by exact comparison."""
    x, y = z.real, z.imag
    if x == y == 0:
        return 0
    if abs(x) == abs(y):
        return {(1, 1): 1, (-1, 1): 2, (-1, -1): 3, (1, -1): 0}[(sign(x), sign(y))]
    if abs(x) > abs(y):
        return 0 if x > 0 else 2
    return 1 if y > 0 else 3


def greedy_bcq(group: list[float], bits: int) -> tuple[list[list[int]], list[float]]:
    """Planes of signs and their weights."""
    residual, planes, weights = list(group), [], []
    for _ in range(bits):
        weight = mean([abs(x) for x in residual])
        plane = [sign(x) for x in residual]
        residual = [x - weight * b for x, b in zip(residual, plane, strict=True)]
        planes.append(plane)
        weights.append(weight)
    return planes, weights


def levels(weights: list[float], offset: float = 0.0) -> list[float]:
    """What every combination of signs sums to."""
    return [sum(a * b for a, b in zip(weights, signs, strict=True)) + offset
            for signs in product((-1, 1), repeat=len(weights))]  # fmt: skip


def affine(group: list[float], levels: int) -> tuple[list[int], float, int]:
    """Codes 0 .. levels, scale and zero of ABQ."""
    scale = (max(group) - min(group)) / levels
    zero = round(-min(group) / scale)
    return [max(0, min(levels, round(x / scale) + zero)) for x in group], scale, zero


def trits(values: list[int]) -> list[int]:
    """Bytes of five digits ``value + 1`` in base 3, lowest first."""
    digits = [value + 1 for value in values]
    return [sum(d * 3**j for j, d in enumerate(digits[i : i + 5])) for i in range(0, len(digits), 5)]
