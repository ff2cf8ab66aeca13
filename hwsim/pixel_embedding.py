"""Pixel embedding: each 8-bit input value becomes a short vector of low-bit numbers.

Source: arXiv 2407.16174. A trained table is read once per pixel and channel, so that the
first convolution runs at low bits; there is no arithmetic.
"""

import dataclasses

import numpy as np

from hwsim.codebook import frozen
from hwsim.errors import FormatError

LEVELS = 256


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PixelEmbedding:
    """A table of 256 vectors for all input channels, or one for each.

    Attributes:
        tables: uint8 [1|C, 256, d], entries below 2**bits.
        bits: of each entry, 1..8.
    """

    tables: np.ndarray
    bits: int

    def __post_init__(self) -> None:
        tables = self.tables
        if tables.dtype != np.uint8 or tables.ndim != 3 or tables.shape[1] != LEVELS or tables.size == 0:
            raise FormatError(f"pixel tables are {tables.dtype}{tables.shape}, expected uint8[channels, {LEVELS}, d]")
        if not 1 <= self.bits <= 8 or int(tables.max()) >= 1 << self.bits:
            raise FormatError(f"a pixel table entry does not fit {self.bits} bits (1..8)")
        object.__setattr__(self, "tables", frozen(tables))

    @property
    def dimensions(self) -> int:
        """Numbers per pixel and channel."""
        return self.tables.shape[2]

    @property
    def storage_bits(self) -> int:
        """Bits of all tables."""
        return self.tables.size * self.bits

    def lookup(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [..., C * d, H, W] for uint8 ``pixels`` [..., C, H, W]: d consecutive channels for each."""
        if pixels.dtype != np.uint8 or pixels.ndim < 3:
            raise FormatError(f"pixels are {pixels.dtype}{pixels.shape}, expected uint8[..., channels, height, width]")
        *batch, channels, height, width = pixels.shape
        if len(self.tables) not in (1, channels):
            raise FormatError(f"pixels of {channels} channels for tables of {len(self.tables)}")
        tables = np.broadcast_to(self.tables, (channels, *self.tables.shape[1:]))
        vectors = np.moveaxis(tables[np.arange(channels)[:, None, None], pixels], -1, -3)
        return vectors.reshape(*batch, channels * self.dimensions, height, width)
