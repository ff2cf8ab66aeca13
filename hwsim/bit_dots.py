"""Dot products of bits as hardware forms them: AND or XNOR, counts, tables of signed sums."""

import numpy as np


def xnor_count(x: np.ndarray, w: np.ndarray) -> int:
    """How many of the bits 0/1 of ``x`` and ``w`` [n] agree."""
    n = len(x)
    agree = ~(_packed(x) ^ _packed(w))
    if n % 8:
        agree[-1] &= (1 << n % 8) - 1  # the bits that pad the last byte are no match
    return int(np.bitwise_count(agree).sum())


def xnor_dot(x: np.ndarray, w: np.ndarray) -> int:
    """The dot product of the signs +-1 that bits 1/0 stand for: ``2 * count - n``."""
    return 2 * xnor_count(x, w) - len(x)


def and_count(x: np.ndarray, w: np.ndarray) -> int:
    """How many bits are 1 in both: the dot product of bits as 0/1."""
    return int(np.bitwise_count(_packed(x) & _packed(w)).sum())


def and_dot(x: np.ndarray, w: np.ndarray) -> int:
    """The dot product of bits 0/1 and signs: ``2 * count(x & w) - count(x)``."""
    return 2 * and_count(x, w) - int(x.sum())


def adabin_dot(
    n: int, dot: int, sum_x: int, sum_w: int, x_grid: tuple[float, float], w_grid: tuple[float, float]
) -> float:
    """The dot product of ``b + a * sign`` on both sides, each grid (a, b), from that of the n signs and their sums."""
    (scale_x, offset_x), (scale_w, offset_w) = x_grid, w_grid
    mixed = scale_w * offset_x * sum_w + scale_x * offset_w * sum_x
    return scale_w * scale_x * dot + mixed + n * offset_x * offset_w


def bit_planes(values: np.ndarray, bits: int, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bits uint8[bits, ...] of whole numbers and the weight of each plane: that of a sign bit is negative."""
    weights = 1 << np.arange(bits)
    planes = ((values[None] >> np.arange(bits).reshape(-1, *[1] * values.ndim)) & 1).astype(np.uint8)
    return planes, np.where(signed & (np.arange(bits) == bits - 1), -weights, weights)


def plane_dot(
    x_planes: np.ndarray, x_weights: np.ndarray, w_planes: np.ndarray, w_weights: np.ndarray
) -> float:  # fmt: skip
    """The dot product of two vectors in bit planes [planes, n]: an AND and a count per pair of planes."""
    counts = np.array([[and_count(x, w) for w in w_planes] for x in x_planes])
    return (x_weights @ counts @ w_weights).item()


def sum_tables(x: np.ndarray, mu: int) -> np.ndarray:
    """[ceil(K / mu), 2**mu]: signed sums of each chunk of ``mu`` activations [K]; bit j of the index is x_j's sign."""
    chunks = _chunks(x, mu)
    signs = 2 * ((np.arange(1 << mu)[:, None] >> np.arange(mu)) & 1) - 1
    return chunks @ signs.T


def table_keys(bits: np.ndarray, mu: int) -> np.ndarray:
    """[..., ceil(K / mu)]: the entries of `sum_tables` that planes of bits 0/1 [..., K] read."""
    return _chunks(bits.astype(np.int64), mu) @ (1 << np.arange(mu))


def _chunks(values: np.ndarray, mu: int) -> np.ndarray:
    """[..., ceil(K / mu), mu], filled with zeros."""
    count = -(-values.shape[-1] // mu)
    padding = [(0, 0)] * (values.ndim - 1) + [(0, count * mu - values.shape[-1])]
    return np.pad(values, padding).reshape(*values.shape[:-1], count, mu)


def _packed(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, bitorder="little")
