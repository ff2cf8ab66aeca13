"""Codebooks: tables of exact dyadic values, each ``mantissa * 2**exponent``."""

import dataclasses
import functools

import numpy as np

from hwsim.errors import FormatError


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Codebook:
    """What each code means, exactly: one table, or several that groups choose from.

    Attributes:
        bits: stored bits per code, 1..16.
        mantissas: int64[C, E]: C tables of E <= 2**bits entries.
        exponents: int16[C, E].
        special: bool[E], codes that are never stored (NaN, infinity, in lowered bf16 unused ones); None for none.
        table_bits: uint8[C], stored bits per code where tables differ; None for ``bits``.
        entry_bits: bits to store per entry; 0 for tables that the hardware knows.
    """

    bits: int
    mantissas: np.ndarray
    exponents: np.ndarray
    special: np.ndarray | None = None
    table_bits: np.ndarray | None = None
    entry_bits: int = 0

    def __post_init__(self) -> None:
        if self.mantissas.ndim != 2 or self.mantissas.size == 0:
            raise FormatError(f"a codebook of shape {self.mantissas.shape}, expected [tables, entries]")
        tables, size = self.mantissas.shape
        if not 1 <= self.bits <= 16 or size > 1 << self.bits:
            raise FormatError(f"a codebook of {size} entries does not fit {self.bits} bits (1..16)")
        shapes = {
            "mantissas": (np.int64, (tables, size)), "exponents": (np.int16, (tables, size)),
            "special": (np.bool_, (size,)), "table_bits": (np.uint8, (tables,)),
        }  # fmt: skip
        for name, (dtype, shape) in shapes.items():
            array = getattr(self, name)
            if array is None and name in ("special", "table_bits"):
                continue
            if array.dtype != dtype or array.shape != shape:
                raise FormatError(f"codebook {name}: {array.dtype}{array.shape}, expected {np.dtype(dtype)}{shape}")
            object.__setattr__(self, name, frozen(array))
        if (
            max(-int(self.mantissas.min()), int(self.mantissas.max())) >= 1 << 53
            or np.abs(self.exponents.astype(np.int64)).max() > 400
        ):
            raise FormatError("a codebook value is not exact in float64")
        if self.table_bits is not None and not ((self.table_bits >= 1) & (self.table_bits <= self.bits)).all():
            raise FormatError(f"codebook table_bits are not in 1..{self.bits}")

    @classmethod
    def of(cls, values: np.ndarray, bits: int, **fields: object) -> "Codebook":
        """A codebook of finite float64 values [E] or [C, E], each taken exactly."""
        table = np.atleast_2d(np.asarray(values, dtype=np.float64))
        if not np.isfinite(table).all():
            raise FormatError("a codebook value is not finite")
        fraction, exponent = np.frexp(table)
        mantissa = np.ldexp(fraction, 53).astype(np.int64)
        shift = _trailing_zeros(mantissa)
        exponent = np.where(mantissa == 0, 0, exponent - 53 + shift)
        return cls(bits=bits, mantissas=mantissa >> shift, exponents=exponent.astype(np.int16), **fields)  # type: ignore[arg-type]

    @property
    def tables(self) -> int:
        """Number of tables."""
        return self.mantissas.shape[0]

    @functools.cached_property
    def values(self) -> np.ndarray:
        """float64[C, E]: the values, exact; 0 where `special`."""
        values = np.ldexp(self.mantissas.astype(np.float64), self.exponents)
        if self.special is not None:
            values[:, self.special] = 0
        values.flags.writeable = False
        return values

    @functools.cached_property
    def exponent(self) -> int:
        """The largest F for which every value is a whole multiple of 2**F."""
        used = self.values != 0
        if not used.any():
            return 0
        return int((self.exponents[used] + _trailing_zeros(self.mantissas[used])).min())

    @functools.cached_property
    def span_bits(self) -> int:
        """Bits from the lowest one of any value to the highest, without sign."""
        largest = float(np.abs(self.values).max())
        return 0 if largest == 0 else int(np.frexp(largest)[1]) - self.exponent

    @functools.cached_property
    def integers(self) -> np.ndarray:
        """int64[C, E]: the values in units of ``2**exponent``; FormatError beyond 62 bits."""
        scaled = np.ldexp(self.values, -self.exponent)
        if np.abs(scaled).max() >= 2.0**62:
            raise FormatError("a codebook spans more than 62 bits")
        whole = scaled.astype(np.int64)
        whole.flags.writeable = False
        return whole

    def terms(self) -> list[list[list[tuple[int, int]]]]:
        """[C][E]: each value as signed powers of two ``(sign, exponent)``, the fewest there are."""
        return [
            [signed_digits(int(m), int(e)) for m, e in zip(mantissas, exponents, strict=True)]
            for mantissas, exponents in zip(self.mantissas, self.exponents, strict=True)
        ]


def frozen(array: np.ndarray) -> np.ndarray:
    """``array`` as a contiguous array that nobody can write."""
    result = np.ascontiguousarray(array)
    if result.flags.writeable:
        result = result.copy()
        result.flags.writeable = False
    return result


def signed_digits(mantissa: int, exponent: int = 0) -> list[tuple[int, int]]:
    """``mantissa * 2**exponent`` as canonical signed digits ``(sign, exponent)``, lowest first."""
    digits = []
    while mantissa:
        if mantissa & 1:
            digit = 2 - (mantissa & 3)  # +1 before a zero, -1 before a one
            digits.append((digit, exponent))
            mantissa -= digit
        mantissa >>= 1
        exponent += 1
    return digits


def _trailing_zeros(mantissa: np.ndarray) -> np.ndarray:
    """int64: zero bits below the lowest one of each mantissa; 0 for 0."""
    lowest = mantissa & -mantissa
    return np.where(mantissa == 0, 0, np.frexp(lowest.astype(np.float64))[1] - 1).astype(np.int64)
