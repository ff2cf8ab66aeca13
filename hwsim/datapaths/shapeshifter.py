"""ShapeShifter (dynamic Stripes): activations bit-serial, only as many bits as a group needs."""

import dataclasses

import numpy as np

from hwsim import bits, schema
from hwsim.datapath import Operand
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ActivationRule, Tile, pe_events, signed, starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShapeShifter(ActivationRule):
    """A row's lanes are a group: it takes the bits of its largest activation, at least one cycle.

    Negative activations are inverted first; a sign adds a bit where any activation is negative.

    Attributes:
        trim_low: trailing positions without a bit in the group are skipped too.
        run_ahead: passes that a row may be before the slowest row of its tile.
    """

    trim_low: bool = False
    run_ahead: int = 0

    SOURCE = "Lascorz et al., MICRO 2019; Delmas et al. (Dynamic Stripes), 2017"
    EVENTS = pe_events("shapeshifter")

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 0, 1024, "run_ahead")

    def full_cycles(self, w: Operand) -> int:
        """Bits of an activation."""
        return self.activation_bits

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        present = kernels.any_bit(bits.flipped(x), starts(w, tile))
        needed = bits.length(present) + signed(x)
        if self.trim_low:
            needed -= bits.trailing_zeros(present)
        return -(-w.n // tile.cols) * kernels.run(np.maximum(needed, 1), tile.rows, self.run_ahead)
