"""LUQ: logarithmic FP4 of gradients, rounded at random without bias; RDNP rounds to nearest."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import _group_scales, _thresholds
from hwsim.formats._format import Format
from hwsim.formats.shift import signed
from hwsim.kernels import stochastic as kernel
from hwsim.qtensor import QTensor

DIVISORS = (16, 64)


def codebook(divisor: int) -> Codebook:
    """0 and +-alpha * 2**e: the top magnitude, code 5 or 7, is ``divisor`` * alpha."""
    magnitudes = np.append(0, np.exp2(np.arange(divisor.bit_length())))
    return signed(np.pad(magnitudes, (0, 8 - len(magnitudes))), 4)


def _grid(name: str, w: np.ndarray, divisor: int) -> QTensor:
    if divisor not in DIVISORS or isinstance(divisor, bool):
        raise FormatError(f"{name}: divisor must be one of {', '.join(map(str, DIVISORS))}, not {divisor!r}")
    flat = _group_scales.matrix(w)
    size, most = _group_scales.magnitudes(name, flat, per="tensor")
    return QTensor(
        format=name, codes=np.zeros(flat.shape, np.uint8), codebook=codebook(divisor), group_size=size,
        scale=_group_scales.stored(most / divisor, "fp32", 2.0**-126), **_group_scales.fields(w),
    )  # fmt: skip


def quantize(w: np.ndarray, *, divisor: int = 16, seed: int | np.random.Generator = 0) -> QTensor:
    """``w = +-alpha * 2**e`` or 0, alpha = max|w| / divisor, rounded at random so that the mean is w.

    Below alpha: +-alpha with probability |w| / alpha, else 0. Between 2^e alpha and 2^(e+1) alpha:
    the upper with the linear probability. ``divisor`` 16 is the paper's alpha (5 magnitudes), 64 uses all 7
    codes of a sign and 3 exponent bits. ``seed`` is a number or a NumPy generator. A
    multiply-accumulate is a shift and an addition or subtraction.
    Source: LUQ, Chmiel et al., arXiv 2112.10769, section 4.
    """
    if not isinstance(seed, int | np.integer | np.random.Generator) or isinstance(seed, bool):
        raise FormatError(f"luq: seed must be a whole number or a NumPy generator, not {seed!r}")
    return encode(w, _grid("luq", w, divisor), np.random.default_rng(seed))


def encode(w: np.ndarray, like: QTensor, rng: np.random.Generator | None = None) -> QTensor:
    """Stochastic rounding of ``w`` on the grid of ``like``; without ``rng`` that of seed 0."""
    rng = rng or np.random.default_rng(0)
    flat = _group_scales.matrix(w)
    grid, first = np.unique(like.codebook.values[0], return_index=True)
    codes = np.empty(flat.shape, np.uint8)
    kernel.encode(
        flat, _group_scales.of(like), like.group_size, grid, first.astype(np.uint8), rng.random(flat.shape), codes
    )
    return dataclasses.replace(like, codes=_group_scales.final(codes))


encode_rdnp = _thresholds.encoder(_thresholds.away)


def quantize_rdnp(w: np.ndarray, *, divisor: int = 16) -> QTensor:
    """``w = +-alpha * 2**e`` or 0, alpha = max|w| / divisor, to the nearest, ties away from zero.

    That is ``2**floor(log2(4/3 |w| / alpha))``: 1.5 * 2^e parts two powers, half of alpha parts it from 0.
    A multiply-accumulate is a shift and an addition or subtraction.
    Source: LUQ, Chmiel et al., arXiv 2112.10769, equation of RDNP.
    """
    return encode_rdnp(w, _grid("luq_rdnp", w, divisor))


def _format(name: str, quantize: Callable[..., QTensor], **others: object) -> Format:
    return Format(
        name=name, quantize=quantize, alphabet="0, +-alpha * 2^e, e in 0 .. 4 (0 .. 6)",
        mac="a shift and an addition or subtraction", **others,  # type: ignore[arg-type]
    )  # fmt: skip


FORMATS = (
    _format(
        "luq", quantize, encode=encode,
        greedy="stochastic: one of the two neighbours, values of the grid as they are, mean = w over seeds",
    ),
    _format("luq_rdnp", quantize_rdnp, encode=encode_rdnp),
)  # fmt: skip
