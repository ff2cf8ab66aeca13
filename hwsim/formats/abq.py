"""ABQ: integers as bit planes with a zero point, and the balanced 3 and 5 levels."""

import dataclasses

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, code_array, ones, reduce_groups, rows
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
    flat = rows(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    book = codebook(bits, balanced)
    low, high = reduce_groups(np.minimum, flat, size), reduce_groups(np.maximum, flat, size)
    scale = np.maximum((high - low) / book.values.max(), np.abs(low) / ZERO_LIMIT)
    scale = stored(scale, scale_kind, positive=True)
    zero = np.clip(np.rint(-low / scale.astype(np.float64)), -ZERO_LIMIT, ZERO_LIMIT)
    like = QTensor(
        format="abq", shape=w.shape, codes=np.zeros(flat.shape, np.uint8), codebook=book, group_size=size,
        scale=scale, scale_kind=scale_kind, offset=stored(0.0 - scale * zero, "fp32"), offset_kind="int8",
        channel_scale=ones(len(flat)),
    )  # fmt: skip
    return encode(w, like)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """clip(RNE(w / s) + zero) with the scales and zeros of ``like``."""
    assert like.offset is not None
    zero = np.rint(-like.offset.astype(np.float64) / like.scale)
    unit = like.spread(like.scale) * like.channel_scale[:, None].astype(np.float64)
    levels = like.codebook.values[0]
    q = np.clip(np.rint(rows(w) / unit) + like.spread(zero), 0, levels.max())
    return dataclasses.replace(like, codes=code_array(np.searchsorted(levels, q), like.code_bits))


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
