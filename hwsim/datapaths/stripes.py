"""Stripes: one operand bit-serial at its full precision."""

import dataclasses
from typing import Literal

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.scheduling import ScheduledRule, Tile, pe_events, starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stripes(ScheduledRule):
    """A pass takes as many cycles as the serial operand has bits.

    Attributes:
        serial: ``"weights"`` (BBS's variant) or ``"activations"`` (the original, ``activation_bits`` profiled).
    """

    serial: Literal["weights", "activations"] = "weights"

    SOURCE = "Judd et al., MICRO 2016 (activations); Chen et al. (BBS), MICRO 2024 (weights)"
    EVENTS = pe_events("stripes", "scheduler", "input_register")

    def full_cycles(self, w: Operand) -> int:
        """Bits of the serial operand."""
        return w.integer_bits if self.serial == "weights" else self.activation_bits

    def least_cycles(self, w: Operand) -> int:
        """All passes last alike."""
        return self.full_cycles(w)

    def component_parameters(self, array: Array) -> dict[str, float | str]:
        """Lanes and serial operand: see `ScheduledRule.component_parameters`."""
        return super().component_parameters(array) | {"serial": self.serial}

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        return -(-w.n // tile.cols) * (len(starts(w, tile)) - 1) * self.full_cycles(w)
