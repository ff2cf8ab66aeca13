"""Plain integer multiply-accumulate: the baseline."""

import dataclasses

import numpy as np

from hwsim.datapath import ACTIVATION_FEATURES, Array, Component, Event, Operand, Stats
from hwsim.integer import SHARED_EVENTS, IntegerDatapath
from hwsim.kernels import mac as kernels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mac(IntegerDatapath):
    """``lanes`` multipliers per PE; a step of ``lanes`` products takes one cycle."""

    EVENTS = (
        Event(component="mac.pe", action="multiply", features=ACTIVATION_FEATURES),
        Event(component="mac.pe", action="accumulate"),
        Event(component="mac.pe", action="scale"),
        Event(component="mac.pe", action="clock"),
        *SHARED_EVENTS,
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`: cycles do not depend on the weights' values."""
        return Stats(values=np.zeros(1, dtype=np.int64))

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return array.rows * array.cols * self.lanes

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        return (
            Component("mac.pe", array.rows * array.cols, self.pe_parameters()),
            *super().components(array),
        )
