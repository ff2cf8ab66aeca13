"""Plain integer multiply-accumulate: the baseline."""

import dataclasses

import numpy as np

from hwsim.datapath import Array, Event, Operand, Stats
from hwsim.integer import IntegerDatapath
from hwsim.kernels import mac as kernels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mac(IntegerDatapath):
    """``lanes`` multipliers per PE; a step of ``lanes`` products takes one cycle."""

    EVENTS = (
        Event(component="mac.pe", action="multiply", features=("bit_products",)),
        Event(component="mac.pe", action="accumulate"),
        Event(component="mac.pe", action="scale"),
        Event(component="mac.pe", action="clock", features=("register_bits",)),
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`: cycles do not depend on the weights' values."""
        return Stats(values=np.zeros(1, dtype=np.int64))

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`."""
        return np.array(
            [
                array.rows, array.cols, self.lanes, self.scale_stage, self.register_bits,
                self.weight_bits, self.activation_bits,
            ],
            dtype=np.int64,
        )
