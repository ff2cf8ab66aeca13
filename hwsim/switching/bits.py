"""Counting bits that change."""

import numpy as np


def ones(values: np.ndarray, bits: int) -> np.ndarray:
    """How many of the ``bits`` low bits of each integer are 1: int64, like ``values`` int64[...]."""
    if bits > 63:  # wider than the integers: repeated signs
        return ones(values, 63) + (bits - 63) * (values < 0)
    return np.bitwise_count(values & ((1 << bits) - 1)).astype(np.int64)


def before(values: np.ndarray) -> np.ndarray:
    """Values [T, ...] as they were a cycle before: 0 at first."""
    return np.concatenate([np.zeros_like(values[:1]), values[:-1]])


def toggles(values: np.ndarray, bits: int) -> int:
    """Changes of the ``bits`` low bits of int64[T, ...] from cycle to cycle, all signals together."""
    return int(ones(values ^ before(values), bits).sum())


def product_toggles(a: np.ndarray, b: np.ndarray, a_bits: int, b_bits: int) -> int:
    """Changes of all ``a_bits * b_bits`` partial products (the ands of a bit of each) of int64[T, ...] operands."""
    a0, b0 = before(a), before(b)
    now, then = ones(a, a_bits) * ones(b, b_bits), ones(a0, a_bits) * ones(b0, b_bits)
    return int((now + then - 2 * ones(a & a0, a_bits) * ones(b & b0, b_bits)).sum())


def row_toggles(a: np.ndarray, b: np.ndarray, a_bits: int, b_bits: int) -> int:
    """Changes of the rows that a signed multiplier adds up: for every bit of ``b`` that is 1 a copy of ``a``, its sign
    repeated up to the product's width."""
    return sum(toggles(np.where(b >> place & 1, a, 0), a_bits + b_bits - place) for place in range(b_bits))
