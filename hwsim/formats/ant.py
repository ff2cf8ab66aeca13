"""ANT: flint, integers or powers of two, chosen for each tensor."""

from collections.abc import Callable

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _thresholds
from hwsim.formats._format import Format
from hwsim.formats._scales import check_number
from hwsim.kernels import bins
from hwsim.qtensor import QTensor

PARTS = 64
"""Sums over a tensor are taken in so many parts, then added up."""
TYPES = ("int", "flint", "pot")
"""In the order in which equal errors are settled."""


def flint(bits: int) -> np.ndarray:
    """float64[2**bits] by code: below half the code itself, above it the first one picks the exponent.

    Behind the top bit of 1, z zeros before the next one mean an exponent of bits - 1 + z, and the
    bits after that one are the mantissa; no further one means the largest value.
    """
    half = 1 << (bits - 1)
    values = np.arange(2.0 * half)
    for rest in range(half):
        mantissa_bits = max(rest.bit_length() - 1, 0)
        zeros = bits - 1 - rest.bit_length()
        significand = 1 + (rest - (1 << mantissa_bits)) / (1 << mantissa_bits) if rest else 1.0
        values[half + rest] = significand * 2.0 ** (bits - 1 + zeros)
    return values


def codebook(types: tuple[str, ...], bits: int, signed: bool) -> Codebook:
    """One table per type; signed codes are sign and magnitude."""
    magnitude_bits = bits - signed
    magnitudes = {
        "int": np.arange(2.0**magnitude_bits),
        "flint": flint(magnitude_bits),
        "pot": np.append(0, np.exp2(np.arange((1 << magnitude_bits) - 1))),
    }
    tables = np.array([magnitudes[each] for each in types])
    return Codebook.of(np.concatenate([tables, -tables], axis=1) if signed else tables, bits)


def _check(name: str, w: np.ndarray, signed: object) -> None:
    if not isinstance(signed, bool):
        raise FormatError(f"{name}: signed must be True or False, not {signed!r}")
    if not signed and (w < 0).any():
        raise FormatError(f"{name}: weights below zero need signed=True")


