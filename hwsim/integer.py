"""What all integer datapaths share: parameters, accepted formats, exact accumulation.

The order of additions and the meaning of every width is in docs/hardware.md.
"""

import dataclasses
import functools
import itertools
import weakref
from collections.abc import Hashable, Iterator
from typing import ClassVar, Literal

import numpy as np

from hwsim import schema
from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Component, Datapath, Operand
from hwsim.errors import DesignError, FormatError
from hwsim.kernels import accumulate

MAX_EXACT_FLOAT32 = 1 << 24
"""Whole numbers up to this magnitude, and so their sums below it, are exact in float32."""

SHORTEST_SLICE = 128
"""Mean length of slices of K from which several float32 products are faster than one float64 product."""

BLOCK = 64
"""Slices of K are cut at multiples of this."""


PE_TERMS = (
    "lanes*multiplier_bits", "lanes*weight_bits", "lanes*activation_bits", "lanes", "multiplier_bits", "weight_bits",
    "activation_bits", "activation_bits*multiplier_bits", "tree_depth", "tree_depth*multiplier_bits",
    "tree_depth*weight_bits", "tree_depth*activation_bits", "accumulator_bits", "scale_bits", "offset_bits",
    "scale_bits*weight_bits", "scale_bits*activation_bits", "scale_bits*tree_depth", "offset_bits*tree_depth",
    "register_bits",
)  # fmt: skip
"""What area and energies of integer PEs are sums of: multipliers, adder tree, accumulators, scale stage, registers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IntegerDatapath(ArrayDatapath):
    """Integer multiply-accumulate with optional group scales.

    Attributes:
        lanes: consecutive k that one PE takes per step.
        weight_bits: width of the weight operand, `MIN_WEIGHT_BITS`..`MAX_WEIGHT_BITS`.
        activation_bits: width of the signed activation operand, 2..16.
        scale_bits: width of the signed group scale; 0 for none.
        offset_bits: width of the signed group offset; 0 for none.
        accumulator_bits: W, up to 32.
        group_accumulator_bits: width of the sum within a group (used with scale or offset), up to 32.
        overflow: ``"wrap"`` (refused unless the weights prove that it cannot happen) or ``"saturate"``.
    """

    lanes: int = 8
    weight_bits: int = 8
    activation_bits: int = 8
    scale_bits: int = 8
    offset_bits: int = 0
    accumulator_bits: int = 32
    group_accumulator_bits: int = 32
    overflow: Literal["wrap", "saturate"] = "wrap"

    MIN_WEIGHT_BITS: ClassVar[int] = 2
    """Narrowest weight operand of the datapath."""
    MAX_WEIGHT_BITS: ClassVar[int] = 8
    """Widest weight operand of the datapath."""
    MAX_SCALE_BITS: ClassVar[int] = 16
    """Widest group scale of the datapath."""

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, 256, "lanes")
        schema.check_range(self, self.MIN_WEIGHT_BITS, self.MAX_WEIGHT_BITS, "weight_bits")
        schema.check_range(self, 2, 16, "activation_bits")
        schema.check_range(self, 0, self.MAX_SCALE_BITS, "scale_bits")
        schema.check_range(self, 0, 16, "offset_bits")
        schema.check_range(self, 4, 32, "accumulator_bits", "group_accumulator_bits")

    @property
    def step_bits(self) -> int:
        """Width of the exact sum of a step's products."""
        return self.weight_bits + self.activation_bits + (self.lanes - 1).bit_length()

    @property
    def operand_bits(self) -> tuple[int, int]:
        """Width of an activation and of a weight on the array's streams."""
        return self.activation_bits, self.weight_bits

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: accumulator, shadow and, with a scale stage, group accumulator."""
        return 2 * self.accumulator_bits + self.scale_stage * self.group_accumulator_bits

    @property
    def stationary_register_bits(self) -> int:
        """Flip-flops of one weight-stationary PE beside its weights: the step's sum."""
        return self.step_bits

    def supports(self, w: Operand) -> None:
        """See `Datapath.supports`: integers of at most ``weight_bits``, lowered, that cannot overflow."""
        if not w.lowered:
            raise self._refusal(w, "its scales are not integers", "lower it first (hwsim.lower)")
        self._check_values(w)
        constants = self.group_constants(w)
        self._check_scales(w, constants["scale"], constants["offset"])
        if self.overflow == "wrap":
            self._prove_no_overflow(w)

    def _refusal(self, w: Operand, problem: str, remedy: str) -> FormatError:
        return FormatError(f"{self.name()} cannot take format {w.format!r}: {problem}; {remedy}")

    def _check_values(self, w: Operand) -> None:
        """FormatError unless the operand holds the weights of lowered ``w``."""
        if w.integer_bits > self.weight_bits:
            raise self._refusal(
                w,
                f"its values need {w.integer_bits} bits and weight_bits is {self.weight_bits}",
                f"use weight_bits={w.integer_bits}"
                if w.integer_bits <= self.MAX_WEIGHT_BITS
                else f"use a format of at most {self.MAX_WEIGHT_BITS} bits (hwsim formats lists them), or run without "
                "a design for the exact sums",
            )

    def _check_scales(self, w: Operand, scale: np.ndarray, offset: np.ndarray) -> None:
        """FormatError unless the scale stage holds the group constants of ``w``."""
        if self.scale_bits:
            limit = 1 << (self.scale_bits - 1)
            if not (-limit <= scale.min() and scale.max() < limit):
                raise self._refusal(w, f"its group scales exceed {self.scale_bits} bits", "use more scale_bits")
        elif (scale != 1).any():
            raise self._refusal(w, "it has group scales and scale_bits is 0", "use scale_bits=8")
        if offset.any():
            limit = 1 << max(self.offset_bits - 1, 0)
            if not self.offset_bits or not (-limit <= offset.min() and offset.max() < limit):
                raise self._refusal(w, f"its offsets exceed offset_bits={self.offset_bits}", "use more offset_bits")

    def _prove_no_overflow(self, w: Operand) -> None:
        """FormatError unless no activation of ``activation_bits`` can overflow an accumulator."""
        for name, bound, needed in self._widths_needed(w):
            if needed > getattr(self, name):
                raise FormatError(
                    f"{self.name()} cannot take format {w.format!r}: a sum over K={w.k} can reach {bound}, "
                    f"which needs {name}={needed} (it is {getattr(self, name)}); "
                    "widen it, use smaller groups, or overflow='saturate'"
                )

    def _widths_needed(self, w: Operand) -> Iterator[tuple[str, int, int]]:
        """Name of each accumulator width, the largest sum that it must hold, the width that this needs."""
        group, total = self._worst_case(w)
        if self.scale_stage:
            yield "group_accumulator_bits", group, group.bit_length() + 1
        yield "accumulator_bits", total, total.bit_length() + 1

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: both dataflows, but the order of sums matters if they saturate."""
        if array.weight_stationary and self.overflow != "wrap":
            raise DesignError(
                f"{self.name()} with overflow={self.overflow!r} cannot run weight_stationary, whose order of "
                "sums is another; use overflow='wrap' or array.dataflow='output_stationary'"
            )

    def _worst_case(self, w: Operand) -> tuple[int, int]:
        """Largest |group sum| and |total| of any activations."""
        return worst_case(w, self.activation_bits)

    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """int32[M, N]: docs/hardware.md's accumulation of activations int[M, K] with ``w``."""
        self.supports(w)
        check_activations(x, w.k, self.activation_bits, self.name())
        if all(needed <= getattr(self, name) for name, _, needed in self._widths_needed(w)):
            return _exact_matmul(x, w, self.activation_bits)
        return self._saturating_matmul(np.ascontiguousarray(x, dtype=np.int32), w)

    @property
    def arithmetic(self) -> Hashable:
        """See `Datapath.arithmetic`: sums that cannot overflow are those of any such datapath."""
        own = type(self).matmul is not IntegerDatapath.matmul
        return self if own or self.overflow != "wrap" else "exact"

    def _saturating_matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """`matmul` of sums that may saturate, each addition in its order."""
        return accumulate.saturating_matmul(
            x,
            w.integers.astype(np.int32),
            w.scale,
            _offset(w),
            w.group_size,
            self.lanes,
            self.accumulator_bits,
            self.group_accumulator_bits,
            self.scale_stage,
        )

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; the layout that the kernels of integer datapaths read.

        The last is the depth of the accumulator buffer, 0 if the array is output-stationary.
        """
        depth = array.accumulator_rows if array.weight_stationary else 0
        return np.array([array.rows, array.cols, self.lanes, self.scale_stage, depth], dtype=np.int64)

    def pe_parameters(self, array: Array) -> dict[str, float | str]:
        """What energy and area of a PE depend on; weight-stationary ones neither accumulate nor scale, but wait for all
        rows."""
        stationary = array.weight_stationary
        return waiting(array) | {
            "dataflow": array.dataflow,
            "lanes": self.lanes,
            "tree_depth": (self.lanes - 1).bit_length(),
            "weight_bits": self.weight_bits,
            "activation_bits": self.activation_bits,
            "multiplier_bits": self.weight_bits * self.activation_bits,
            "accumulator_bits": 0 if stationary else self.accumulator_bits,
            "scale_stage": 0 if stationary else self.scale_stage,
            "scale_bits": 0 if stationary else self.scale_bits,
            "offset_bits": 0 if stationary else self.offset_bits,
            "register_bits": self.stationary_register_bits if stationary else self.register_bits,
        }

    def components(self, array: Array) -> tuple[Component, ...]:
        """The parts beside the PEs: operand registers, one requantizer per column, and its accumulators."""
        operand_bits = self.lanes * array.rows * self.activation_bits
        if not array.weight_stationary:
            operand_bits += self.lanes * array.cols * self.weight_bits
        return (
            *self.ends(array, operand_bits),
            *(self._stationary_parts(array) if array.weight_stationary else ()),
        )

    def _stationary_parts(self, array: Array) -> tuple[Component, ...]:
        """What a weight-stationary array has more: two banks of weights per PE, accumulators per column."""
        sum_bits = self.step_bits + (array.rows - 1).bit_length()
        column = {
            "adder_bits": (array.rows - 1) * sum_bits,
            "accumulator_bits": self.accumulator_bits,
            "scale_stage": self.scale_stage,
            "register_bits": sum_bits + self.scale_bits + self.offset_bits,
        }
        weights = {"register_bits": 2 * self.lanes * self.weight_bits}
        banks = waiting(array) | weights
        buffer = {"word_bits": self.accumulator_bits, "bits": self.accumulator_bits * array.accumulator_rows}
        return (
            Component("weight_register", array.rows * array.cols, banks, terms=tuple(weights)),
            Component("column", array.cols, column, terms=(*column, "scale_stage*adder_bits")),
            Component("accumulator_buffer", array.cols, buffer),
        )


def waiting(array: Array) -> dict[str, float | str]:
    """What tells on the energy of a weight-stationary column's parts: the rows that wait for each other."""
    return {"rows": array.rows} if array.weight_stationary else {}


