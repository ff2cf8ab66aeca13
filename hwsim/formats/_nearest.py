"""Nearest value of a codebook, under a stated rule for ties; groups of a row."""

import dataclasses
from typing import Literal

import numpy as np

from hwsim.decoding import look_up
from hwsim.errors import FormatError
from hwsim.qtensor import QTensor

Ties = Literal["even", "lower", "larger", "away"]
"""Between two values: the one with the even code index in ascending order, the smaller, the larger, the one
farther from zero."""


def nearest_codes(
    values: np.ndarray, table: np.ndarray, ties: Ties = "even", allowed: np.ndarray | None = None
) -> np.ndarray:
    """Index into ``table`` float64[E] of the nearest entry to each of ``values``.

    Of equal entries (two zeros) the first is taken. ``allowed`` bool[E] leaves codes out.
    """
    usable = np.arange(len(table)) if allowed is None else np.flatnonzero(allowed)
    grid, first = np.unique(table[usable], return_index=True)
    codes = usable[first]
    if len(grid) == 1:
        return np.broadcast_to(codes[0], values.shape).copy()
    middle = (grid[:-1] + grid[1:]) / 2
    below = np.searchsorted(middle, values, side="left")  # a tie stays at the lower one
    tie = np.isin(values, middle)
    if ties != "lower":
        upper = {
            "larger": np.ones(len(middle), dtype=bool),
            "even": np.arange(1, len(grid)) % 2 == 0,
            "away": middle > 0,
        }[ties]
        below = np.where(tie & upper[np.minimum(below, len(middle) - 1)], below + 1, below)
    return codes[below]


def encode_nearest(w: np.ndarray, like: QTensor, ties: Ties = "even") -> QTensor:
    """``w`` on the grid of ``like``: the nearest codebook value of its group."""
    flat = w.reshape(like.n, like.k).astype(np.float64)
    scale = like.spread(like.scale).astype(np.float64) * like.channel_scale[:, None]
    if like.offset is not None:
        flat = flat - like.spread(like.offset).astype(np.float64) * like.channel_scale[:, None]
    normal = np.divide(flat, scale, out=np.zeros_like(flat), where=scale != 0)
    if like.zero_point is not None:
        normal = normal + like.spread(like.zero_point)
    normal = _snapped(normal, like)
    codes = np.empty(flat.shape, dtype=like.codes.dtype)
    select = np.zeros(flat.shape, dtype=np.int64) if like.select is None else like.spread(like.select)
    allowed = None if like.codebook.special is None else ~like.codebook.special
    for table in range(like.codebook.tables):
        chosen = select == table
        if chosen.any():
            codes[chosen] = nearest_codes(normal[chosen], like.codebook.values[table], ties, allowed)
    return dataclasses.replace(like, codes=codes)


def _snapped(normal: np.ndarray, like: QTensor) -> np.ndarray:
    """``normal`` where it is within float32 rounding of the value that its own code means, made exact.

    Decoded values are rounded to float32; without this a value could fall beside a tie.
    """
    if like.tile > 1 or like.plane_weights is not None or like.envelope is not None:
        return normal
    exact = look_up(like, like.codebook.values)
    return np.where(np.abs(normal - exact) <= np.abs(exact) * 2.0**-20, exact, normal)


def check_group_size(k: int, group_size: int | None, pad: bool = False) -> int:
    """The group size for rows of ``k``; FormatError if it does not divide and ``pad`` is off."""
    if group_size is None:
        return k
    if not isinstance(group_size, int) or isinstance(group_size, bool) or group_size < 1:
        raise FormatError(f"group_size {group_size!r} is not a positive whole number")
    if k % group_size and not pad:
        raise FormatError(f"group_size {group_size} does not divide rows of {k}; choose a divisor or pad=True")
    return min(group_size, k)


def reduce_groups(ufunc: np.ufunc, flat: np.ndarray, group_size: int) -> np.ndarray:
    """[N, G]: ``ufunc`` (np.maximum, np.add, ...) over each group of [N, K]."""
    return ufunc.reduceat(flat, np.arange(0, flat.shape[1], group_size), axis=1)


def rows(w: np.ndarray) -> np.ndarray:
    """float64[N, K]."""
    return w.reshape(w.shape[0], -1).astype(np.float64)


def code_array(codes: np.ndarray, bits: int) -> np.ndarray:
    """``codes`` in the dtype that a QTensor stores codes of ``bits`` in."""
    return codes.astype(np.uint8 if bits <= 8 else np.uint16)


def ones(n: int) -> np.ndarray:
    """float32[n] of 1: the channel scale of a tensor that is not lowered."""
    return np.ones(n, dtype=np.float32)
