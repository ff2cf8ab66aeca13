"""Small floating-point weights: FP8, FP6, FP4, and the 16-bit types."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hwsim.formats import _group_scales
from hwsim.formats._format import Format
from hwsim.formats._nearest import encode_nearest
from hwsim.minifloat import BF16, E2M1, E2M3, E3M2, E4M3, E5M2, FP16, Minifloat
from hwsim.qtensor import QTensor


def quantizer(name: str, kind: Minifloat) -> Callable[..., QTensor]:
    """The function that quantizes to scaled values of ``kind``."""

    def quantize(
        w: np.ndarray, *, per: str = "channel", group_size: int | None = None, pad: bool = False,
        scale_kind: str = "fp32",
    ) -> QTensor:  # fmt: skip
        """``w = scale * v``, v the nearest minifloat (ties to even, saturating), scale = max|w| / max(v).

        One scale for the tensor (``per="tensor"``), each channel, or each ``group_size``
        consecutive weights, rounded to fp16 with ``scale_kind="fp16"``. Every zero is code 0. A
        multiply-accumulate is a significand product and an exponent addition.
        Source: OCP 8-bit Floating Point Specification 1.0; OCP Microscaling Formats 1.0.
        """
        flat = _group_scales.matrix(w)
        size, most = _group_scales.magnitudes(name, flat, per=per, group_size=group_size, pad=pad)
        scale = _group_scales.stored(most / kind.max, scale_kind, 2.0**-126 / kind.smallest)
        spread = _group_scales.per_group(scale, (len(flat), -(-flat.shape[1] // size)))
        return QTensor(
            format=name, codes=kind.encode_scaled(flat, spread, size), codebook=kind.codebook, group_size=size,
            scale=scale, scale_kind=scale_kind, **_group_scales.fields(w),
        )  # fmt: skip

    return quantize


def unscaled(name: str, kind: Minifloat) -> Callable[..., QTensor]:
    """The function that rounds to ``kind``, which needs no scale."""

    def quantize(w: np.ndarray) -> QTensor:
        """The nearest value of the type (ties to even, saturating), no scale. Every zero is code 0.

        A multiply-accumulate is a significand product and an exponent addition.
        Source: IEEE 754-2019 (binary16); Kalamkar et al., arXiv 1905.12322 (bfloat16).
        """
        flat = _group_scales.matrix(w)
        scale = np.ones((1, 1), np.float32)
        return QTensor(
            format=name, codes=kind.encode_scaled(flat, _group_scales.per_group(scale, (len(flat), 1)), flat.shape[1]),
            codebook=kind.codebook, group_size=flat.shape[1], scale=scale, scale_kind="none", **_group_scales.fields(w),
        )  # fmt: skip

    return quantize


def encoder(kind: Minifloat) -> Callable[[np.ndarray, QTensor], QTensor]:
    """``(w, like) -> QTensor``: nearest value of ``kind``, ties to even, on the scales of ``like``."""

    def encode(w: np.ndarray, like: QTensor) -> QTensor:
        unused = like.codebook.special
        if unused is not None and (unused & np.isfinite(kind.values)).any():  # lowered to the codes that are used
            return encode_nearest(w, like)
        unit = like.codebook.values[0, kind.max_code] / kind.max  # not 1 once lowered
        codes = kind.encode_scaled(_group_scales.matrix(w), _group_scales.of(like) * unit, like.group_size)
        return dataclasses.replace(like, codes=codes)

    return encode


def _format(name: str, kind: Minifloat, quantize: Callable[..., QTensor]) -> Format:
    significand = kind.mantissa_bits + 1
    return Format(
        name=name, quantize=quantize, encode=encoder(kind),
        alphabet=f"E{kind.exponent_bits}M{kind.mantissa_bits}: up to {kind.max:g}, steps from {kind.smallest:g}",
        mac=f"{'an' if significand in (8, 11) else 'a'} {significand}-bit significand product and an exponent addition",
    )  # fmt: skip


FORMATS = (
    *(
        _format(name, kind, quantizer(name, kind))
        for name, kind in {
            "fp8_e4m3": E4M3, "fp8_e5m2": E5M2, "fp6_e3m2": E3M2, "fp6_e2m3": E2M3, "fp4_e2m1": E2M1,
        }.items()
    ),
    *(_format(name, kind, unscaled(name, kind)) for name, kind in {"bf16": BF16, "fp16": FP16}.items()),
)  # fmt: skip