def wide_sums(sum_shift: int, datapath: Datapath) -> str:
    """Why ``datapath`` cannot requantize sums that must be rounded before they fit 32 bits; empty for others."""
    if not sum_shift or datapath.takes_wide_sums:
        return ""
    return (
        f"{datapath.name()} requantizes sums of 32 bits, these weights need {32 + sum_shift}; use a narrower format, "
        "or run without a design for the exact sums"
    )


def check_activations(x: np.ndarray, k: int, bits: int, datapath: str) -> None:
    """FormatError unless ``x`` is an integer matrix [M, k] within signed ``bits``."""
    if x.ndim != 2 or x.shape[1] != k or not np.issubdtype(x.dtype, np.integer):
        raise FormatError(f"{datapath}: activations are {x.dtype}{x.shape}, expected integers [M, {k}]")
    limit = 1 << (bits - 1)
    if x.size and not (-limit <= int(x.min()) and int(x.max()) < limit):
        raise FormatError(f"{datapath}: an activation lies outside signed {bits} bits")


def worst_case(w: Operand, activation_bits: int) -> tuple[int, int]:
    """Largest |group sum| and |total| that activations of ``activation_bits`` can produce."""
    if w not in _LARGEST_SUMS:
        _LARGEST_SUMS[w] = _largest_sums(w)
    group, total = _LARGEST_SUMS[w]
    return group << (activation_bits - 1), total << (activation_bits - 1)


