"""Bit-serial weights: one signed power-of-two term per lane and cycle."""

import dataclasses
from typing import Literal

from hwsim import terms
from hwsim.datapath import ACTIVATION_FEATURES, Array, Component, Event, Operand, Stats
from hwsim.integer import SHARED_EVENTS, IntegerDatapath
from hwsim.kernels import bit_serial as kernels
from hwsim.kernels import weight_stationary


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
        if array.weight_stationary:
            parts = weight_stationary.slices(w.k, w.group_size, array.rows, self.lanes)
            lasts = weight_stationary.most_terms(counts, parts, array.cols)
            if fixed:
                lasts[:] = fixed
            return Stats(values=weight_stationary.stats(lasts, parts, w.n, array.cols, counts.sum(dtype="i8")))
        values = kernels.stats(counts, w.group_size, self.lanes, array.cols, fixed)
        return Stats(values=values)

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: those of every integer PE and the step's sum."""
        return super().register_bits + self.step_bits

    @property
    def stationary_register_bits(self) -> int:
        """See `IntegerDatapath.stationary_register_bits`, and the step's sum so far."""
        return super().stationary_register_bits + self.step_bits

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`: a step takes all terms, or at best one cycle if zeros are skipped."""
        cycles = terms.per_weight(w.integer_bits, self.scheme) if self.skip == "none" else 1
        return array.rows * array.cols * self.lanes / cycles

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        encoder = {"lanes": self.lanes, "weight_bits": self.weight_bits}
        encoders = array.cols * (array.rows if array.weight_stationary else 1)
        shifted_bits = self.lanes * self.activation_bits * (self.skip == "zero")
        pe = self.pe_parameters(array) | {"shifted_bits": shifted_bits}
        return (
            Component("bit_serial.pe", array.rows * array.cols, pe),
            Component("bit_serial.encoder", encoders, encoder),
            *super().components(array),
        )
