"""ABQ: integers as bit planes with a zero point, and the balanced 3 and 5 levels."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _uniform
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, reduce_groups
from hwsim.formats._scales import check_number, stored
from hwsim.qtensor import QTensor

ZERO_LIMIT = 127


def quantize(
    w: np.ndarray, *, bits: int = 2, balanced: bool = False, group_size: int | None = None, pad: bool = False,
    scale_kind: str = "fp32",
) -> QTensor:  # fmt: skip
    """``w = s * (q - zero)``, q = clip(RNE(w / s) + zero) in 0 .. 2**bits - 1, or 2**bits if ``balanced``.

    s = (max - min) / levels of the channel or group and zero = RNE(-min / s), 8 bits; s is enlarged to
    |min| / 127 where zero would not fit. ``balanced`` (1 or 2 bits) is ABQ's bit balance: 3 or 5
    levels, which take a plane more than the name says, of weights 1, 1 (, 2). With activations in p planes and
    weights in r a multiply-accumulate is p * r ANDs and counts; ``-s * zero`` times the sum of activations is
    added. Source: ABQ-LLM, Zeng et al., arXiv 2408.08554.
    """
    check_number("abq: bits", bits, 1, 8, whole=True)
    if not isinstance(balanced, bool) or (balanced and bits > 2):
        raise FormatError(f"abq: balanced must be True (for 1 or 2 bits) or False, not {balanced!r} for {bits} bits")
    flat = _group_scales.matrix(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    book = codebook(bits, balanced)
    low, high = (reduce_groups(each, flat, size).astype(np.float64) for each in (np.minimum, np.maximum))
    scale = np.maximum((high - low) / book.values.max(), np.abs(low) / ZERO_LIMIT)
    scale = stored(scale, scale_kind, positive=True)
    zero = np.clip(np.rint(-low / scale.astype(np.float64)), -ZERO_LIMIT, ZERO_LIMIT)
    like = QTensor(
        format="abq", codes=np.zeros(flat.shape, np.uint8), codebook=book, group_size=size,
        scale=scale, scale_kind=scale_kind, offset=stored(0.0 - scale * zero, "fp32"), offset_kind="int8",
        **_group_scales.fields(w),
    )  # fmt: skip
    return encode(w, like)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """clip(RNE(w / s) + zero) with the scales and zeros of ``like``."""
    assert like.offset is not None
    scale = like.scale.astype(np.float64)
    zero = np.rint(-like.offset / np.where(scale == 0, np.inf, scale))
    levels = like.codebook.integers[0]
    top = int(levels.max())
    q = _uniform.codes(_group_scales.matrix(w), _group_scales.of(like), like.group_size, 0, top, zero)
    if top + 1 < len(levels):
        q = np.searchsorted(levels, np.arange(top + 1)).astype(np.uint8)[q]
    return dataclasses.replace(like, codes=q)


def codebook(bits: int, balanced: bool) -> Codebook:
    """0 .. 2**bits - 1; balanced 0 .. 2**bits, a plane more: the value is bit 0 plus the code's upper bits."""
    if not balanced:
        return Codebook.of(np.arange(1 << bits), bits)
    codes = np.arange(2 << bits)
    return Codebook.of((codes & 1) + (codes >> 1), bits + 1)


FORMATS = (
    Format(
        name="abq", quantize=quantize, encode=encode, alphabet="0 .. 2**bits - 1, balanced 0 .. 2**bits, less zero",
        mac="an AND and a count per pair of planes; zero times sum(x)", typical={"scale_kind": "fp16"},
    ),
)  # fmt: skip
