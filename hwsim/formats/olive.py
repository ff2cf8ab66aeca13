"""OliVe: pairs of weights in which an outlier takes over its neighbour's place."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _thresholds
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, reduce_groups
from hwsim.formats._params import check_choice, stored_scale
from hwsim.qtensor import QTensor

VICTIM = 0b1000
NORMAL = {"int4": np.arange(8), "flint4": np.array([0, 1, 2, 3, 4, 6, 8, 16])}
OUTLIER = {"int4": np.array([0, 12, 16, 24, 32, 48, 64, 96]), "flint4": np.array([0, 24, 32, 48, 64, 96, 128, 192])}
"""Magnitudes by code: abfloat E2M1 (2 exponent bits, 1 mantissa bit) with a bias that puts it above the
normal ones; its code 0 is not used."""


def codebook(normal: str) -> Codebook:
    """Table 0 normal values, table 1 outliers; int4 is two's complement, the others sign and magnitude."""
    magnitude = NORMAL[normal]
    negative = np.arange(8) - 8 if normal == "int4" else -magnitude
    tables = np.array([[*magnitude, *negative], [*OUTLIER[normal], *-OUTLIER[normal]]])
    tables[0, VICTIM] = 0
    return Codebook.of(tables, 4)


def quantize(
    w: np.ndarray, *, normal: str = "int4", group_size: int | None = None, sigmas: float = 3.0,
    scale_kind: str = "fp32",
) -> QTensor:  # fmt: skip
    """``w = scale * v``, v from int4 -7..7 (or flint4) or, for an outlier, abfloat E2M1 beyond it.

    A pair of neighbours (2i, 2i+1) holds at most one outlier; the other of the pair, its
    victim, becomes 0 and its code 1000b says so. A weight is an outlier where the nearest
    value of both alphabets together is one (from 9.5 for int4), ties to the larger value; of two
    outliers the left is kept. The scale puts ``sigmas`` root mean squares of the channel (or
    group), at most its maximum, at the largest normal value.
    One multiply-accumulate is a multiplication by a 4-bit number and a shift.
    Source: OliVe, Guo et al., ISCA 2023, arXiv 2304.07493; flint4: ANT, arXiv 2208.14286.
    """
    check_choice("normal", normal, tuple(NORMAL))
    if isinstance(sigmas, bool) or not isinstance(sigmas, int | float) or not 0 < sigmas < np.inf:
        raise FormatError(f"sigmas must be a positive finite number, not {sigmas!r}")
    flat = _group_scales.matrix(w)
    if flat.shape[1] % 2:
        raise FormatError(f"olive: rows of {flat.shape[1]} weights do not divide into pairs")
    size = check_group_size(flat.shape[1], group_size)
    if size % 2:
        raise FormatError(f"olive: group_size {size} cuts a pair")
    largest = _group_scales.largest(flat, size)
    unit = np.where(largest == 0, 1.0, largest)
    square = flat / np.repeat(unit, size, axis=1)
    square = reduce_groups(np.add, np.square(square, out=square), size)
    exact = np.minimum(largest, sigmas * unit * np.sqrt(square / size)) / NORMAL[normal][-1]
    grid = QTensor(
        format="olive", codes=np.zeros(flat.shape, np.uint8), codebook=codebook(normal), group_size=size,
        scale=stored_scale(exact, scale_kind, OUTLIER[normal][-1]), scale_kind=scale_kind, pairs=True,
        **_group_scales.fields(w),
    )  # fmt: skip
    return encode(w, grid)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Nearest over normal values and outliers, ties to the larger; the left of two outliers is kept."""
    tables = like.codebook.values
    union = np.concatenate([np.delete(tables[0], VICTIM), np.delete(tables[1], [0, VICTIM])])
    codes = np.concatenate([np.delete(np.arange(16), VICTIM), np.delete(np.arange(16), [0, VICTIM])]).astype(np.uint8)
    chosen = _thresholds.codes(
        _group_scales.matrix(w), _group_scales.of(like), like.group_size, union[None], _thresholds.larger
    )
    outlier = chosen >= 15
    left, right = outlier[:, ::2], outlier[:, 1::2]
    stored = codes[chosen]
    stored[:, 1::2] = np.where(left, VICTIM, stored[:, 1::2])
    stored[:, ::2] = np.where(right & ~left, VICTIM, stored[:, ::2])
    return dataclasses.replace(like, codes=stored)


FORMATS = (
    Format(
        name="olive", quantize=quantize, encode=encode,
        alphabet="-7 .. 7 and, beside a 0, +-{12, 16, 24, 32, 48, 64, 96}; flint4 likewise",
        mac="a 4-bit multiplication and a shift", typical={"scale_kind": "fp16"},
        greedy="the nearest value unless the neighbour is an outlier: then 0",
    ),
)  # fmt: skip
