"""What the floating-point datapaths share: minifloat operands, and their two accumulators.

The products and the order of every sum are in docs/hardware.md.
"""

import dataclasses
import functools
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from hwsim import floating_sums, schema
from hwsim.array_datapath import ArrayDatapath
from hwsim.array_events import SHARED_EVENTS
from hwsim.codebook import Codebook
from hwsim.datapath import Array, Component, Event, Operand, Stats
from hwsim.errors import DesignError, FormatError
from hwsim.floating_sums import Operands
from hwsim.integer import check_activations
from hwsim.kernels import floating as kernels
from hwsim.minifloat import Minifloat, named
from hwsim.requantization import rounded_shift

if TYPE_CHECKING:
    from hwsim.workload import MatmulLayer

RESULT_BITS = 32
MAX_FIXED_BITS = 62
"""Widest fixed-point accumulator."""


ADDITION = (
    "exponent_toggles", "order_toggles", "subtractions", "zero_toggles", "whole_toggles", "signed_toggles",
    "both_change", "addend_toggles", "accumulator_toggles", "scale_toggles", "group_scale_toggles", "scaled_toggles",
    "total_toggles",
)  # fmt: skip
"""Features of adding products (`hwsim.switching.floating`): three of float32 sums, the others of fixed-point ones."""


