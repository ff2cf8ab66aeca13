"""Laconic: the terms of both operands, pair by pair."""

import dataclasses

import numpy as np

from hwsim import bits
from hwsim.datapath import Operand
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ActivationRule, Tile, pe_events, starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Laconic(ActivationRule):
    """A lane takes terms(activation) x terms(weight) cycles; a pass waits for its slowest lane, at least one.

    Attributes:
        recode: count signed powers of two where that makes fewer terms.
    """

    recode: bool = False

    SOURCE = "Sharify et al., arXiv 1805.04513"
    EVENTS = pe_events("laconic")

    def full_cycles(self, w: Operand) -> int:
        """Bits of an activation times bits of a weight."""
        return self.activation_bits * w.integer_bits

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        masks = bits.recoded if self.recode else bits.magnitude
        rows, columns = (
            kernels.tile_maximum(np.bitwise_count(masks(values)).astype(np.int64), size)
            for values, size in ((x, tile.rows), (w.integers, tile.cols))
        )
        return int(kernels.products(rows, columns, starts(w, tile)))
