"""LogNet: exponents of two under a full-scale range."""

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _thresholds
from hwsim.formats._format import Format
from hwsim.formats.shift import signed
from hwsim.qtensor import QTensor


def codebook(bits: int) -> Codebook:
    """Magnitude 0, then 2**-2^bits .. 1: a sign, and bits + 1 more for 2^bits + 2 magnitudes."""
    magnitudes = np.append(0, np.exp2(np.arange(-(1 << bits), 1)))
    return signed(np.pad(magnitudes, (0, (2 << bits) - len(magnitudes))), bits + 2)


def quantize(w: np.ndarray, *, bits: int = 3, fsr: int | None = None) -> QTensor:
    """``w = +-2**e`` or 0, e = clip(RNE(log2|w|), fsr - 2^bits, fsr); only 0 is 0.

    The full-scale range is RNE(log2 max|w|) unless given; it is kept as one power of two.
    Both ends of the range and 0 are codes of their own, so that a code takes a sign and
    ``bits + 1`` bits. A multiply-accumulate is an exponent addition (or a shift of the activation) and
    an addition or subtraction. Source: Miyashita et al., arXiv 1603.01025.
    """
    if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 4:
        raise FormatError(f"lognet: bits must be a whole number in 1 .. 4, not {bits!r}")
    flat = _group_scales.matrix(w)
    size, most = _group_scales.magnitudes("lognet", flat, per="tensor")
    if fsr is None:
        fraction, exponent = np.frexp(most[0, 0])
        fsr = max(int(exponent) - int(fraction < _thresholds.ROOT_HALF), -126) if most[0, 0] else 0
    if not isinstance(fsr, int) or isinstance(fsr, bool) or not -126 <= fsr <= 127:
        raise FormatError(f"lognet: fsr must be a whole number in -126 .. 127, not {fsr!r}")
    scale = np.full((1, 1), 2.0**fsr, np.float32)
    table = codebook(bits)
    spread = _group_scales.per_group(scale, (len(flat), 1))
    return QTensor(
        format="lognet", codes=_thresholds.codes(flat, spread, size, table.values, _thresholds.nonzero), codebook=table,
        group_size=size, scale=scale, scale_kind="e8m0", **_group_scales.fields(w),
    )  # fmt: skip


FORMATS = (
    Format(
        name="lognet", quantize=quantize, encode=_thresholds.encoder(_thresholds.nonzero),
        alphabet="0, +-2^e, e in fsr - 2^b .. fsr", mac="a shift and an addition or subtraction",
    ),
)  # fmt: skip
