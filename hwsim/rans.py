"""rANS: codes as bytes near their entropy, in streams that a decoder reads side by side.

Encoding runs backwards: before symbol s the state x is shifted out byte by byte until
``x < (L / M * 256) * f[s]``, then becomes ``M * (x div f[s]) + x mod f[s] + c[s]``. Decoding:
``slot = x mod M``, s the symbol of the slot, ``x = f[s] * (x div M) + slot - c[s]``, then
``x = 256 * x + next byte`` while ``x < L``. M is a power of two, so a decoder has no divider.
Source: Duda, arXiv 1311.2540; entropy-coded weights: arXiv 2406.06237.
"""

import dataclasses
import functools

import numpy as np

from hwsim.codebook import frozen
from hwsim.errors import FormatError
from hwsim.kernels import rans as kernels

LOWER = 1 << 23
"""Lower bound of the state: states fit 31 bits."""
STATE_BITS = 32
LENGTH_BITS = 32


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FrequencyTable:
    """How many of M = 2**bits slots each symbol has.

    Attributes:
        frequencies: int64[S], 0 for symbols that do not occur; their sum is M.
    """

    frequencies: np.ndarray

    def __post_init__(self) -> None:
        table = np.asarray(self.frequencies, dtype=np.int64)
        total = int(table.sum())
        if table.ndim != 1 or (table < 0).any() or not 1 <= total <= 1 << 16 or total & (total - 1):
            raise FormatError("frequencies must be whole numbers that add up to a power of two, at most 65536")
        object.__setattr__(self, "frequencies", frozen(table))

    @classmethod
    def of(cls, symbols: np.ndarray, size: int, bits: int = 12) -> "FrequencyTable":
        """The table for ``symbols`` below ``size``: a slot for each that occurs, the rest in proportion.

        ``bits`` grows where more symbols occur than there are slots.
        """
        counts = np.bincount(symbols.reshape(-1), minlength=size).astype(np.int64)
        used = np.flatnonzero(counts)
        bits = max(bits, int(len(used) - 1).bit_length())
        free = (1 << bits) - len(used)
        share, remainder = np.divmod(counts[used] * free, counts.sum())
        order = np.argsort(-remainder, kind="stable")[: free - share.sum()]
        share[order] += 1
        counts[used] = 1 + share
        return cls(frequencies=counts)

    @property
    def bits(self) -> int:
        """log2 of the number of slots."""
        return int(self.frequencies.sum()).bit_length() - 1

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """int64[S]: the first slot of each symbol."""
        return np.cumsum(self.frequencies) - self.frequencies

    @functools.cached_property
    def slots(self) -> np.ndarray:
        """uint16[M]: the symbol of each slot."""
        return np.repeat(np.arange(len(self.frequencies)), self.frequencies).astype(np.uint16)

    @property
    def storage_bits(self) -> int:
        """Bits to store the table: each frequency is at most M."""
        return (self.bits + 1) * len(self.frequencies)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """Symbols as rANS streams.

    Attributes:
        table: the frequencies.
        count: number of symbols.
        states: uint64[K], where decoding starts.
        lengths: int64[K], bytes of each stream.
        payload: uint8, the streams one after the other, each read from its end.
        lower: lower bound of the state.
    """

    table: FrequencyTable
    count: int
    states: np.ndarray
    lengths: np.ndarray
    payload: np.ndarray
    lower: int = LOWER

    @property
    def storage_bits(self) -> int:
        """Bits of payload, states, lengths and table."""
        return 8 * self.payload.size + (STATE_BITS + LENGTH_BITS) * len(self.states) + self.table.storage_bits


def encode(symbols: np.ndarray, table: FrequencyTable, streams: int = 1, lower: int = LOWER) -> Encoded:
    """``symbols`` (unsigned integers, flattened) in ``streams`` interleaved streams."""
    flat = np.ascontiguousarray(symbols).reshape(-1)
    if streams < 1 or not 1 << table.bits <= lower <= LOWER or lower & (lower - 1):
        raise FormatError(
            f"{streams} streams with states from {lower}: expected 1 or more, a power of two from M to 2**23"
        )
    if flat.size and (int(flat.max()) >= len(table.frequencies) or not table.frequencies[flat].all()):
        raise FormatError("a symbol has no slot in the frequency table")
    states, lengths = np.empty(streams, np.uint64), np.empty(streams, np.int64)
    out = np.empty((streams, -(-flat.size // streams) * (table.bits // 8 + 1)), np.uint8)
    kernels.encode(flat, table.frequencies, table.starts, table.bits, lower, states, lengths, out)
    payload = np.concatenate([row[:size] for row, size in zip(out, lengths, strict=True)])
    return Encoded(table=table, count=flat.size, states=states, lengths=lengths, payload=payload, lower=lower)


def decode(data: Encoded) -> np.ndarray:
    """uint16[count]: the symbols; FormatError for streams that do not end where they should."""
    if (data.lengths < 0).any() or data.lengths.sum() != data.payload.size:
        raise FormatError("the lengths of the rANS streams do not add up to the payload")
    symbols = np.empty(data.count, np.uint16)
    left = np.empty(len(data.states), np.int64)
    first = np.cumsum(data.lengths) - data.lengths
    table = data.table
    kernels.decode(
        data.payload, first, data.lengths, data.states, table.slots, table.frequencies, table.starts, table.bits,
        data.lower, symbols, left,
    )  # fmt: skip
    if left.any():
        raise FormatError("a rANS stream does not end with its symbols: it is damaged")
    return symbols
