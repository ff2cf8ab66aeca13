"""Look-up tables: signed sums of activations are built once and read by many columns."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from hwsim import repetition
from hwsim.array_events import OFFSETS, SHARED_EVENTS, TURNS
from hwsim.datapath import Array, Event, Operand, Stats
from hwsim.errors import FormatError
from hwsim.integer import check_activations
from hwsim.kernels import lut as kernels
from hwsim.lut_array import LutArray
from hwsim.repetition import Repetition
from hwsim.sign_planes import SignPlanes, sign_planes
from hwsim.switching import lut as switching

READ = ("code_toggles", "raw_toggles", "read_toggles", "sum_toggles")
"""Features of reading tables (`hwsim.switching.lut`)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lut(LutArray):
    """Bit planes of weights are the index of tables of signed sums; parameters: `LutArray`."""

    EVENTS = (
        Event(
            component="lut.table",
            action="add",
            features=(
                "activation_toggles",
                "node_toggles",
                "node_sign_toggles",
                "constant_toggles",
                "enable_set_bits",
                "enable_unset_bits",
            ),
        ),
        Event(component="lut.table", action="write"),
        Event(component="lut.pe", action="look_up", features=READ),
        Event(
            component="lut.pe",
            action="accumulate",
            features=(*TURNS, "total_toggles", "code_toggles", "read_toggles", "sum_toggles", *OFFSETS),
        ),
        Event(component="lut.pe", action="scale"),
        Event(component="lut.pe", action="clock"),
        Event(component="lut.table", action="clock"),
        Event(component="lut.unit", action="look_up"),
        Event(component="lut.unit", action="clock", features=tuple(f"unit_{name}" for name in READ)),
        *SHARED_EVENTS[:2],
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

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

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> Mapping[str, int]:
        """See `Datapath.toggles`."""
        return switching.count(self, x, w, array)

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`: a step lasts until its tables are read and the next ones built."""
        reads = 1 if self.planes == "parallel" else self.sign_planes(w).count
        return array.rows * array.cols * self.lanes / max(reads, self.build_cycles)
