"""Bit-serial weights: one signed power-of-two term per lane and cycle."""

import dataclasses
from typing import Literal

from hwsim import terms
from hwsim.datapath import ACTIVATION_FEATURES, Array, Component, Event, Operand, Stats
from hwsim.integer import SHARED_EVENTS, IntegerDatapath
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
        Event(component="bit_serial.pe", action="term_add", features=ACTIVATION_FEATURES),
        Event(component="bit_serial.pe", action="accumulate"),
        Event(component="bit_serial.pe", action="scale"),
        Event(component="bit_serial.encoder", action="encode"),
        Event(component="bit_serial.pe", action="clock"),
        *SHARED_EVENTS,
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`; layout in `hwsim.kernels.bit_serial`."""
        counts = terms.count(w.integers, w.integer_bits, self.scheme)
        fixed = terms.per_weight(w.integer_bits, self.scheme) if self.skip == "none" else 0
        values = kernels.stats(counts, w.group_size, self.lanes, array.cols, fixed)
        return Stats(values=values)

    @property
    def step_bits(self) -> int:
        """Width of the register that sums a step's terms exactly."""
        return self.weight_bits + self.activation_bits + (self.lanes - 1).bit_length()

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: those of every integer PE and the step's sum."""
        return super().register_bits + self.step_bits

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`: a step takes all terms, or at best one cycle if zeros are skipped."""
        cycles = terms.per_weight(w.integer_bits, self.scheme) if self.skip == "none" else 1
        return array.rows * array.cols * self.lanes / cycles

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        encoder = {"lanes": self.lanes, "weight_bits": self.weight_bits}
        shifted_bits = self.lanes * self.activation_bits * (self.skip == "zero")
        return (
            Component("bit_serial.pe", array.rows * array.cols, self.pe_parameters() | {"shifted_bits": shifted_bits}),
            Component("bit_serial.encoder", array.cols, encoder),
            *super().components(array),
        )