_LARGEST_SUMS: "weakref.WeakKeyDictionary[Operand, tuple[int, int]]" = weakref.WeakKeyDictionary()
"""Remembered as long as somebody else holds the tensor."""

ROWS_AT_ONCE = 1 << 20
"""Weights whose magnitudes are summed at a time: temporaries are eight times as large."""


def _largest_sums(w: Operand) -> tuple[int, int]:
    """Largest sum of magnitudes over a group, and scaled and with offsets over a row."""
    offset = 0 if w.offset is None else int(np.abs(w.offset.astype(np.int64)).max())
    scale = int(np.abs(w.scale.astype(np.int64)).max())
    loose = ((1 << w.integer_bits) * scale + offset) * w.k
    # Sums that could leave int64 are bounded in float64, with more margin than its roundings take.
    kind, margin = (np.int64, 1) if loose < 1 << 62 else (np.float64, 1 + 2.0**-20)
    starts = np.arange(0, w.k, w.group_size)
    length = np.diff(np.append(starts, w.k))
    largest = total = 0
    rows = max(1, ROWS_AT_ONCE // w.k)
    for low in range(0, w.n, rows):
        chosen = slice(low, low + rows)
        group = np.add.reduceat(np.abs(w.integers[chosen].astype(kind)), starts, axis=1)
        scaled = np.abs(w.scale[chosen].astype(kind)) * group
        if w.offset is not None:
            scaled = scaled + np.abs(w.offset[chosen].astype(kind)) * length
        largest = max(largest, int(group.max() * margin))
        total = max(total, int(scaled.sum(axis=1).max() * margin))
    return largest, total


def _offset(w: Operand) -> np.ndarray:
    return np.zeros_like(w.scale) if w.offset is None else w.offset


def _exact_matmul(x: np.ndarray, w: Operand, activation_bits: int) -> np.ndarray:
    """Sums that cannot overflow are order-free: floating-point BLAS, where it stays exact.

    Scales and offsets fold into the weights. float32 holds every partial sum of whole numbers
    below 2**24 exactly, in any order, with or without fused multiply-add, so slices of K that
    stay below it add up as integers; where these would be short, float64 holds all sums.
    """
    folded, edges = _folded(w, activation_bits)
    a = x.astype(folded.dtype)
    result = (a[:, : edges[1]] @ folded[:, : edges[1]].T).astype(np.int32)
    for low, high in itertools.pairwise(edges[1:]):
        result += (a[:, low:high] @ folded[:, low:high].T).astype(np.int32)
    return result


@functools.lru_cache(maxsize=4)
def _folded(w: Operand, activation_bits: int) -> tuple[np.ndarray, list[int]]:
    """``scale * v + offset`` [N, K] and where K is cut: float32 in slices, or float64 whole."""
    folded = w.integers * w.scale[:, w.group_index]
    if w.offset is not None:
        folded += w.offset[:, w.group_index]
    edges = _edges(folded, MAX_EXACT_FLOAT32 >> (activation_bits - 1))
    if not edges or len(edges) - 1 > max(1, w.k // SHORTEST_SLICE):
        return folded.astype(np.float64), [0, w.k]
    return folded.astype(np.float32), edges


def _edges(folded: np.ndarray, limit: int) -> list[int]:
    """Cuts of K, from 0 to K, between which no row's magnitudes sum to more than ``limit``; none if there are no such.

    Cuts lie at multiples of `BLOCK`.
    """
    starts = np.arange(0, folded.shape[1], BLOCK)
    rows = max(1, ROWS_AT_ONCE // folded.shape[1])
    blocks = np.concatenate([
        np.add.reduceat(np.abs(folded[low : low + rows]), starts, axis=1, dtype=np.int64)
        for low in range(0, len(folded), rows)
    ])  # fmt: skip
    if blocks.max() > limit:
        return []
    edges, since = [0], np.zeros(len(folded), np.int64)
    for start, block in zip(starts.tolist(), blocks.T, strict=True):
        since += block
        if since.max() > limit:
            edges.append(start)
            since = block.copy()
    return [*edges, folded.shape[1]]
