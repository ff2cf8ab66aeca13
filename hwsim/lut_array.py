"""What a look-up array is made of: its parameters, their limits, widths and parts."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from hwsim import schema, table_build
from hwsim.datapath import Array, Component
from hwsim.errors import DesignError
from hwsim.integer import IntegerDatapath

ENTRY_BITS = 8
"""Width of a rounded table entry."""


def check_readers(datapath: str, readers: int, array: Array) -> None:
    """DesignError with what would do unless columns fall into sets of ``readers`` (0: one set)."""
    if readers and array.cols % readers:
        divisors = [each for each in range(1, array.cols + 1) if array.cols % each == 0]
        raise DesignError(
            f"{datapath}: readers={readers} does not divide cols={array.cols}; "
            f"use {', '.join(map(str, divisors))}, or 0 for all columns"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LutArray(IntegerDatapath):
    """Tables of the signed sums of ``mu`` activations, indexed by the bit planes of the weights.

    ``weight_bits`` is the number of planes, 1..8; ``lanes`` the k of a step, in tables of ``mu``.

    Attributes:
        mu: activations per table, 1..8; divides ``lanes``.
        table: ``"full"``: all 2**mu sums; ``"half"``: those up to sign, negated by the reader; the weights
            are stored accordingly.
        build: order of the additions that build a table, see `hwsim.table_build.build`. ``"incremental"`` has one
            adder, and builds a step's tables while the one before is read; others build on the way in.
        readers: columns that share a row's tables; 0 for all of them.
        planes: ``"serial"``: a cycle per plane of the weights; ``"parallel"``: a read port per plane.
        entries: ``"exact"``, or ``"int8"``: rounded to 8 bits and a power of two for each table.
        plane_scales: each plane has a group scale of its own (BCQ), ``scale_bits`` wide.
        reuse: ``"rows"``: output channels with equal weights are computed once and delivered to each.
            ``"patterns"``: in a step, columns with equal weights take one sum; ``sum_units`` per row read and add,
            one pattern after the other, and columns whose weights are all 0 take none.
        sum_units: what reads a row's tables with ``reuse="patterns"``.
    """

    weight_bits: int = 4
    mu: int = 4
    table: Literal["half", "full"] = "half"
    build: table_build.Order = "shared"
    readers: int = 0
    planes: Literal["serial", "parallel"] = "serial"
    entries: Literal["exact", "int8"] = "exact"
    plane_scales: bool = False
    reuse: Literal["none", "rows", "patterns"] = "none"
    sum_units: int = 4

    MIN_WEIGHT_BITS: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, table_build.LARGEST_MU, "mu")
        schema.check_range(self, 0, 1024, "readers")
        schema.check_range(self, 1, 1024, "sum_units")
        if self.shares_sums and (self.readers or self.plane_scales or self.build_cycles or self.entries != "exact"):
            raise DesignError(
                "lut: reuse='patterns' needs readers=0, plane_scales=False, entries='exact' and another build "
                "than 'incremental'"
            )
        if self.lanes % self.mu:
            raise DesignError(f"lut: lanes={self.lanes} is not a multiple of mu={self.mu}, the lanes of a table")
        if self.plane_scales and not self.scale_bits:
            raise DesignError("lut: plane_scales=True needs scale_bits > 0")

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: sums stay in the PEs, and each table has equally many readers."""
        if array.weight_stationary:
            raise DesignError(
                "lut cannot run weight_stationary: its tables are made of the activations that stream past the sums; "
                "use array.dataflow='output_stationary'"
            )
        check_readers("lut", self.readers, array)

    @property
    def fewest_cols(self) -> int:
        """See `ArrayDatapath.fewest_cols`: a unit needs a column."""
        return self.sum_units if self.shares_sums else 1

    def sharing(self, array: Array) -> int:
        """See `ArrayDatapath.sharing`: columns that read one table."""
        return self.readers or array.cols

    @property
    def table_build(self) -> table_build.Build:
        """The additions that build one table."""
        return table_build.build(self.mu, self.table == "half", self.build)

    @property
    def build_cycles(self) -> int:
        """Cycles that one adder takes to build a table; 0 if it is built on the way in."""
        return max(1, len(self.table_build.additions)) if self.build == "incremental" else 0

    @property
    def exact_entry_bits(self) -> int:
        """Width of any signed sum of ``mu`` activations."""
        return (self.mu << (self.activation_bits - 1)).bit_length() + 1

    @property
    def entry_bits(self) -> int:
        """Width of a table entry."""
        return ENTRY_BITS if self.entries == "int8" else self.exact_entry_bits

    @property
    def shift_bits(self) -> int:
        """Width of a rounded table's power of two; 0 if there is none."""
        return max(self.exact_entry_bits - ENTRY_BITS, 0).bit_length() if self.entries == "int8" else 0

    @property
    def scales_per_group(self) -> int:
        """See `IntegerDatapath.scales_per_group`: one per plane."""
        return self.weight_bits if self.plane_scales else 1

    @property
    def scales_in_turn(self) -> bool:
        """See `IntegerDatapath.scales_in_turn`: planes that are read in turn are scaled in turn."""
        return self.scales_per_group > 1 and self.planes == "serial"

    @property
    def scale_latency(self) -> int:
        """Cycles from a group's sums to the tile's, at most: as many as the weights have planes."""
        return self.weight_bits if self.scales_in_turn else self.scale_stage

    @property
    def shares_sums(self) -> bool:
        """See `IntegerDatapath.shares_sums`."""
        return self.reuse == "patterns"

    @property
    def repeats_results(self) -> bool:
        """See `IntegerDatapath.repeats_results`."""
        return self.reuse == "rows"

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: the sum of the planes so far, and a group's sum for each plane with its own scale."""
        more = self.group_accumulator_bits * (self.scales_per_group - 1)
        return super().register_bits + more + self.plane_register_bits * (not self.shares_sums)

    @property
    def plane_register_bits(self) -> int:
        """Flip-flops for the sum of the planes so far."""
        if self.planes == "parallel" or self.plane_scales:
            return 0
        return self.exact_entry_bits + self.weight_bits + (self.lanes // self.mu - 1).bit_length()

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; layout in `hwsim.kernels.lut`."""
        build = self.table_build
        return np.array(
            [
                array.rows, array.cols, self.lanes, self.scale_stage, self.mu, self.sharing(array), self.build_cycles,
                len(build.additions), len(build.entries), self.planes == "parallel", self.plane_scales,
                self.sum_units * self.shares_sums,
            ],
            dtype=np.int64,
        )  # fmt: skip

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`.

        ``selected_bits``: of a PE's read ports, each a choice among the entries of a table; ``adder_bits``: of the
        adders that sum what is read, or build a table; ``addition_bits``: of one of them; ``read_bits``: that a reading
        passes through, level by level; ``multipliers``: of the scale stage.
        """
        build = self.table_build
        tables, entries = self.lanes // self.mu, len(build.entries)
        ports = tables * (self.weight_bits if self.planes == "parallel" else 1)
        adders = len(build.additions) if self.build != "incremental" else 1
        banks = 2 if self.build == "incremental" else 1
        reader: dict[str, float | str] = {
            "selected_bits": ports * (entries - 1) * self.entry_bits,
            "negated_bits": ports * self.entry_bits * (self.table == "half"),
            "adder_bits": ports * self.exact_entry_bits,
        }
        reader |= {
            "addition_bits": self.exact_entry_bits,
            "read_bits": self.entry_bits * ((entries - 1).bit_length() + (self.table == "half")),
        }
        pe = {
            **self.pe_parameters(array),
            **reader,
            "multipliers": self.scale_stage * (self.scales_per_group if self.planes == "parallel" else 1),
        }
        units: tuple[Component, ...] = ()
        if self.shares_sums:
            unit = {**reader, "register_bits": self.plane_register_bits}
            units = (Component("lut.unit", array.rows * self.sum_units, unit),)
            choices = (self.sum_units - 1) * (self.step_bits + 3)
            pe |= {"selected_bits": choices, "negated_bits": 0, "adder_bits": 0}
        table = {
            "mu": self.mu,
            "entry_bits": self.entry_bits,
            "adder_bits": adders * self.exact_entry_bits,
            "addition_bits": self.exact_entry_bits,
            "register_bits": banks * entries * self.entry_bits + self.shift_bits,
            "row_lanes": self.lanes,
        }
        count = array.rows * (array.cols // self.sharing(array)) * tables
        return (
            Component("lut.pe", array.rows * array.cols, pe),
            Component("lut.table", count, table),
            *units,
            *super().components(array),
        )
