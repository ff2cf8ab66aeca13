"""BitWave: sign-magnitude bit columns, empty ones skipped."""

import dataclasses

import numpy as np

from hwsim import bits
from hwsim.datapath import Operand
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ScheduledRule, Tile, pe_events, starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitWave(ScheduledRule):
    """A pass takes the columns (the sign's included) that hold a one in any lane, less one, at least one cycle.

    Attributes:
        skip_columns: skip empty columns; else a pass takes the weight's bits less one.
    """

    lanes: int = 8
    skip_columns: bool = True

    SOURCE = "Shi et al., HPCA 2024; rule of Chen et al. (BBS), MICRO 2024"
    EVENTS = pe_events("bitwave", "scheduler")

    def full_cycles(self, w: Operand) -> int:
        """Bits of a weight."""
        return w.integer_bits

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        first, width = starts(w, tile), w.integer_bits
        if not self.skip_columns:
            return -(-w.n // tile.cols) * (len(first) - 1) * (width - 1)
        columns = np.bitwise_count(kernels.any_bit(bits.sign_magnitude(w.integers, width), first)).astype(np.int64)
        return int(kernels.run(np.maximum(columns - 1, 1), tile.cols, 0))
