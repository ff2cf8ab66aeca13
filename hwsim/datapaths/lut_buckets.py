"""Buckets: activations are added up by weight code, and what a code stands for multiplies their sum."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from hwsim import schema
from hwsim.array_events import OFFSETS, SHARED_EVENTS, TURNS
from hwsim.datapath import Array, Component, Event, Operand, Stats
from hwsim.decoding import check_codebook
from hwsim.errors import DesignError, FormatError
from hwsim.integer import IntegerDatapath
from hwsim.kernels import lut_buckets as kernels
from hwsim.switching import lut_buckets as switching


@dataclasses.dataclass(frozen=True, kw_only=True)
class LutBuckets(IntegerDatapath):
    """A table of centroids instead of a multiplier per weight (SqueezeLLM, arXiv 2306.07629; UCNN, arXiv 1804.06508).

    ``weight_bits`` is the width of a weight's code, 1..8: a PE has ``2**weight_bits`` buckets. The
    centroids, times their group's scale, are ``scale_bits`` wide and come once per group; so channels and groups may
    have codebooks of their own.

    Attributes:
        adders: ``"serial"``: one adder takes lane after lane, and one multiplier bucket after bucket while the next
            group is added up; ``"parallel"``: each bucket has a tree of adders over all lanes and a multiplier.
    """

    weight_bits: int = 4
    scale_bits: int = 16
    adders: Literal["serial", "parallel"] = "serial"

    MIN_WEIGHT_BITS: ClassVar[int] = 1
    MAX_SCALE_BITS: ClassVar[int] = 24
    EVENTS = (
        Event(component="lut_buckets.pe", action="select", features=("code_toggles", "addend_toggles")),
        Event(
            component="lut_buckets.pe",
            action="accumulate",
            features=("code_toggles", "addend_toggles", *TURNS, *OFFSETS),
        ),
        Event(component="lut_buckets.pe", action="scale"),
        Event(component="lut_buckets.pe", action="clock"),
        *SHARED_EVENTS[:2],
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 2, self.MAX_SCALE_BITS, "scale_bits")

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: buckets stay in the PEs."""
        if array.weight_stationary:
            raise DesignError(
                "lut_buckets cannot run weight_stationary: buckets fill while a group streams past the PEs that keep "
                "them; use array.dataflow='output_stationary'"
            )

    @property
    def buckets(self) -> int:
        """Buckets of a PE."""
        return 1 << self.weight_bits

    @property
    def scatters(self) -> bool:
        """See `IntegerDatapath.scatters`."""
        return self.adders == "serial"

    @property
    def scales_per_group(self) -> int:
        """See `IntegerDatapath.scales_per_group`: one per bucket."""
        return self.buckets

    @property
    def scales_in_turn(self) -> bool:
        """See `IntegerDatapath.scales_in_turn`."""
        return self.adders == "serial"

    @property
    def scale_latency(self) -> int:
        """Cycles from a group's sums to the tile's, at most."""
        return self.buckets if self.scales_in_turn else 1

    @property
    def step_bits(self) -> int:
        """Width of what a bucket gets in a cycle."""
        lanes = 1 if self.adders == "serial" else self.lanes
        return self.activation_bits + (lanes - 1).bit_length()

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: buckets, those of the group before while they are scaled in turn, tile and shadow."""
        banks = 2 if self.scales_in_turn else 1
        return 2 * self.accumulator_bits + banks * self.buckets * self.group_accumulator_bits

    def _check_values(self, w: Operand) -> None:
        try:
            check_codebook(w)
        except FormatError as error:
            raise self._refusal(w, str(error), "use a format with one codebook entry per weight, or lut") from None
        entries = w.codebook.mantissas.shape[1]
        if entries > self.buckets:
            needed = (entries - 1).bit_length()
            remedy = f"use weight_bits={needed}" if needed <= self.MAX_WEIGHT_BITS else "use a format of shorter codes"
            raise self._refusal(w, f"its codebook has {entries} entries and there are {self.buckets} buckets", remedy)

    def group_constants(self, w: Operand) -> dict[str, np.ndarray]:
        """See `IntegerDatapath.group_constants`; the scale int64[N, G, buckets]: of each code, by its group's scale."""
        constants = super().group_constants(w)
        table = w.codebook.integers[0 if w.select is None else w.select]
        scale = constants["scale"][..., None].astype(np.int64) * table
        missing = self.buckets - table.shape[-1]
        return constants | {"scale": np.pad(scale, ((0, 0), (0, 0), (0, missing)))}

    def operands(self, w: Operand, index: np.ndarray) -> np.ndarray:
        """See `IntegerDatapath.operands`: the codes; 0, and activation 0, where there is no k."""
        return np.pad(w.expanded_codes, ((0, 0), (0, 1)))[:, index]

    def _worst_case(self, w: Operand) -> tuple[int, int]:
        """The fullest bucket, all of its activations extreme; the total as of any datapath."""
        return _largest_bucket(w) << (self.activation_bits - 1), super()._worst_case(w)[1]

    def _saturating_matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        return self.add_up(x, w)

    def add_up(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """`matmul`, with every activation added to its bucket, saturating."""
        constants, entries = self.group_constants(w), w.codebook.mantissas.shape[1]
        return kernels.matmul(
            np.ascontiguousarray(x, dtype=np.int32), w.expanded_codes,
            np.ascontiguousarray(constants["scale"][..., :entries]), constants["offset"].astype(np.int64),
            w.group_size, self.lanes, self.adders == "serial", self.accumulator_bits, self.group_accumulator_bits,
        )  # fmt: skip

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`; layout in `hwsim.kernels.lut_buckets`."""
        self.check_array(array)
        return Stats(values=np.array([w.codebook.mantissas.shape[1]], dtype=np.int64))

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; layout in `hwsim.kernels.lut_buckets`."""
        return np.array([array.rows, array.cols, self.lanes, self.adders == "serial"], dtype=np.int64)

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w, array)

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return array.rows * array.cols * (1 if self.adders == "serial" else self.lanes)

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`.

        ``selected_bits``: of choices among buckets, or of lanes gated for each; ``adder_bits``: of the adders into
        buckets; ``read_bits``: that one activation passes through, level by level; ``addition_bits``: of the tree's
        adder that it takes; ``multiplier_bits``: products of widths of what multiplies by centroids.
        """
        serial = self.adders == "serial"
        bits = self.group_accumulator_bits
        pe = {
            **self.pe_parameters(array),
            "multiplier_bits": (1 if serial else self.buckets) * self.group_accumulator_bits * self.scale_bits,
            "selected_bits": (2 * (self.buckets - 1) * bits if serial else self.buckets * self.lanes * self.step_bits),
            "adder_bits": bits if serial else self.buckets * (bits + (self.lanes - 1) * self.step_bits),
            "read_bits": bits * self.weight_bits if serial else self.step_bits,
            "addition_bits": 0 if serial or self.lanes == 1 else self.step_bits,
            "scale_bits": self.scale_bits,
        }
        return (Component("lut_buckets.pe", array.rows * array.cols, pe), *super().components(array))


@functools.lru_cache(maxsize=16)
def _largest_bucket(w: Operand) -> int:
    return int(kernels.largest_bucket(w.expanded_codes, w.group_size, w.codebook.mantissas.shape[1]))
