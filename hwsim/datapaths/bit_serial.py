"""Bit-serial weights: one signed power-of-two term per lane and cycle."""

import dataclasses
from typing import Literal

import numpy as np

from hwsim import terms
from hwsim.datapath import Array, Event, Operand, Stats
from hwsim.integer import IntegerDatapath
from hwsim.kernels import bit_serial as kernels


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitSerial(IntegerDatapath):
    """A PE adds one shifted activation per lane and cycle.

    Attributes:
        scheme: how a weight becomes terms: ``"booth"`` (radix-4) or ``"twos_complement"``.
        skip: ``"none"``: a step takes all terms of the format; ``"zero"``: as many cycles as
            the largest number of non-zero terms among the weights that run in lock-step.
    """

    scheme: Literal["booth", "twos_complement"] = "booth"
    skip: Literal["none", "zero"] = "none"

    EVENTS = (
        Event(component="bit_serial.pe", action="term_add"),
        Event(component="bit_serial.pe", action="accumulate"),
        Event(component="bit_serial.pe", action="scale"),
        Event(component="bit_serial.encoder", action="encode"),
        Event(component="bit_serial.pe", action="clock", features=("register_bits",)),
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`; layout in `hwsim.kernels.bit_serial`."""
        counts = terms.count(w.integers, w.integer_bits, self.scheme)
        fixed = terms.per_weight(w.integer_bits, self.scheme) if self.skip == "none" else 0
        values = kernels.stats(counts, w.group_size, self.lanes, array.cols, fixed)
        return Stats(values=values)

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`."""
        return np.array(
            [array.rows, array.cols, self.lanes, self.scale_stage, self.register_bits], dtype=np.int64
        )

    @property
    def step_bits(self) -> int:
        """Width of the register that sums a step's terms exactly."""
        return self.weight_bits + self.activation_bits + (self.lanes - 1).bit_length()

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: those of every integer PE and the step's sum."""
        return super().register_bits + self.step_bits
