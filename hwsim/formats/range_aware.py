"""Range-aware 2/4/16 bits: groups of wide range in 4 bits, the others in 2, outliers in 16."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, encode_nearest, reduce_groups, rows
from hwsim.formats._outliers import as_kind, largest, outlier_count
from hwsim.formats._params import stored_scale
from hwsim.formats.integer import codebook
from hwsim.kernels import range_aware as kernels
from hwsim.qtensor import QTensor, Sparse

STEPS = 15
"""Largest 4-bit scale."""
HALF = np.array([2, 8])
"""Codes of a group are -HALF .. HALF-1, by table."""
TABLES = np.array([np.append(codebook(2).values[0], np.zeros(12)), codebook(4).values[0]])
CODEBOOK = Codebook.of(TABLES, 4, table_bits=np.array([2, 4], np.uint8))


def quantize(
    w: np.ndarray, *, group_size: int = 16, pad: bool = False, wide: float = 0.25, outliers: float = 0.002
) -> QTensor:
    """``w = unit * c * q``: q in -2 .. 1, or -8 .. 7 in the groups of largest range, c in 1 .. 15.

    The fraction ``outliers`` of the largest |w| is stored apart in fp16 with a 16-bit column
    (32 beyond 65536), instead of the dense value; of the groups of the rest, the fraction ``wide``
    with the largest range (max - min) has 4-bit codes. The fp16 unit of a channel lets its
    largest scale reach every value; the 4-bit c of a group is that of least squared error.
    q = RNE(w / (unit * c)). One multiply-accumulate is a bit-serial addition in one pass or two.
    Source: Enabling Fast 2-bit LLM on GPUs, Li et al., arXiv 2311.16442.
    """
    flat = rows(w)
    k = flat.shape[1]
    size = check_group_size(k, group_size, pad)
    index = largest(np.abs(flat), outlier_count("outliers", outliers, flat.size))
    dense = flat.copy()
    dense.flat[index] = 0
    low, high = reduce_groups(np.minimum, dense, size), reduce_groups(np.maximum, dense, size)
    select = np.zeros(low.shape, dtype=np.uint16)
    select.flat[largest(high - low, outlier_count("wide", wide, low.size))] = 1
    needed = np.maximum(-low, high) / np.where(select, 7, 1)
    unit = stored_scale(needed.max(axis=1) / STEPS, "fp16", 1)
    kept = np.ones(flat.shape, dtype=bool)
    kept.flat[index] = False
    steps = np.ones(low.shape, dtype=np.int64)
    kernels.scales(dense, kept, unit.astype(np.float64), HALF[select], size, STEPS, steps)
    grid = QTensor(
        format="range_aware", shape=w.shape, codes=np.zeros(flat.shape, np.uint8), codebook=CODEBOOK, group_size=size,
        select=select, scale=steps.astype(np.float32), scale_kind="int4", channel_scale=unit,
        sparse=_sparse(index, k),
    )  # fmt: skip
    return encode(w, grid)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """RNE(w / scale) within the bits of the group; outliers stay where they are, with code 0."""
    if like.select is None or like.lowered:
        return encode_nearest(w, like)
    flat = rows(w)
    codes = np.empty(flat.shape, np.uint8)
    kernels.codes(
        flat,
        like.scale.astype(np.float64),
        like.channel_scale.astype(np.float64),
        HALF[like.select],
        like.group_size,
        codes,
    )
    sparse = like.sparse
    if sparse is not None:
        codes.flat[sparse.index] = 0
        sparse = dataclasses.replace(sparse, value=as_kind(flat.flat[sparse.index], "fp16"))
    return dataclasses.replace(like, codes=codes, sparse=sparse)


def average_bits(
    wide: float, group_size: float, scale_bits: float, zero_bits: float, outliers: float, outlier_bits: float
) -> float:
    """The paper's count, without width flags and row pointers: codes, scales and zeros, outliers."""
    return (1 - wide) * 2 + wide * 4 + (scale_bits + zero_bits) / group_size + outliers * outlier_bits


def _sparse(index: np.ndarray, k: int) -> Sparse | None:
    if not index.size:
        return None
    return Sparse(
        index=index, value=np.zeros(index.size, np.float32), mode="override", index_bits=16 if k <= 1 << 16 else 32
    )


FORMATS = (
    Format(
        name="range_aware", quantize=quantize, encode=encode, alphabet="-2 .. 1 or -8 .. 7 by group, fp16 outliers",
        mac="a bit-serial addition, one pass for 2-bit groups, two for 4-bit ones; sparse fp16 beside it",
        typical={"outliers": 0.0008},
    ),
)  # fmt: skip
