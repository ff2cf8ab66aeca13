"""Bitlet: one accumulator per bit significance absorbs the ones of all lanes."""

import dataclasses

import numpy as np

from hwsim import bits, schema
from hwsim.datapath import Array, Operand
from hwsim.kernels import rules as kernels
from hwsim.scheduling import ScheduledRule, Tile, pe_events, starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bitlet(ScheduledRule):
    """A pass lasts as long as its fullest bit plane has ones, over all columns; an empty pass takes no cycle.

    Attributes:
        check_window: 0: a plane always finds its next one (two's complement planes). Else the
            lanes among which a plane looks for it each cycle (planes of the magnitude), as in Bitlet's RTL.
    """

    lanes: int = 32
    check_window: int = 0

    SOURCE = "Lu et al., MICRO 2021; rule of Chen et al. (BBS), MICRO 2024; check window: Bitlet-PE RTL"
    EVENTS = pe_events("bitlet", "scheduler", "input_register")

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 0, 1024, "check_window")

    def full_cycles(self, w: Operand) -> int:
        """One cycle per lane: a plane of ones only."""
        return self.lanes

    def dense_cycles(self, w: Operand, array: Array) -> int:
        """See `ScheduledRule.dense_cycles`: a pass with fewer lanes is over sooner."""
        return -(-w.n // array.cols) * w.k

    def component_parameters(self, array: Array) -> dict[str, float | str]:
        """Lanes and window: see `ScheduledRule.component_parameters`."""
        return super().component_parameters(array) | {"check_window": self.check_window}

    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """See `ScheduledRule.tile_cycles`."""
        first, width = starts(w, tile), w.integer_bits
        if self.check_window:
            costs = kernels.longest_walk(bits.magnitude(w.integers), first, width, self.check_window)
        else:
            costs = kernels.fullest_plane(bits.twos_complement(w.integers, width), first, width)
        return int(kernels.run(costs, tile.cols, 0))
