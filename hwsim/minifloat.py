"""Small floating-point numbers: any exponent and mantissa width, and the named ones."""

import dataclasses
import functools
import re
from typing import Literal

import numpy as np

from hwsim.codebook import Codebook, frozen
from hwsim.errors import FormatError
from hwsim.kernels import minifloat as kernel


@dataclasses.dataclass(frozen=True)
class Minifloat:
    """A sign, ``exponent_bits`` and ``mantissa_bits``, with subnormals.

    Attributes:
        exponent_bits, mantissa_bits: widths of the fields, at most 16 bits with the sign.
        specials: "none": every code is a number; "nan": the code of all ones is NaN (the
            "fn" types); "ieee": the highest exponent holds infinity and NaN.
        bias: subtracted from the exponent field; None for ``2**(exponent_bits - 1) - 1``.
    """

    exponent_bits: int
    mantissa_bits: int
    specials: Literal["none", "nan", "ieee"] = "none"
    bias: int | None = None

    def __post_init__(self) -> None:
        if not (1 <= self.exponent_bits <= 8 and self.mantissa_bits >= 0 and self.bits <= 16):
            raise FormatError(f"{self} is not 1..8 exponent bits, and at most 16 bits with mantissa and sign")
        if self.specials not in ("none", "nan", "ieee"):
            raise FormatError(f"specials {self.specials!r} is not one of 'none', 'nan', 'ieee'")
        if self.max_code < 1:
            raise FormatError(f"{self} has no value but zero")
        if self.bias is None:
            object.__setattr__(self, "bias", (1 << (self.exponent_bits - 1)) - 1)
        elif not -128 <= self.bias <= 256:
            raise FormatError(f"bias {self.bias} is not in -128..256")

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def sign_bit(self) -> int:
        """The bit of a code that is its sign."""
        return 1 << (self.bits - 1)

    @property
    def max_code(self) -> int:
        """Code of the largest finite value."""
        everything = (1 << (self.bits - 1)) - 1
        if self.specials == "ieee":
            return everything - (1 << self.mantissa_bits)
        return everything - (self.specials == "nan")

    @property
    def max(self) -> float:
        """The largest finite value."""
        return float(self.values[self.max_code])

    @property
    def smallest(self) -> float:
        """The smallest positive value."""
        return float(self.values[1])

    @functools.cached_property
    def values(self) -> np.ndarray:
        """float64[2**bits]: what each code means, with -0, infinity and NaN."""
        assert self.bias is not None
        code = np.arange(1 << (self.bits - 1))
        field, fraction = code >> self.mantissa_bits, code & ((1 << self.mantissa_bits) - 1)
        significand = fraction + np.where(field > 0, 1 << self.mantissa_bits, 0)
        exponent = np.maximum(field, 1) - self.bias - self.mantissa_bits
        positive = np.ldexp(significand.astype(np.float64), exponent)
        positive[self.max_code + 1 :] = np.nan
        if self.specials == "ieee":
            positive[self.max_code + 1] = np.inf
        return frozen(np.concatenate([positive, -positive]))

    @functools.cached_property
    def codebook(self) -> Codebook:
        """The finite values; the others are marked special."""
        special = ~np.isfinite(self.values)
        finite = np.where(special, 0, self.values)
        return Codebook.of(finite, self.bits, special=special if special.any() else None)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """float64 values of ``codes``."""
        return self.values[codes]

    def encode(
        self, x: np.ndarray, *, ties: Literal["even", "away"] = "even", saturate: bool = True, signed_zero: bool = True
    ) -> np.ndarray:
        """uint8 (above 8 bits uint16) codes of the nearest values.

        Beyond the largest value by half a step or more the code is that of the largest value
        with ``saturate``, else infinity or NaN if there is one (E4M3 464 is NaN, although 448 is
        as near and even). Without ``signed_zero``
        every zero is code 0. FormatError for NaN.
        """
        if ties not in ("even", "away"):
            raise FormatError(f"ties {ties!r} is not 'even' or 'away'")
        values = np.asarray(x)
        if np.isnan(values).any():
            raise FormatError("NaN has no code among the finite values")
        codes = self.encode_scaled(
            values.reshape(1, -1), np.ones((1, 1)), max(values.size, 1), away=ties == "away", signed_zero=signed_zero
        ).reshape(values.shape)
        if saturate or self.specials == "none":
            return codes
        half_step = (self.max - self.values[self.max_code - 1]) / 2
        return codes + (np.abs(values) >= self.max + half_step).astype(codes.dtype)

    def encode_scaled(
        self, x: np.ndarray, scale: np.ndarray, group_size: int, *, away: bool = False, signed_zero: bool = False
    ) -> np.ndarray:
        """Saturated codes [N, K] of ``x[n, k] / scale[n, k // group_size]``, scale [N, G]; see `encode`."""
        assert self.bias is not None
        codes = np.empty(x.shape, np.uint8 if self.bits <= 8 else np.uint16)
        wide = np.ascontiguousarray(x, None if x.dtype in (np.float32, np.float64) else np.float64)
        layout = (self.exponent_bits, self.mantissa_bits, self.bias)
        kernel.encode(wide, scale, group_size, layout, self.max_code, away, signed_zero, codes)
        return codes


E4M3 = Minifloat(4, 3, "nan")
E5M2 = Minifloat(5, 2, "ieee")
E3M2 = Minifloat(3, 2)
E2M3 = Minifloat(2, 3)
E2M1 = Minifloat(2, 1)
BF16 = Minifloat(8, 7, "ieee")
FP16 = Minifloat(5, 10, "ieee")

NAMED = {"e4m3": E4M3, "e5m2": E5M2, "e3m2": E3M2, "e2m3": E2M3, "e2m1": E2M1, "bf16": BF16, "fp16": FP16}
"""The formats that have names; others are written as their widths, such as ``"e4m2"``."""


def named(name: str) -> Minifloat:
    """The format called ``name``; ``"e<E>m<M>"`` if it has no name: every code a number, the usual bias.

    FormatError for anything else.
    """
    if name in NAMED:
        return NAMED[name]
    widths = re.fullmatch(r"e(\d+)m(\d+)", name)
    if widths is None:
        raise FormatError(f"no minifloat {name!r}; accepted: {', '.join(NAMED)}, or e<E>m<M>")
    return Minifloat(int(widths[1]), int(widths[2]))
