"""Bit-Pragmatic: only the bits that are set, through a first shifter of limited reach."""

import dataclasses
from typing import Literal

import numpy as np

from hwsim import bits, schema
from hwsim.datapath import Array, Operand
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ActivationRule, Tile, pe_events, starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pragmatic(ActivationRule):
    """The lanes of a PE retire a set bit per cycle each, if it is near the lowest one left in any lane.

    Attributes:
        operand: whose bits: ``"weights"`` (BBS's variant) or ``"activations"`` (the original).
        shifter_bits: L: bits within 2^L positions of the lowest one may retire together.
        run_ahead: R: passes that a column (of weights; row of activations) may be before the slowest of its tile.
        recode: count signed powers of two where that makes fewer terms.
    """

    lanes: int = 8
    operand: Literal["weights", "activations"] = "weights"
    shifter_bits: int = 4
    run_ahead: int = 0
    recode: bool = False

    SOURCE = "Albericio et al., MICRO 2017 (activations); Chen et al. (BBS), MICRO 2024 (weights)"
    EVENTS = pe_events("pragmatic", "scheduler", "input_register")

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 0, 4, "shifter_bits")
        schema.check_range(self, 0, 1024, "run_ahead")

    @property
    def reads_activations(self) -> bool:
        """See `ScheduledRule.reads_activations`."""
        return self.operand == "activations"

    def full_cycles(self, w: Operand) -> int:
        """Bits of the serial operand."""
        return self.activation_bits if self.reads_activations else w.integer_bits

    def component_parameters(self, array: Array) -> dict[str, float | str]:
        """Lanes, operand and shifter: see `ScheduledRule.component_parameters`."""
        return super().component_parameters(array) | {
            "operand": self.operand, "shifter_bits": self.shifter_bits, "run_ahead": self.run_ahead,
            "recode": int(self.recode),
        }  # fmt: skip

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        values = x if self.reads_activations else w.integers
        masks = bits.recoded(values) if self.recode else bits.magnitude(values)
        costs = kernels.windowed_shifts(masks, starts(w, tile), 1 << self.shifter_bits)
        if self.reads_activations:
            return -(-w.n // tile.cols) * kernels.run(costs, tile.rows, self.run_ahead)
        return int(kernels.run(costs, tile.cols, self.run_ahead))
