"""decoupleQ: integers with a real scale and a real offset per group, fitted together."""

import dataclasses

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, code_array, encode_nearest, ones, reduce_groups, rows
from hwsim.formats._params import check_choice, stored_scale
from hwsim.formats._scales import stored
from hwsim.formats.integer import codebook
from hwsim.kernels import group_fit
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
    group_fit.fit(flat, weight, scale, offset, size, half, iterations)
    scale = np.maximum(scale, np.maximum(-low, high) * SMALLEST_STEP)
    grid = QTensor(
        format="decoupleq", shape=w.shape, codes=code_array(np.zeros(flat.shape), bits), codebook=codebook(bits),
        group_size=size, scale=stored_scale(scale, scale_kind, 2 * half), scale_kind=scale_kind,
        offset=stored(offset, scale_kind), offset_kind=scale_kind, channel_scale=ones(len(flat)),
    )  # fmt: skip
    return encode(w, grid)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """The nearest value on the grid of ``like``, ties toward +infinity."""
    if like.lowered or like.offset is None:
        return encode_nearest(w, like, ties="larger")
    out = np.empty((like.n, like.k), np.uint8)
    group_fit.codes(
        rows(w), like.scale.astype(np.float64), like.offset.astype(np.float64), like.channel_scale.astype(np.float64),
        like.group_size, 1 << (like.code_bits - 1), out,
    )  # fmt: skip
    return dataclasses.replace(like, codes=out)


def _importance(importance: np.ndarray | None, k: int) -> np.ndarray:
    if importance is None:
        return np.ones(k)
    weight = np.asarray(importance, dtype=np.float64).reshape(-1)
    if weight.shape != (k,) or not (np.isfinite(weight).all() and (weight > 0).all()):
        raise FormatError(f"decoupleq: importance must be {k} positive finite numbers, one per input")
    return weight / weight.max()


FORMATS = (
    Format(
        name="decoupleq", quantize=quantize, encode=encode, alphabet="scale * (-2 .. 1) + offset at 2 bits",
        mac="shifted additions; once per group the offset times the sum of activations",
        typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
