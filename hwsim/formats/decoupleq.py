"""decoupleQ: integers with a real scale and a real offset per group, fitted together."""

import dataclasses

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, code_array, encode_nearest, ones, reduce_groups, rows
from hwsim.formats._params import check_choice, stored_scale
from hwsim.formats._scales import stored
from hwsim.formats.integer import codebook
from hwsim.qtensor import QTensor

SMALLEST_STEP = 2.0**-18
"""Of the largest weight of a group: below it float32 would not tell values apart."""


def quantize(
    w: np.ndarray, *, bits: int = 2, group_size: int | None = 64, pad: bool = False, iterations: int = 8,
    importance: np.ndarray | None = None, scale_kind: str = "fp32",
) -> QTensor:  # fmt: skip
    """``w = scale * q + offset``, q in -2^(bits-1) .. 2^(bits-1)-1, ties of q toward +infinity.

    Scale and offset of a group start from its range; ``iterations`` times the codes are set to
    the nearest and scale and offset solved from them by least squares, each weight counting
    as much as ``importance`` [K] says (the mean square of its input, the diagonal of decoupleQ's
    H = X X^T; None for equal). A step that makes a group worse is not taken.
    One multiply-accumulate adds or subtracts shifted activations; the offset adds ``offset``
    times the sum of the group's activations, which all channels share.
    Source: decoupleQ, Guo et al., arXiv 2404.12759.
    """
    check_choice("bits", bits, tuple(range(2, 9)))
    check_choice("iterations", iterations, tuple(range(101)))
    flat = rows(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    weight = _importance(importance, flat.shape[1])
    low, high = reduce_groups(np.minimum, flat, size), reduce_groups(np.maximum, flat, size)
    half = 1 << (bits - 1)
    scale = (high - low) / (2 * half - 1)
    scale = np.where(scale == 0, np.where(low == 0, 1.0, np.abs(low)), scale)
    offset = low + half * scale
    scale, offset = _fit(flat, weight, scale, offset, size, bits, iterations)
    scale = np.maximum(scale, np.maximum(-low, high) * SMALLEST_STEP)
    grid = QTensor(
        format="decoupleq", shape=w.shape, codes=code_array(np.zeros(flat.shape), bits), codebook=codebook(bits),
        group_size=size, scale=stored_scale(scale, scale_kind, 2 * half), scale_kind=scale_kind,
        offset=stored(offset, scale_kind), offset_kind=scale_kind, channel_scale=ones(len(flat)),
    )  # fmt: skip
    return encode(w, grid)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest value on the grid of ``like``, ties toward +infinity."""
    if like.lowered:
        return encode_nearest(w, like, ties="larger")
    assert like.offset is not None
    scale, offset = like.spread(like.scale).astype(np.float64), like.spread(like.offset)
    codes = _codes(rows(w), scale, offset, like.code_bits) & ((1 << like.code_bits) - 1)
    return dataclasses.replace(like, codes=code_array(codes, like.code_bits))


def _codes(flat: np.ndarray, scale: np.ndarray, offset: np.ndarray, bits: int) -> np.ndarray:
    """int64: ``floor((w - z) / s + 1/2)`` clipped."""
    half = 1 << (bits - 1)
    return np.clip(np.floor((flat - offset) / scale + 0.5), -half, half - 1).astype(np.int64)


def _importance(importance: np.ndarray | None, k: int) -> np.ndarray:
    if importance is None:
        return np.ones(k)
    weight = np.asarray(importance, dtype=np.float64).reshape(-1)
    if weight.shape != (k,) or not (np.isfinite(weight).all() and (weight > 0).all()):
        raise FormatError(f"decoupleq: importance must be {k} positive finite numbers, one per input")
    return weight / weight.max()


def _fit(
    flat: np.ndarray, weight: np.ndarray, scale: np.ndarray, offset: np.ndarray, size: int, bits: int, iterations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset [N, G] after alternating nearest codes and weighted least squares."""
    index = np.arange(flat.shape[1]) // size
    total = reduce_groups(np.add, np.broadcast_to(weight, (1, len(weight))), size)
    mean = reduce_groups(np.add, flat * weight, size) / total
    centred = flat - mean[:, index]
    best = np.full(scale.shape, np.inf)
    kept = scale, offset
    for step in range(iterations + 1):
        q = _codes(flat, scale[:, index], offset[:, index], bits).astype(np.float64)
        error = reduce_groups(np.add, weight * (scale[:, index] * q + offset[:, index] - flat) ** 2, size)
        better = error < best
        best = np.where(better, error, best)
        kept = np.where(better, scale, kept[0]), np.where(better, offset, kept[1])
        if step == iterations or not better.any():
            break
        q_mean = reduce_groups(np.add, q * weight, size) / total
        q_centred = q - q_mean[:, index]
        variance = reduce_groups(np.add, weight * q_centred**2, size)
        slope = reduce_groups(np.add, weight * q_centred * centred, size)
        solved = np.divide(slope, variance, out=scale.copy(), where=variance > 0)
        scale = np.where(solved > 0, solved, scale)
        offset = mean - scale * q_mean
    return kept


FORMATS = (
    Format(
        name="decoupleq", quantize=quantize, encode=encode, alphabet="scale * (-2 .. 1) + offset at 2 bits",
        mac="shifted additions; once per group the offset times the sum of activations",
        typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
