"""ANT's accelerator: 4-bit PEs, four of which make an 8-bit one."""

import dataclasses
from typing import Literal

import numpy as np

from hwsim import schema
from hwsim.datapath import Array, Operand
from hwsim.scheduling import ScheduledRule, Tile, pe_events, starts

WIDTH = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ant(ScheduledRule):
    """A pass takes one cycle; operands of up to 4 bits double the side of the array that they enter.

    Attributes:
        stationary: ``"output"``: a pass is one k of rows x cols outputs; ``"weight"``: the rows hold K.
    """

    lanes: int = 1
    stationary: Literal["output", "weight"] = "output"

    SOURCE = "Guo et al., MICRO 2022; clevercool/ANT-Quantization ant_simulator"
    EVENTS = pe_events("ant")

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 2, WIDTH, "activation_bits")

    def tile(self, w: Operand, array: Array) -> Tile:
        """See `ScheduledRule.tile`."""
        rows = array.rows * (WIDTH // max(self.activation_bits, 4))
        cols = array.cols * (WIDTH // max(w.integer_bits, 4))
        return Tile(rows, cols, self.lanes) if self.stationary == "output" else Tile(1, cols, rows * self.lanes)

    def full_cycles(self, w: Operand) -> int:
        """One."""
        return 1

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        return -(-w.n // tile.cols) * (len(starts(w, tile)) - 1)