def events(name: str, multiplication: tuple[str, ...]) -> tuple[Event, ...]:
    """What `hwsim.kernels.floating.events` counts, for the datapath ``name``; ``multiplication``: its features."""
    return (
        Event(component=f"{name}.pe", action="multiply", features=multiplication),
        Event(component=f"{name}.pe", action="add", features=ADDITION),
        Event(component=f"{name}.pe", action="scale"),
        Event(component=f"{name}.pe", action="clock"),
        *SHARED_EVENTS,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FloatDatapath(ArrayDatapath):
    """Multiplies minifloats; products are minifloats of the same format, sums float32 or fixed point.

    Attributes:
        format: of both operands and the products: ``"e4m3"``, ``"e5m2"``, ``"e3m2"``, ``"e2m3"``, ``"e2m1"``,
            ``"bf16"``, ``"fp16"``, or ``"e<E>m<M>"`` for other widths.
        lanes: consecutive k that one PE takes per step.
        accumulation: ``"float32"``: rounded to nearest even after each addition, in the stated order;
            ``"fixed"``: exact, so in any order.
        accumulator_bits: width of a fixed-point sum, up to 62; a float32 has 32.
        scale_bits: width of the signed group scale; 0 for none (as float32 sums must have it).
        activation_bits: width of a network's signed activations, 2..16, before they become codes.
    """

    format: str = "e4m3"
    lanes: int = 8
    accumulation: Literal["float32", "fixed"] = "float32"
    accumulator_bits: int = 32
    scale_bits: int = 0
    activation_bits: int = 8

    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    result_overflow: ClassVar[Literal["wrap", "saturate"]] = "saturate"
    result_bits: ClassVar[int] = RESULT_BITS
    takes_wide_sums: ClassVar[bool] = True
    operand_kind: ClassVar[Literal["integer", "code"]] = "code"

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, 256, "lanes")
        schema.check_range(self, 2, 16, "activation_bits")
        schema.check_range(self, 0, 16, "scale_bits")
        kind = self.kind
        if self.accumulation == "float32":
            self._check_float32(kind)
            return
        schema.check_range(self, 4, MAX_FIXED_BITS, "accumulator_bits")
        if self.product_bits > self.accumulator_bits:
            raise DesignError(
                f"{self.name()}: a fixed-point product of {self.format} has {self.product_bits} bits, "
                f"accumulator_bits is {self.accumulator_bits}; "
                + ("use accumulation='float32'" if self.product_bits > MAX_FIXED_BITS else "use more")
            )

    def _check_float32(self, kind: Minifloat) -> None:
        if self.accumulator_bits != RESULT_BITS or self.scale_bits:
            raise DesignError(
                f"{self.name()}: accumulation='float32' has accumulator_bits=32 and scale_bits=0, not "
                f"{self.accumulator_bits} and {self.scale_bits}; use accumulation='fixed'"
            )
        like_float32 = kind.exponent_bits == 8 and kind.bias == 127
        if not (like_float32 or (kind.smallest >= 2.0**-126 and kind.max < 2.0**127)):
            raise DesignError(f"{self.name()}: values of {self.format} are not all normal float32 numbers")

    @functools.cached_property
    def kind(self) -> Minifloat:
        """The format of operands and products."""
        return named(self.format)

    @property
    def operand_bits(self) -> tuple[int, int]:
        """Width of an activation and of a weight on the array's streams: their codes."""
        return self.kind.bits, self.kind.bits

    @property
    def product_exponent(self) -> int:
        """Power of two that fixed-point products are in units of."""
        assert self.kind.bias is not None
        return 1 - self.kind.bias - self.kind.mantissa_bits

    @property
    def product_bits(self) -> int:
        """Two's complement bits of a product in fixed point."""
        return int(np.frexp(self.kind.max)[1]) - self.product_exponent + 1

    @property
    def step_bits(self) -> int:
        """Width of a step's sum."""
        if self.accumulation == "float32":
            return RESULT_BITS
        return self.product_bits + (self.lanes - 1).bit_length()

    @property
    def pipeline_stages(self) -> int:
        """Registers between operands and accumulator: after the products, and after each level of the tree."""
        return 1 + (self.lanes - 1).bit_length() if self.accumulation == "float32" else 0

    @property
    def scale_latency(self) -> int:
        """Cycles from a tile's last step to its sum, beyond those of an array without pipeline."""
        return self.scale_stage + self.pipeline_stages

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: output-stationary only."""
        if array.weight_stationary:
            raise DesignError(f"{self.name()} has no weight_stationary array; use array.dataflow='output_stationary'")

    @property
    def activation_exponent(self) -> int:
        """A network's activation ``a`` becomes the code of ``a / 2**activation_exponent``: 0 if all fit as they are."""
        return _least_exponent(1 << (self.activation_bits - 1), self.kind)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Codes of a network's activations int[M, K], rounded to nearest even; FormatError beyond their width."""
        check_activations(x, x.shape[-1], self.activation_bits, self.name())
        return self.kind.encode(np.ldexp(x.astype(np.float64), -self.activation_exponent), signed_zero=False)

    def dynamic(self, w: Operand) -> Operand:
        """The second operand of attention, integers within ``activation_bits``, as codes like `encode`."""
        codes = self.encode(w.integers)
        values = np.where(np.isfinite(self.kind.values), self.kind.values, 0)
        table = np.rint(np.ldexp(values, self.activation_exponent))
        return dataclasses.replace(
            w, format=self.format, codes=codes, codebook=Codebook.of(table, self.kind.bits)
        )  # fmt: skip

    def stored(self, layer: "MatmulLayer") -> "MatmulLayer":
        """See `Datapath.stored`: operands made at run time are codes too."""
        if not layer.dynamic or layer.activation_bits > self.activation_bits:
            return layer
        return dataclasses.replace(layer, weights=tuple(self.dynamic(w) for w in layer.weights))  # type: ignore[arg-type]

    def weight_exponent(self, w: Operand) -> int:
        """A weight's integer is the value of its code times this power of two: 0 if all fit as they are."""
        return _least_exponent(int(np.abs(w.codebook.integers).max()), self.kind)

    def stream_weights(self, w: Operand) -> np.ndarray:
        """See `ArrayDatapath.stream_weights`: codes."""
        return self.codes(w)

    def codes(self, w: Operand) -> np.ndarray:
        """Codes [N, K] of lowered weights; FormatError unless each is a value of the format."""
        exponent = self.weight_exponent(w)
        values = np.ldexp(w.integers.astype(np.float64), -exponent)
        codes = self.kind.encode(values, signed_zero=False)
        if (self.kind.decode(codes) != values).any():
            raise self._refusal(w, f"its values are not all {self.format}", f"quantize to {self.format}")
        return codes

    def _refusal(self, w: Operand, problem: str, remedy: str) -> FormatError:
        return FormatError(f"{self.name()} cannot take format {w.format!r}: {problem}; {remedy}")

    def supports(self, w: Operand) -> None:
        """See `Datapath.supports`: lowered, values of the format, sums that fit."""
        if not w.lowered:
            raise self._refusal(w, "its scales are not integers", "lower it first (hwsim.lower)")
        if w.offset is not None and w.offset.any():
            raise self._refusal(w, "it has offsets", "use a symmetric format")
        limit = 1 << max(self.scale_bits - 1, 0)
        if (w.scale != 1).any() and not (self.scale_bits and -limit <= w.scale.min() and w.scale.max() < limit):
            raise self._refusal(
                w, f"it has group scales beyond scale_bits={self.scale_bits}",
                "use accumulation='fixed' with scale_bits=8, or one scale per channel",
            )  # fmt: skip
        self.codes(w)
        if self.accumulation == "fixed":
            lengths = np.diff(np.append(np.arange(0, w.k, w.group_size), w.k))
            total = int((np.abs(w.scale.astype(object)) * lengths).sum(axis=1).max()) * self.largest_product
            if total.bit_length() >= self.accumulator_bits:
                raise self._refusal(
                    w, f"a sum over K={w.k} can need {total.bit_length() + 1} bits, accumulator_bits is "
                    f"{self.accumulator_bits}", "use more accumulator_bits",
                )  # fmt: skip

    def division(self, w: Operand) -> int:
        """Products with ``w`` are divided by two to this power, so that the largest stays in range.

        A number of the layer, from the largest activation and the largest weight.
        """
        activation = np.ldexp(1.0, self.activation_bits - 1 - self.activation_exponent)
        weight = np.ldexp(float(np.abs(w.integers).max(initial=0)), -self.weight_exponent(w))
        return self.least_division(activation * weight)

    def least_division(self, largest: float) -> int:
        """The smallest power of two, 0 or more, by which products up to ``largest`` must be divided."""
        return _least_exponent(largest, self.kind)

    def check_length(self, k: int) -> None:
        """FormatError if a fixed-point sum of ``k`` products can need more than ``accumulator_bits``."""
        bits = (k * self.largest_product).bit_length() + 1
        if self.accumulation == "fixed" and bits > self.accumulator_bits:
            raise FormatError(
                f"{self.name()}: a sum over K={k} can need {bits} bits, accumulator_bits is {self.accumulator_bits}"
            )

    @property
    def largest_product(self) -> int:
        """The largest product, in units of ``2**product_exponent``."""
        return int(np.ldexp(self.kind.max, -self.product_exponent))

    def sum_exponent(self, w: Operand, sum_shift: int) -> int:
        """Power of two that brings a layer's sums to integers of ``2**sum_shift`` of the network's units."""
        exponent = self.activation_exponent + self.weight_exponent(w) + self.division(w) - sum_shift
        return exponent + (self.product_exponent if self.accumulation == "fixed" else 0)

    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """Sums [M, N] of codes [M, K] with ``w``: float32, or fixed point, int64 in units of ``2**product_exponent``.

        Products are divided by ``2**division(w)``. FormatError if a code is no number, or a float32 sum overflows.
        """
        self.supports(w)
        return self.sums(x, self.codes(w), self.division(w), w)

    def sums(self, x: np.ndarray, codes: np.ndarray, division: int = 0, w: Operand | None = None) -> np.ndarray:
        """Like `matmul`, of codes [M, K] and [N, K]; group scales are those of ``w``, if given."""
        for what, each in (("activation", x), ("weight", codes)):
            if each.dtype.kind != "u" or each.ndim != 2 or each.shape[-1] != codes.shape[-1]:
                raise FormatError(f"{self.name()}: {what} codes are {each.dtype}{each.shape}, expected [.., K]")
            if kernels.ends(each.ravel(), self.kind.sign_bit - 1, 0)[1] > self.kind.max_code:
                raise FormatError(f"{self.name()}: a code among the {what}s is not a number")
        if w is not None and (w.scale != 1).any():
            return self._scaled(x, codes, division, w)
        if self.accumulation == "fixed":
            return floating_sums.fixed(self, x, codes, division)
        group_size = codes.shape[1] if w is None else w.group_size
        return floating_sums.float32(self, x, codes, division, group_size)

    def _scaled(self, x: np.ndarray, codes: np.ndarray, division: int, w: Operand) -> np.ndarray:
        """Sums of groups, each times its scale."""
        total = np.zeros((len(x), len(codes)), dtype=np.int64)
        for group in range(w.scale.shape[1]):
            part = slice(group * w.group_size, (group + 1) * w.group_size)
            sums = floating_sums.fixed(self, x[:, part], codes[:, part], division)
            total += sums * w.scale[:, group].astype(np.int64)
        return total

    @abstractmethod
    def products(self, a: np.ndarray, b: np.ndarray, division: int = 0) -> np.ndarray:
        """Codes of the products of codes ``a`` and ``b``, which broadcast; operands that are no number count as 0."""

    @abstractmethod
    def prepared(self, x: np.ndarray, codes: np.ndarray, division: int) -> Operands:
        """What computes sums of products of codes [M, K] and [N, K]."""

    def integers(self, sums: np.ndarray, exponent: int) -> np.ndarray:
        """int32: ``sums * 2**exponent`` rounded, ties up, and saturated, as the array does before its requantizers."""
        limits = -(1 << 31), (1 << 31) - 1
        if self.accumulation == "float32":
            bounded = np.clip(np.ldexp(sums.astype(np.float64), exponent), -(2.0**40), 2.0**40)
            return np.clip(np.floor(bounded + 0.5), *limits).astype(np.int32)
        if exponent < 0:
            shift = min(-exponent, MAX_FIXED_BITS)
            return np.clip(rounded_shift(sums, shift), *limits).astype(np.int32)
        shift = min(exponent, 32)
        bound = (1 << 31 >> shift) + 1
        return np.clip(np.clip(sums, -bound, bound) << shift, *limits).astype(np.int32)

    def layer_sums(self, x: np.ndarray, w: Operand, sum_shift: int) -> np.ndarray:
        """int32[M, N]: what the array hands to its requantizers for a network's activations int[M, K]."""
        return self.integers(self.matmul(self.encode(x), w), self.sum_exponent(w, sum_shift))

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`: cycles do not depend on the weights' values."""
        return Stats(values=np.zeros(1, dtype=np.int64))

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`; layout in `hwsim.kernels.floating`."""
        return np.array([array.rows, array.cols, self.lanes, self.scale_latency, self.scale_stage], dtype=np.int64)

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return array.rows * array.cols * self.lanes

    def beat_bits(self, array: Array) -> tuple[int, int]:
        """See `Datapath.beat_bits`."""
        return array.rows * self.lanes * self.kind.bits, array.cols * self.lanes * self.kind.bits

    @property
    def register_bits(self) -> int:
        """Flip-flops of one PE: accumulators, shadow, and the float32 tree's pipeline."""
        pipeline = 0
        if self.accumulation == "float32":
            width = self.lanes
            pipeline = width
            while width > 1:
                width = -(-width // 2)
                pipeline += width
        return (2 + self.scale_stage) * self.accumulator_bits + pipeline * RESULT_BITS

    def pe_parameters(self) -> dict[str, float]:
        """What energy and area of a PE depend on."""
        fixed = self.accumulation == "fixed"
        return {
            "lanes": self.lanes,
            "exponent_bits": self.kind.exponent_bits,
            "mantissa_bits": self.kind.mantissa_bits,
            "code_bits": self.lanes * (self.kind.bits - 1),
            "significand_products": self.lanes * (self.kind.mantissa_bits + 1) ** 2,
            "code_adder_bits": self.kind.bits - 1,
            "significand_product_bits": (self.kind.mantissa_bits + 1) ** 2,
            "float32_add": 0 if fixed else 1,
            "float32_adders": 0 if fixed else self.lanes,
            "fixed_add_bits": self.accumulator_bits if fixed else 0,
            "fixed_adder_bits": self.lanes * self.accumulator_bits if fixed else 0,
            "scale_bits": self.scale_bits * self.accumulator_bits,
            "register_bits": self.register_bits,
        }

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        operand_bits = self.lanes * (array.rows + array.cols) * self.kind.bits
        return (
            Component(f"{self.name()}.pe", array.rows * array.cols, self.pe_parameters()),
            *self.ends(array, operand_bits),
        )


def _least_exponent(largest: float, kind: Minifloat) -> int:
    """The smallest e of at least 0 for which ``largest / 2**e`` is in range of the format."""
    exponent = 0
    while np.ldexp(float(largest), -exponent) > kind.max:
        exponent += 1
    return exponent
