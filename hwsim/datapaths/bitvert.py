"""BitVert: bi-directional bit sparsity, one stored bit column per cycle."""

import dataclasses
import math
from typing import Literal

import numpy as np

from hwsim import bits, schema
from hwsim.datapath import Operand
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ScheduledRule, Tile, pe_events, starts

STORED_COLUMNS = {"conservative": 6, "moderate": 4}
MOST_REDUNDANT = 3
"""Columns equal to the sign's that are dropped at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitVert(ScheduledRule):
    """A column has at most as many ones or zeros as half its lanes, so that it takes one cycle, always.

    Attributes:
        pruning: columns stored of 8: ``"none"``: all; ``"redundant"``: all but up to three that equal
            the sign's (lossless; a pass waits for its longest channel); ``"conservative"``: 6;
            ``"moderate"``: 4, in channels that are not sensitive. Values after pruning are not computed.
        sensitive_fraction: share of channels, by pruned layer, that keep all columns; channels
            run sorted by columns. The default follows from the 6.23 columns on average that BBS's published
            speed-up of conservative BERT (2.569) implies: (6.23 - 6) / 2.
    """

    pruning: Literal["none", "redundant", "conservative", "moderate"] = "conservative"
    sensitive_fraction: float = 0.115

    SOURCE = "Chen et al. (BBS), MICRO 2024"
    EVENTS = pe_events("bitvert", "scheduler", "input_register")

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 0, 1, "sensitive_fraction")

    def full_cycles(self, w: Operand) -> int:
        """Bits of a weight."""
        return w.integer_bits

    def least_cycles(self, w: Operand) -> int:
        """Columns of the channels that store fewest."""
        if self.pruning == "redundant":
            return max(1, w.integer_bits - MOST_REDUNDANT)
        return min(w.integer_bits, STORED_COLUMNS.get(self.pruning, w.integer_bits))

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        first, width = starts(w, tile), w.integer_bits
        if self.pruning == "redundant":
            needed = bits.length(kernels.any_bit(bits.flipped(w.integers), first)) + 1
            return int(kernels.run(np.maximum(needed, self.least_cycles(w)), tile.cols, 0))
        sensitive = math.ceil(self.sensitive_fraction * w.n) if self.pruning in STORED_COLUMNS else 0
        full, count = -(-sensitive // tile.cols), -(-w.n // tile.cols)
        return (len(first) - 1) * (full * width + (count - full) * self.least_cycles(w))
