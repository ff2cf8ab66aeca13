"""BitFusion: 2-bit multipliers fused in space to the widths of a layer."""

import dataclasses

import numpy as np

from hwsim import schema
from hwsim.datapath import Array, Operand
from hwsim.scheduling import ScheduledRule, Tile, pe_events, starts

WIDTH = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitFusion(ScheduledRule):
    """A pass takes one cycle: one row of M, ``cols`` of N, ``rows`` x lanes x products per unit of K."""

    lanes: int = 1

    SOURCE = "Sharma et al., ISCA 2018; hsharma35/bitfusion"
    EVENTS = pe_events("bitfusion")

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 2, WIDTH, "activation_bits")

    def products(self, w: Operand) -> int:
        """Products of a fusion unit per cycle: 1 at 8 x 8 bits, 16 at 2 x 2; 3 bits count as 4."""
        return (WIDTH // max(self.activation_bits, 2)) * (WIDTH // max(w.integer_bits, 2))

    def tile(self, w: Operand, array: Array) -> Tile:
        """See `ScheduledRule.tile`: rows of units reduce."""
        return Tile(1, array.cols, array.rows * self.lanes * self.products(w))

    def full_cycles(self, w: Operand) -> int:
        """One."""
        return 1

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        return -(-w.n // tile.cols) * (len(starts(w, tile)) - 1)
