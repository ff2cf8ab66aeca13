"""Loom: weights and activations bit-serial."""

import dataclasses
from typing import Literal

import numpy as np

from hwsim import bits
from hwsim.datapath import Operand
from hwsim.errors import DesignError
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ActivationRule, Tile, pe_events, signed, starts

WIDTHS = (1, 2, 4)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loom(ActivationRule):
    """A pass takes ceil(activation bits of the tile / ``bits_per_cycle``) x weight bits.

    Attributes:
        bits_per_cycle: activation bits that a PE takes per cycle: 1, 2 or 4.
        weight_precision: bits of the whole tensor (``"static"``) or of the tile's filters in this pass.
    """

    bits_per_cycle: int = 1
    weight_precision: Literal["static", "dynamic"] = "static"

    SOURCE = "Sharify et al., DAC 2018"
    EVENTS = pe_events("loom")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits_per_cycle not in WIDTHS:
            raise DesignError(f"Loom.bits_per_cycle = {self.bits_per_cycle}: accepted are {WIDTHS}")

    def full_cycles(self, w: Operand) -> int:
        """Beats of an activation times bits of a weight."""
        return -(-self.activation_bits // self.bits_per_cycle) * w.integer_bits

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        first = starts(w, tile)
        needed = bits.length(kernels.any_bit(bits.flipped(x), first)) + signed(x)
        beats = kernels.tile_maximum(-(-needed // self.bits_per_cycle), tile.rows)
        serial = np.full((w.n, beats.shape[1]), w.integer_bits, dtype=np.int64)
        if self.weight_precision == "dynamic":
            serial = bits.length(kernels.any_bit(bits.flipped(w.integers), first)) + 1
        weights = kernels.tile_maximum(serial, tile.cols)
        return int(kernels.products(beats, weights, np.arange(len(first))))
