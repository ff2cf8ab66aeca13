"""Microscaling: blocks of 32 small floats or integers under one power of two; NVFP4."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats import _group_scales, _uniform, minifloats
from hwsim.formats._format import Format
from hwsim.minifloat import E2M1, E2M3, E3M2, E4M3, E5M2, Minifloat
from hwsim.qtensor import QTensor

Encoder = Callable[[np.ndarray, QTensor], QTensor]
_BYTES = np.arange(256)
INT8 = Codebook.of(np.where(_BYTES < 128, _BYTES, _BYTES - 256) / 64, 8, special=_BYTES == 128)
"""Two's complement sixty-fourths; -2 is left out, so that the range is symmetric."""


def quantizer(name: str, codebook: Codebook, encode: Encoder) -> Callable[..., QTensor]:
    """The function that quantizes to blocks of ``codebook`` values."""
    top_exponent = int(np.floor(np.log2(codebook.values.max())))

    def quantize(w: np.ndarray, *, group_size: int = 32, pad: bool = False) -> QTensor:
        """``w = 2**E * v``, E = floor(log2 max|w|) - emax of each block, v nearest (ties to even), saturating.

        Blocks are 32 long; the last of a row may be shorter with ``pad``. E is an E8M0 code (bias 127),
        at least -127; an all-zero block has code 0. A multiply-accumulate is an element
        product; block exponents are added once per block.
        Source: OCP Microscaling Formats 1.0; Rouhani et al., arXiv 2310.10537.
        """
        flat = _group_scales.matrix(w)
        size, most = _group_scales.magnitudes(name, flat, group_size=group_size, pad=pad)
        exponent = np.where(most > 0, np.frexp(most)[1] - 1 - top_exponent, -127)
        empty = QTensor(
            format=name, codes=np.zeros(flat.shape, np.uint8), codebook=codebook, group_size=size,
            scale=np.ldexp(1.0, np.clip(exponent, -127, 127)).astype(np.float32), scale_kind="e8m0",
            **_group_scales.fields(w),
        )  # fmt: skip
        return encode(w, empty)

    return quantize


def encode_int8(w: np.ndarray, like: QTensor) -> QTensor:
    """Nearest sixty-fourth of the block's scale, ties to even, within -127 .. 127."""
    unit = like.codebook.values[0, 1]
    codes = _uniform.codes(_group_scales.matrix(w), _group_scales.of(like) * unit, like.group_size, -127, 127)
    return dataclasses.replace(like, codes=codes)


def quantize_nvfp4(w: np.ndarray, *, group_size: int = 16, pad: bool = False) -> QTensor:
    """``w = t * s * v``: v E2M1, s E4M3 for each 16 weights, t fp32 for the tensor, so that s reaches 448.

    Scales and values are nearest with ties to even, saturating. A multiply-accumulate is a 2-bit significand
    product and an exponent addition. Source: NVIDIA, "Introducing NVFP4", 2025 (from memory).
    """
    flat = _group_scales.matrix(w)
    size, most = _group_scales.magnitudes("nvfp4", flat, group_size=group_size, pad=pad)
    tensor = _group_scales.stored(most.max(keepdims=True) / (E4M3.max * E2M1.max), "fp32", 2.0**-100)
    scale = E4M3.decode(E4M3.encode(most / E2M1.max / tensor))
    empty = QTensor(
        format="nvfp4", codes=np.zeros(flat.shape, np.uint8), codebook=E2M1.codebook, group_size=size,
        scale=np.maximum(scale, E4M3.smallest).astype(np.float32), scale_kind="e4m3",
        **_group_scales.fields(w, channel_scale=np.repeat(tensor[0], len(flat))),
    )  # fmt: skip
    return encode_e2m1(w, empty)


encode_e2m1 = minifloats.encoder(E2M1)


def _mx(name: str, kind: Minifloat) -> Format:
    encode = minifloats.encoder(kind)
    return Format(
        name=name, quantize=quantizer(name, kind.codebook, encode), encode=encode,
        alphabet=f"E{kind.exponent_bits}M{kind.mantissa_bits} up to {kind.max:g}, times 2^E of its block",
        mac=f"a {kind.mantissa_bits + 1}-bit significand product and an exponent addition; E once per block",
    )  # fmt: skip


FORMATS = (
    _mx("mxfp4", E2M1),
    _mx("mxfp6_e3m2", E3M2),
    _mx("mxfp6_e2m3", E2M3),
    _mx("mxfp8_e4m3", E4M3),
    _mx("mxfp8_e5m2", E5M2),
    Format(
        name="mxint8", quantize=quantizer("mxint8", INT8, encode_int8), encode=encode_int8,
        alphabet="q/64, q in -127 .. 127, times 2^E of its block", mac="an integer product; E once per block",
    ),
    Format(
        name="nvfp4", quantize=quantize_nvfp4, encode=encode_e2m1,
        alphabet="E2M1 up to 6, times an E4M3 scale and one of the tensor",
        mac="a 2-bit significand product and an exponent addition; scales once per group",
    ),
)  # fmt: skip
