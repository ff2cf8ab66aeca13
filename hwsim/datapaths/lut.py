"""Look-up tables: signed sums of activations are built once and read by many columns."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from hwsim import repetition, schema, table_build
from hwsim.datapath import ACTIVATION_FEATURES, Array, Component, Event, Operand, Stats
from hwsim.errors import DesignError, FormatError
from hwsim.integer import SHARED_EVENTS, IntegerDatapath, check_activations
from hwsim.kernels import lut as kernels
from hwsim.repetition import Repetition
from hwsim.sign_planes import SignPlanes, sign_planes

ENTRY_BITS = 8
"""Width of a rounded table entry."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lut(IntegerDatapath):
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
    EVENTS = (
        Event(component="lut.table", action="add", features=ACTIVATION_FEATURES),
        Event(component="lut.table", action="write"),
        Event(component="lut.pe", action="look_up", features=ACTIVATION_FEATURES),
        Event(component="lut.pe", action="accumulate"),
        Event(component="lut.pe", action="scale"),
        Event(component="lut.pe", action="clock"),
        Event(component="lut.table", action="clock"),
        *SHARED_EVENTS[:2],
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

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
        if self.readers and array.cols % self.readers:
            divisors = [each for each in range(1, array.cols + 1) if array.cols % each == 0]
            raise DesignError(
                f"lut: readers={self.readers} does not divide cols={array.cols}; "
                f"use {', '.join(map(str, divisors))}, or 0 for all columns"
            )

    def sharing(self, array: Array) -> int:
        """Columns that share a table."""
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
        if self.planes == "serial" and not self.plane_scales:
            more += self.exact_entry_bits + self.weight_bits + (self.lanes // self.mu - 1).bit_length()
        return super().register_bits + more

    def sign_planes(self, w: Operand) -> SignPlanes:
        """How the planes make up lowered ``w``; FormatError naming the remedy if they cannot."""
        try:
            return sign_planes(w, self.plane_scales)
        except FormatError as error:
            own = w.plane_weights is not None
            remedy = (
                "use plane_scales=True" if own else "use a format with bit planes (hwsim formats), or mac, bit_serial"
            )
            raise FormatError(f"{self.name()} cannot take format {w.format!r}: {error}; {remedy}") from None

    def _check_values(self, w: Operand) -> None:
        count = self.sign_planes(w).count
        if count > self.weight_bits:
            raise self._refusal(
                w, f"it has {count} planes and weight_bits is {self.weight_bits}", f"use weight_bits={count}"
            )
        if abs(self.sign_planes(w).constant) >> (self.weight_bits + 1):
            raise self._refusal(w, "its values lie far from 0", "use a format that is closer to symmetric")

    def group_constants(self, w: Operand) -> dict[str, np.ndarray]:
        """See `IntegerDatapath.group_constants`; with plane scales [N, G, weight_bits].

        Planes that take turns are in the order of their turns, the highest first; others the lowest first.
        """
        constants = super().group_constants(w)
        signs = self.sign_planes(w)
        if signs.scales is None:
            return constants
        shape = (w.n, w.groups)
        scale = np.zeros((*shape, self.weight_bits), np.int64)
        for i, each in enumerate(signs.scales[::-1] if self.scales_in_turn else signs.scales):
            scale[..., i] = np.broadcast_to(each, shape)
        offset = constants["offset"] if signs.offset is None else constants["offset"] + signs.offset
        if self.scales_per_group == 1:
            scale = scale[..., 0]
        return {"scale": scale, "offset": np.broadcast_to(offset, shape)}

    def _worst_case(self, w: Operand) -> tuple[int, int]:
        """A plane of one sign per weight, or what the tables hold once rounded."""
        group, total = super()._worst_case(w)
        signs = self.sign_planes(w)
        longest = min(w.group_size, w.k) << (self.activation_bits - 1)
        if self.plane_scales:
            group = longest * (1 if self.entries == "exact" else signs.magnitude)
        if self.entries == "int8":
            constants = self.group_constants(w)
            sizes = np.diff(np.append(np.arange(0, w.k, w.group_size), w.k)) << (self.activation_bits - 1)
            scale = np.abs(constants["scale"].astype(np.int64))
            each = scale.reshape(w.n, w.groups, -1).sum(axis=2)
            bound = each * signs.magnitude + np.abs(constants["offset"].astype(np.int64))
            group, total = longest * signs.magnitude, int((bound * sizes).sum(axis=1).max())
        return group, total

    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """See `IntegerDatapath.matmul`; sums of exact entries are those of any datapath."""
        if self.entries == "exact" and not (self.plane_scales and self.overflow == "saturate"):
            return super().matmul(x, w)
        self.supports(w)
        check_activations(x, w.k, self.activation_bits, self.name())
        return self.look_up(x, w)

    def look_up(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """`matmul`, with every table built and every look-up made."""
        signs, constants = self.sign_planes(w), self.group_constants(w)
        scale = constants["scale"].astype(np.int64).reshape(w.n, w.groups, -1)[..., : signs.count]
        if self.scales_in_turn:
            scale = scale[..., ::-1]
        return kernels.matmul(
            np.ascontiguousarray(x, dtype=np.int32), signs.codes(w), np.ascontiguousarray(scale),
            np.ascontiguousarray(constants["offset"].astype(np.int64)),
            (signs.count, signs.doubles, signs.constant, signs.halve), w.group_size, self.lanes, self.mu,
            (self.group_accumulator_bits, self.accumulator_bits),
            (
                self.scale_stage > 0, self.plane_scales, self.planes == "parallel", self.entries == "int8",
                self.overflow == "saturate",
            ),
        )  # fmt: skip

    def operands(self, w: Operand, index: np.ndarray) -> np.ndarray:
        """See `IntegerDatapath.operands`: a bit per plane, + is 1; negations of half tables are folded in.

        The last lane's bit of a table tells the sign; where it is 0, the others are inverted.
        """
        codes = np.pad(self.sign_planes(w).codes(w), ((0, 0), (0, 1)))[:, index]
        if self.table == "half":
            tables = codes.reshape(*codes.shape[:-1], -1, self.mu)
            tables[..., :-1] ^= ~tables[..., -1:]
        return codes

    def channels(self, w: Operand, array: Array) -> list[np.ndarray]:
        """See `IntegerDatapath.channels`. No column is missing: those left over repeat the last channel."""
        order = repetition.distinct_rows(w) if self.reuse == "rows" else [np.array([n]) for n in range(w.n)]
        tiles = []
        for low in range(0, len(order), array.cols):
            chosen = order[low : low + array.cols]
            chosen += [chosen[-1]] * (array.cols - len(chosen))
            passes = len(chosen[0])
            tiles.append(np.array([np.pad(each, (0, passes - len(each)), mode="edge") for each in chosen]).T)
        return tiles

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`; layout in `hwsim.kernels.lut`."""
        self.check_array(array)
        whole, rest = divmod(w.k, w.group_size)
        groups = [w.group_size] * whole + [rest] * (rest > 0)
        rounds = sum(-(-size // self.lanes) for size in groups)
        tables = sum(-(-size // self.mu) for size in groups)
        count = self.sign_planes(w).count
        if self.shares_sums:
            return Stats(values=self._shared_stats(w, array, count))
        passes, computed = [1] * -(-w.n // array.cols), w.n
        if self.reuse == "rows":
            order = repetition.distinct_rows(w)
            passes, computed = [len(order[low]) for low in range(0, len(order), array.cols)], len(order)
        each = [value for tile in passes for value in (tile, rounds)]
        return Stats(values=np.array([count, computed, computed * tables, computed * rounds, *each], dtype=np.int64))

    def _shared_stats(self, w: Operand, array: Array, count: int) -> np.ndarray:
        """A pattern is read once per tile and step; columns of zeros accumulate nothing."""
        select, distinct = self.patterns(w, array)
        lengths = np.bincount(repetition.step_of(w, self.lanes))
        rounds = np.maximum(-(-distinct // self.sum_units), 1).sum(axis=1)
        look_ups = int((distinct * -(-lengths // self.mu)).sum())
        each = np.stack([np.ones_like(rounds), rounds], axis=1).ravel()
        return np.array([count, w.n, look_ups, np.count_nonzero(select), *each], dtype=np.int64)

    def patterns(self, w: Operand, array: Array) -> tuple[np.ndarray, np.ndarray]:
        """`repetition.step_patterns` of the steps and column tiles of ``array``."""
        return repetition.step_patterns(w, self.sign_planes(w).codes(w), self.lanes, array.cols)

    def repetition(self, w: Operand, array: Array) -> Repetition | None:
        """See `Datapath.repetition`: of the planes' codes, where sums are reused."""
        if self.reuse == "none":
            return None
        return repetition.repetition(w, self.sign_planes(w).codes(w), self.lanes, array.cols)

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; layout in `hwsim.kernels.lut`."""
        build = self.table_build
        return np.array(
            [
                array.rows, array.cols, self.lanes, self.scale_stage, self.mu, self.sharing(array), self.build_cycles,
                len(build.additions), len(build.entries), self.planes == "parallel", self.plane_scales,
            ],
            dtype=np.int64,
        )  # fmt: skip

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`: a step lasts until its tables are read and the next ones built."""
        reads = 1 if self.planes == "parallel" else self.sign_planes(w).count
        return array.rows * array.cols * self.lanes / max(reads, self.build_cycles)

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
        reader = {
            "selected_bits": ports * (entries - 1) * self.entry_bits,
            "negated_bits": ports * self.entry_bits * (self.table == "half"),
            "adder_bits": ports * self.exact_entry_bits,
        }
        pe = {
            **self.pe_parameters(array),
            **reader,
            "addition_bits": self.exact_entry_bits,
            "read_bits": self.entry_bits * ((entries - 1).bit_length() + (self.table == "half")),
            "multipliers": self.scale_stage * (self.scales_per_group if self.planes == "parallel" else 1),
        }
        units: tuple[Component, ...] = ()
        if self.shares_sums:
            units = (Component("lut.unit", array.rows * self.sum_units, reader),)
            choices = (self.sum_units - 1) * (self.step_bits + 3)
            pe |= {"selected_bits": choices, "negated_bits": 0, "adder_bits": 0}
        table = {
            "mu": self.mu,
            "entry_bits": self.entry_bits,
            "adder_bits": adders * self.exact_entry_bits,
            "addition_bits": self.exact_entry_bits,
            "register_bits": banks * entries * self.entry_bits + self.shift_bits,
        }
        count = array.rows * (array.cols // self.sharing(array)) * tables
        return (
            Component("lut.pe", array.rows * array.cols, pe),
            Component("lut.table", count, table),
            *units,
            *super().components(array),
        )