def flint_quantizer(name: str, bits: int) -> Callable[..., QTensor]:
    """The function that quantizes to flint of ``bits``."""

    def quantize(
        w: np.ndarray, *, signed: bool = True, alpha: float | None = None, per: str = "channel",
        group_size: int | None = None, pad: bool = False, scale_kind: str = "fp32",
    ) -> QTensor:  # fmt: skip
        """``w = scale * v``, v the nearest flint value, ties to the larger; beyond the grid its end.

        Flint is an integer in the middle and a power of two at the ends: signed 4-bit magnitudes are
        0, 1, 2, 3, 4, 6, 8, 16. The scale maps ``alpha`` (max|w| of the tensor, channel or group
        unless given) to the largest value. A multiply-accumulate is an integer product with at most
        two ones, and a shift. Source: ANT, Guo et al., MICRO 2022, arXiv 2208.14286, section IV.
        """
        _check(name, w, signed)
        flat = _group_scales.matrix(w)
        size, most = _group_scales.magnitudes(name, flat, per=per, group_size=group_size, pad=pad)
        if alpha is not None:
            check_number(f"{name}: alpha", alpha, 2.0**-100, 2.0**100)
            most = np.full_like(most, alpha)
        table = codebook(("flint",), bits, signed)
        scale = _group_scales.stored(most / table.values.max(), scale_kind, 2.0**-126)
        spread = _group_scales.per_group(scale, (len(flat), -(-flat.shape[1] // size)))
        return QTensor(
            format=name, codes=_thresholds.codes(flat, spread, size, table.values, _thresholds.larger),
            codebook=table, group_size=size, scale=scale, scale_kind=scale_kind, **_group_scales.fields(w),
        )  # fmt: skip

    return quantize


def squared_errors(weights: np.ndarray, grids: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """float64[C, A]: summed squared error of |weights| on each grid of values >= 0 stretched to each alpha.

    Between two thresholds all weights share a value v, so their error is ``S2 - 2 v S1 + v**2 n``: count and sums
    are taken once for the intervals between all thresholds of all grids.
    """
    values = grids[:, None, :] * (alphas[:, None] / grids[:, None, -1:])
    thresholds = (values[..., :-1] + values[..., 1:]) / 2
    edges, place = np.unique(thresholds, return_inverse=True)
    partial = np.empty((PARTS, 3, len(edges) + 1))
    bins.sums(weights.reshape(-1), edges, partial)
    below = np.cumsum(partial.sum(axis=0), axis=1)
    inner = below[:, place.reshape(thresholds.shape)]
    ends = np.broadcast_to(below[:, None, None, -1:], (*inner.shape[:-1], 1))
    count, first, second = np.diff(inner, axis=-1, prepend=0, append=ends)
    return (second - 2 * values * first + values**2 * count).sum(axis=-1)


def quantize(
    w: np.ndarray, *, bits: int = 4, types: tuple[str, ...] = TYPES, signed: bool = True,
    search: tuple[int, int] = (50, 100), scale_kind: str = "fp32",
) -> QTensor:  # fmt: skip
    """``w = scale * v``, v of the type and the scale that give the tensor the lowest mean squared error.

    Types are ``int`` (symmetric), ``flint`` and ``pot`` (0 and powers of two); scales map alpha to
    the largest value, alpha being ``search`` percent of max|w| in steps of one percent. Errors within
    1e-12 of the weights' power are equal: the earlier type, then the smaller alpha wins. Values
    are nearest, ties to the larger. A multiply-accumulate is an integer product and a shift.
    Source: ANT, Guo et al., MICRO 2022, arXiv 2208.14286, section V.
    """
    _check("ant", w, signed)
    check_number("ant: bits", bits, 3, 5, whole=True)
    if not types or any(each not in TYPES for each in types):
        raise FormatError(f"ant: types must be some of {', '.join(TYPES)}, not {types!r}")
    low, high = search
    check_number("ant: lowest alpha in percent", low, 1, high, whole=True)
    check_number("ant: highest alpha in percent", high, low, 1000, whole=True)
    flat = _group_scales.matrix(w)
    size, most = _group_scales.magnitudes("ant", flat, per="tensor")
    table = codebook(tuple(types), bits, signed)
    alphas = np.arange(low, high + 1) / 100 * (most[0, 0] or 1.0)
    grids = np.sort(np.abs(table.values), axis=1)[:, :: 1 + signed]
    error = squared_errors(flat, grids, alphas)
    power = float(np.square(flat, dtype=np.float64).sum())
    chosen, a = np.unravel_index((error <= error.min() + 1e-12 * power).argmax(), error.shape)
    scale = _group_scales.stored(np.full((1, 1), alphas[a] / table.values[chosen].max()), scale_kind, 2.0**-126)
    select = np.full((1, 1), chosen, np.uint16)
    spread = _group_scales.per_group(scale, (len(flat), 1))
    return QTensor(
        format="ant", codes=_thresholds.codes(flat, spread, size, table.values, _thresholds.larger, select),
        codebook=table, group_size=size, scale=scale, scale_kind=scale_kind, select=select, **_group_scales.fields(w),
    )  # fmt: skip


_MAC = "an integer product (at most two ones) and a shift"
_ENCODE = _thresholds.encoder(_thresholds.larger)
FORMATS = (
    Format(
        name="ant_flint4", quantize=flint_quantizer("ant_flint4", 4), encode=_ENCODE,
        alphabet="0, +-1, 2, 3, 4, 6, 8, 16; unsigned 0 .. 8, 10, 12, 14, 16, 24, 32, 64", mac=_MAC,
    ),
    Format(
        name="ant_flint5", quantize=flint_quantizer("ant_flint5", 5), encode=_ENCODE,
        alphabet="0 .. +-8, 10, 12, 14, 16, 24, 32, 64", mac=_MAC,
    ),
    Format(
        name="ant", quantize=quantize, encode=_ENCODE,
        alphabet="int +-0 .. 7, flint 0 .. 16 or powers of two 1 .. 64, one of them for the tensor", mac=_MAC,
    ),
)  # fmt: skip
