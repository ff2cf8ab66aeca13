"""Bit-serial weights: one signed power-of-two term per lane and cycle."""

import dataclasses
from collections.abc import Hashable, Mapping
from typing import ClassVar, Literal

import numpy as np

from hwsim import schema, terms
from hwsim.array_events import ACCUMULATION, SHARED_EVENTS
from hwsim.datapath import Array, Component, Event, Operand, Stats
from hwsim.errors import DesignError
from hwsim.integer import PE_TERMS, IntegerDatapath, waiting
from hwsim.kernels import bit_serial as kernels
from hwsim.kernels import weight_stationary
from hwsim.switching import bit_serial as switching

TERMS_ADDED = (
    "shifted_toggles", "shifted_magnitude_toggles", "shift_toggles", "sign_toggles", "inverted_toggles",
    "inverted_sum_toggles", "sum_toggles", "last_toggles", "carries", "carry_toggles",
)  # fmt: skip
"""Features of adding terms: activations that terms select, shifted, and how far, the signs of those that are not 0,
inverted where they are negative, sums of these and of terms, what tells a step's last cycle, sums of earlier terms of
the step that are not 0, and their bits."""
ENCODING = ("term_changes", "retired_toggles", "step_end_toggles", "encoder_cycles")
"""Features of recoders (`hwsim.switching.bit_serial`)."""
_TERMS = ("shifted_bits", "selected_bits", "serial_scale_bits", "serial_sum_bits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitSerial(IntegerDatapath):
    """A PE adds one shifted activation per lane and cycle.

    Attributes:
        scheme: how a weight becomes terms: ``"booth"`` (radix-4), ``"twos_complement"`` or
            ``"naf"`` (the fewest signed digits).
        skip: ``"none"``: a step takes all terms of the format; ``"zero"``: as many cycles as
            the largest number of non-zero terms among the weights that run in lock-step.
        fifo_depth: steps that wait for the columns. 1: all columns run in lock-step; more: within
            a group a column may be this many steps less one ahead of the slowest (needs ``skip="zero"``).
        dequantization: ``"parallel"``: a multiplier applies group scales in one cycle; ``"serial"``: an adder
            takes one cycle per scale bit, while the next group computes (no offsets then).
    """

    scheme: terms.Scheme = "booth"
    skip: Literal["none", "zero"] = "none"
    fifo_depth: int = 1
    dequantization: Literal["parallel", "serial"] = "parallel"

    MAX_WEIGHT_BITS: ClassVar[int] = 20
    EVENTS = (
        Event(component="bit_serial.pe", action="term_add", features=TERMS_ADDED),
        Event(component="bit_serial.pe", action="accumulate", features=(*ACCUMULATION, *TERMS_ADDED)),
        Event(component="bit_serial.pe", action="scale"),
        Event(component="bit_serial.encoder", action="encode", features=ENCODING),
        Event(component="bit_serial.pe", action="clock"),
        *SHARED_EVENTS,
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, 64, "fifo_depth")
        if self.fifo_depth > 1 and self.skip == "none":
            raise DesignError(
                f"bit_serial: fifo_depth={self.fifo_depth} needs skip='zero'; "
                "without skipping all columns take equally long"
            )
        if self.serial_scale and (not self.scale_bits or self.offset_bits):
            raise DesignError("bit_serial: dequantization='serial' needs scale_bits > 0 and offset_bits = 0")

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: what works on a group while the next one runs needs its sum in the PE."""
        super().check_array(array)
        if array.weight_stationary and (self.fifo_depth > 1 or self.serial_scale):
            raise DesignError(
                f"bit_serial with fifo_depth={self.fifo_depth}, dequantization={self.dequantization!r} cannot run "
                "weight_stationary; use fifo_depth=1 and dequantization='parallel', "
                "or array.dataflow='output_stationary'"
            )

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`; layout in `hwsim.kernels.bit_serial`."""
        fixed = terms.per_step(w, self.scheme) if self.skip == "none" else 0
        if array.weight_stationary:
            counts = terms.count(w.integers, w.integer_bits, self.scheme)
            parts = weight_stationary.slices(w.k, w.group_size, array.rows, self.lanes)
            lasts = weight_stationary.most_terms(counts, parts, array.cols)
            if fixed:
                lasts[:] = fixed
            return Stats(values=weight_stationary.stats(lasts, parts, w.n, array.cols, kernels.total(counts)))
        codes, tables, select = terms.of_codes(w, self.scheme)
        values = kernels.stats(
            codes, tables, select, w.group_size, self.lanes, array.cols, fixed, self.fifo_depth, self.scale_latency
        )
        return Stats(values=values)

    def stats_key(self, array: Array) -> Hashable:
        """See `Datapath.stats_key`: sums that stay in the PEs do not care how many rows there are."""
        fixed = self.scheme, self.skip, self.lanes, array.cols
        return (*fixed, array.rows) if array.weight_stationary else (*fixed, self.fifo_depth, self.scale_latency)

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w, array)

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; the layout of integer datapaths and the latency of the scale stage."""
        return np.append(super().params(array), self.scale_latency)

    def sync_domains(self, array: Array) -> int:
        """See `IntegerDatapath.sync_domains`: columns with steps to wait in are on their own."""
        return 1 if self.fifo_depth == 1 else array.cols

    @property
    def operand_depth(self) -> int:
        """Steps of operands that the array holds."""
        return self.fifo_depth

    @property
    def scale_latency(self) -> int:
        """Cycles from a group's sum to the tile's."""
        return self.scale_bits if self.serial_scale else self.scale_stage

    @property
    def serial_scale(self) -> bool:
        """Whether group scales are applied bit by bit."""
        return self.dequantization == "serial"

    @property
    def serial_sum_bits(self) -> int:
        """Width of a group's sum times its scale, where an adder makes it bit by bit; else 0."""
        return (self.group_accumulator_bits + self.scale_bits) * self.serial_scale

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: those of every integer PE, the step's sum and what a serial scale works on."""
        held = self.group_accumulator_bits * self.serial_scale
        return super().register_bits + self.step_bits + self.serial_sum_bits + held

    @property
    def stationary_register_bits(self) -> int:
        """See `IntegerDatapath.stationary_register_bits`, and the step's sum so far."""
        return super().stationary_register_bits + self.step_bits

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`: a step takes all terms, or at best one cycle if zeros are skipped."""
        cycles = terms.per_step(w, self.scheme) if self.skip == "none" else 1
        return array.rows * array.cols * self.lanes / cycles

    def pe_parameters(self, array: Array) -> dict[str, float | str]:
        """See `IntegerDatapath.pe_parameters`.

        ``shifted_bits``: through each PE's variable shifters; ``selected_bits``: choices of a waiting step's
        activations; ``scale_stage``: has a multiplier; ``serial_scale_bits``: additions instead of it.
        """
        parameters = super().pe_parameters(array)
        own_shifts = self.skip == "zero" or self.scheme == "naf"
        operand_bits = self.lanes * self.activation_bits
        return parameters | {
            "scheme": self.scheme,
            "skip": self.skip,
            "shifted_bits": operand_bits * own_shifts,
            "selected_bits": operand_bits * (self.fifo_depth - 1),
            "scale_stage": parameters["scale_stage"] * (not self.serial_scale),
            "serial_scale_bits": self.scale_bits * self.serial_scale,
            "serial_sum_bits": self.serial_sum_bits,
        }

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        encoder = waiting(array) | {
            "dataflow": array.dataflow, "scheme": self.scheme, "skip": self.skip, "lanes": self.lanes,
            "weight_bits": self.weight_bits,
        }  # fmt: skip
        encoders = array.cols * (array.rows if array.weight_stationary else 1)
        return (
            Component("bit_serial.pe", array.rows * array.cols, self.pe_parameters(array), terms=(*PE_TERMS, *_TERMS)),
            Component("bit_serial.encoder", encoders, encoder, terms=("lanes*weight_bits", "lanes", "weight_bits")),
            *super().components(array),
        )
