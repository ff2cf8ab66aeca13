"""Double Rounding: int8 stored once, lower precisions read from it by a rounding shift."""

import dataclasses

import numpy as np

from hwsim.formats import _group_scales, _uniform
from hwsim.formats._format import Format
from hwsim.formats._nearest import code_array
from hwsim.formats._params import check_choice, stored_scale
from hwsim.formats.integer import codebook
from hwsim.qtensor import QTensor

STORED_BITS = 8


def quantize(w: np.ndarray, *, bits: int = STORED_BITS, scale_kind: str = "fp32") -> QTensor:
    """``w = scale * q``, q = RNE(w / scale) in -128 .. 127, scale = max|w| / 127 of the channel.

    ``bits`` of 6, 4 or 2 is the view of that tensor at fewer bits, ``(q + 2^(d-1)) >> d`` saturated
    with d = 8 - bits, on a scale ``2^d`` times as large: rounded twice, so not always the nearest.
    One multiply-accumulate is an integer multiplication at the bits of the view.
    Source: Double Rounding, Huang et al., arXiv 2502.01199.
    """
    check_choice("bits", bits, (8, 6, 4, 2))
    flat = _group_scales.matrix(w)
    limit = (1 << (STORED_BITS - 1)) - 1
    scale = stored_scale(_group_scales.largest(flat, flat.shape[1]) / limit, scale_kind, 2 * limit)
    whole = QTensor(
        format="double_rounding", codes=stored_codes(flat, scale, flat.shape[1]).view(np.uint8),
        codebook=codebook(STORED_BITS), group_size=flat.shape[1], scale=scale, scale_kind=scale_kind,
        **_group_scales.fields(w),
    )  # fmt: skip
    return view(whole, bits)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """int8 codes rounded to nearest even, then the view's shift."""
    drop = STORED_BITS - like.code_bits
    whole = stored_codes(_group_scales.matrix(w), _group_scales.of(like) / (1 << drop), like.group_size)
    return dataclasses.replace(like, codes=_bits(nested_codes(whole, like.code_bits), like.code_bits))


def view(q: QTensor, bits: int) -> QTensor:
    """``q``, stored at 8 bits, as it reads at ``bits``."""
    check_choice("bits", bits, (8, 6, 4, 2))
    check_choice("bits of the stored tensor", q.code_bits, (STORED_BITS,))
    codes = nested_codes(q.codes.view(np.int8), bits)
    scale = q.scale * np.float32(1 << (STORED_BITS - bits))
    return dataclasses.replace(q, codes=_bits(codes, bits), codebook=codebook(bits), scale=scale)


def stored_codes(values: np.ndarray, scale: np.ndarray, group_size: int) -> np.ndarray:
    """int8[N, K]: RNE(w / scale) in -128 .. 127, scale [1|N, 1|G]."""
    return _uniform.codes(values, scale, group_size, -128, 127).view(np.int8)


def nested_codes(stored: np.ndarray, bits: int, truncate: bool = False) -> np.ndarray:
    """int16: int8 codes read at ``bits``, rounded half up and saturated, or with low bits dropped."""
    drop = STORED_BITS - bits
    if drop == 0 or truncate:
        return stored.astype(np.int16) >> drop
    return np.minimum((stored.astype(np.int16) + (1 << (drop - 1))) >> drop, (1 << (bits - 1)) - 1)


def _bits(codes: np.ndarray, bits: int) -> np.ndarray:
    return code_array(codes & ((1 << bits) - 1), bits)


FORMATS = (
    Format(
        name="double_rounding", quantize=quantize, encode=encode,
        alphabet="-128 .. 127, at fewer bits -2^(b-1) .. 2^(b-1)-1",
        mac="an integer multiplication at the bits of the view", typical={"scale_kind": "fp16"},
        greedy="a view rounds twice (nearest int8, then half up): within 1/2 + 2^-(d+1) steps of the weight, "
        "not always the nearest; at 8 bits it is the nearest",
    ),
)  # fmt: skip
