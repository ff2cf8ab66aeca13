"""Binary coding: levels that are signed sums of plane weights, and the nearest of them."""

import dataclasses

import numpy as np

from hwsim.formats._nearest import rows
from hwsim.qtensor import QTensor

CHUNK = 1 << 19
"""Weights handled at once."""


def plane_signs(bits: int) -> np.ndarray:
    """float64[planes, codes]: +1 where the bit of the code is 1, else -1."""
    return 2.0 * ((np.arange(1 << bits) >> np.arange(bits)[:, None]) & 1) - 1


def nearest_levels(values: np.ndarray, weights: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """uint8 codes [..., g] of the nearest ``sum_i weights_i * (+-1) + offset``, as float32 decodes it.

    ``weights`` [planes, ...] and ``offset`` [...] are those of a group of ``values`` [..., g]. Of two levels equally
    far the larger is taken, of two equal levels the larger code.
    """
    signs = plane_signs(len(weights))
    levels = (np.moveaxis(weights, 0, -1) @ signs + offset[..., None]).astype(np.float32).astype(np.float64)
    order = np.argsort(levels, axis=-1, kind="stable").astype(np.uint8)
    levels = np.take_along_axis(levels, order.astype(np.int64), axis=-1)
    position = np.zeros(values.shape, np.uint8)
    for i in range(levels.shape[-1] - 1):
        position += values >= (levels[..., i, None] + levels[..., i + 1, None]) / 2
    for i in range(levels.shape[-1] - 2, -1, -1):
        equal = levels[..., i] == levels[..., i + 1]
        order[..., i] = np.where(equal, order[..., i + 1], order[..., i])
    return np.take_along_axis(order, position.astype(np.int64), axis=-1)


def grouped(flat: np.ndarray, size: int) -> np.ndarray:
    """[N, G, size] of [N, K], the last group filled with zeros."""
    n, k = flat.shape
    groups = -(-k // size)
    return np.pad(flat, ((0, 0), (0, groups * size - k))).reshape(n, groups, size)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest level of each weight's group in ``like``, by the ties of `nearest_levels`."""
    assert like.plane_weights is not None
    flat, size, channels = rows(w), like.group_size, like.channel_scale.astype(np.float64)
    shape = (len(like.plane_weights), like.n, like.groups)
    weights = np.broadcast_to(like.plane_weights * like.scale.astype(np.float64), shape)
    offset = np.broadcast_to(0.0 if like.offset is None else like.offset.astype(np.float64), shape[1:])
    codes = np.empty(flat.shape, np.uint8)
    step = max(1, CHUNK // like.k)
    for low in range(0, like.n, step):
        part = slice(low, low + step)
        unit = channels[part, None]
        found = nearest_levels(grouped(flat[part], size), weights[:, part] * unit, offset[part] * unit)
        codes[part] = found.reshape(len(found), -1)[:, : like.k]
    return dataclasses.replace(like, codes=codes)
