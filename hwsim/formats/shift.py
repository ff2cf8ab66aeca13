"""Powers of two: DenseShift, which has no zero, and power-of-two weights with one."""

from collections.abc import Callable

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _thresholds
from hwsim.formats._format import Format
from hwsim.qtensor import QTensor


def signed(magnitudes: np.ndarray, bits: int) -> Codebook:
    """Sign and magnitude: the top bit of a code is its sign."""
    return Codebook.of(np.concatenate([magnitudes, -magnitudes]), bits)


def dense_shift(bits: int) -> Codebook:
    """Magnitudes 1, 2, 4 .. by exponent code."""
    return signed(np.exp2(np.arange(1 << (bits - 1))), bits)


def power_of_two(bits: int) -> Codebook:
    """Magnitude 0, then 2**-(2^(bits-1) - 2) .. 1."""
    levels = (1 << (bits - 1)) - 1
    return signed(np.append(0, np.exp2(np.arange(1 - levels, 1))), bits)


def quantizer(name: str, table: Callable[[int], Codebook], widest: int, default: int) -> Callable[..., QTensor]:
    """The function that quantizes to the powers of two of ``table``."""

    def quantize(
        w: np.ndarray, *, bits: int = default, per: str = "tensor", group_size: int | None = None, pad: bool = False,
        scale_kind: str = "fp32",
    ) -> QTensor:  # fmt: skip
        """``w = scale * +-2**e``, e = RNE(log2(|w| / scale)) clipped to the exponents that there are.

        ``denseshift``: b bits are a sign and e in 0 .. 2^(b-1)-1, no zero (0 becomes +1);
        ``pot``: e in -(2^(b-1)-2) .. 0, and 0 for less than half of the smallest. The scale maps max|w| to
        the largest power; it is that of the tensor, of each channel (``per="channel"``) or of each
        ``group_size`` weights. A multiply-accumulate is a shift and an addition or
        subtraction. Source: DenseShift, Li et al., arXiv 2208.09708; DeepShift, Elhoushi et al.,
        arXiv 1905.13298.
        """
        if not isinstance(bits, int) or isinstance(bits, bool) or not 2 <= bits <= widest:
            raise FormatError(f"{name}: bits must be a whole number in 2 .. {widest}, not {bits!r}")
        flat = _group_scales.matrix(w)
        if group_size is not None:
            per = "channel"
        size, most = _group_scales.magnitudes(name, flat, per=per, group_size=group_size, pad=pad)
        codebook = table(bits)
        scale = _group_scales.stored(most / codebook.values.max(), scale_kind, 2.0**-100)
        spread = _group_scales.per_group(scale, (len(flat), -(-flat.shape[1] // size)))
        return QTensor(
            format=name, codes=_thresholds.codes(flat, spread, size, codebook.values, _thresholds.logarithmic),
            codebook=codebook, group_size=size, scale=scale, scale_kind=scale_kind, **_group_scales.fields(w),
        )  # fmt: skip

    return quantize


FORMATS = (
    Format(
        name="denseshift", quantize=quantizer("denseshift", dense_shift, 4, 3),
        encode=_thresholds.encoder(_thresholds.logarithmic), alphabet="+-2^e, e in 0 .. 2^(b-1)-1, no zero",
        mac="a shift and an addition or subtraction",
    ),
    Format(
        name="pot", quantize=quantizer("pot", power_of_two, 5, 4),
        encode=_thresholds.encoder(_thresholds.logarithmic), alphabet="0, +-2^e, e in -(2^(b-1)-2) .. 0",
        mac="a shift and an addition or subtraction",
    ),
)  # fmt: skip
