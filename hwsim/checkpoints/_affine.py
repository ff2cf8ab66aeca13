"""Packed whole numbers, and affine integers as a QTensor."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import CheckpointError
from hwsim.formats.integer import codebook
from hwsim.packing import unpack
from hwsim.qtensor import QTensor


def unpack_words(words: np.ndarray, bits: int, count: int) -> np.ndarray:
    """uint8[N, count] from int32[N, W]: values of ``bits``, the first in the lowest bits of the first word.

    Values cross words where ``bits`` does not divide 32, and no bit is left out.
    """
    stored = np.ascontiguousarray(words, dtype="<i4").view(np.uint8)
    return unpack(stored[:, : -(-count * bits // 8)], bits, count)


def group_size(stored: int, k: int, name: str) -> int:
    """The length of a group of ``k`` inputs; -1 stands for all of them."""
    size = k if stored == -1 else stored
    if size < 1:
        raise CheckpointError(f"{name}: group_size {stored} is neither positive nor -1")
    return min(size, k)


def check_order(g_idx: np.ndarray, size: int, name: str) -> None:
    """CheckpointError unless group indices ascend in steps of ``size``: groups of consecutive inputs."""
    if g_idx.ndim != 1 or not np.array_equal(g_idx, np.arange(len(g_idx)) // size):
        raise CheckpointError(
            f"tensor {name!r} gives groups inputs that are not consecutive (desc_act, actorder): not supported; "
            "quantize without activation order, or with static groups"
        )


def affine(bits: int, codes: np.ndarray, zero: np.ndarray | None, scale: np.ndarray, size: int, name: str) -> QTensor:
    """``w = scale * (u - zero)`` for u uint8[N, K] in 0 .. 2^bits-1; scale, zero [1|N, 1|G].

    Where every zero is ``2^(bits-1)``, codes become the signed integers ``u - 2^(bits-1)`` without one.
    """
    half = 1 << (bits - 1)
    n, k = codes.shape
    groups = -(-k // size)
    shapes = [(1, 1), (n, 1), (1, groups), (n, groups)]
    for what, array in (("scales", scale), ("zero points", zero)):
        if array is not None and array.shape not in shapes:
            raise CheckpointError(f"{name}: {what} have shape {array.shape} for weights [{n}, {k}] in groups of {size}")
    q = QTensor(
        format=f"int{bits}", shape=(n, k), codes=codes ^ half, codebook=codebook(bits), group_size=size,
        scale=scale.astype(np.float32), channel_scale=np.ones(n, np.float32),
        scale_kind="fp16" if (scale == scale.astype(np.float16)).all() else "fp32",
    )  # fmt: skip
    if zero is None or (zero == half).all():
        return q
    unsigned = Codebook.of(np.arange(1 << bits), bits)
    return dataclasses.replace(q, codes=codes, codebook=unsigned, zero_point=zero.astype(np.uint16))
