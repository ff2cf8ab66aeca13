"""The arrays of BitMoD's cost model: fixed cycles per step, published energy per PE and cycle."""

import dataclasses
import math

import numpy as np

from hwsim import schema
from hwsim.datapath import Array, Component, Event, Operand, Rule, Stats
from hwsim.kernels import published_array as kernels
from hwsim.weight_shape import WeightShape
from hwsim.workload import MatmulLayer

TERM_BITS = 2
"""Bits of a weight that a term covers: the terms are Booth's, or as few."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedArray(Rule):
    """PEs that take ``lanes`` products per step, of operands whose width alone matters.

    Chen et al., "BitMoD", HPCA 2025, and its simulator. The publication counts rows along N and columns
    along M: its 64 x 12 PEs are ``rows`` 12, ``cols`` 64 here.

    Attributes:
        pe: what the PE is, as the technology names it.
        lanes: consecutive k per step.
        serial: a step takes a cycle per term of two weight bits, a broken bit not counting; else one cycle.
        weight_bits: what memory holds per weight, scales and the like included.
        selector_bits: per weight, beside them: what names the special value of a group.
        selectors: memory holds them.
        kv_bits: likewise per key or value.
        kv_as_weights: keys and values take as many cycles as weights, whatever their width.
        activation_bits: per activation and result.
        fill_drain: cycles include filling the array, draining its results and requantizing them, as
            `hwsim.datapaths.bit_serial` does it.
        term_encoder: PEs include their share of what recodes the weights.
    """

    pe: str = "fp16"
    lanes: int = 1
    serial: bool = False
    weight_bits: float = 16.0
    selector_bits: float = 0.0
    selectors: bool = True
    kv_bits: float = 16.0
    kv_as_weights: bool = False
    activation_bits: int = 16
    fill_drain: bool = True
    term_encoder: bool = True

    EVENTS = (Event(component="published_array.pe", action="cycle"),)
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)
    needs_values = False

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, 256, "lanes")
        schema.check_range(self, 1, 32, "weight_bits", "kv_bits", "activation_bits")
        schema.check_range(self, 0, 1, "selector_bits")

    @property
    def left_out(self) -> tuple[str, ...]:
        """See `Datapath.left_out`."""
        counted = {
            "fill and drain": self.fill_drain,
            "term encoder": self.term_encoder or not self.serial,
            "selector bits": self.selectors or not self.selector_bits,
        }
        return tuple(name for name, counts in counted.items() if not counts)

    def stored(self, layer: MatmulLayer) -> MatmulLayer:
        """See `Datapath.stored`: operands of this array's widths, without values."""
        bits = stored = self.kv_bits
        if not layer.dynamic:
            bits, stored = self.weight_bits, self.weight_bits + self.selectors * self.selector_bits
        elif self.kv_as_weights:
            bits = self.weight_bits
        shape = WeightShape(n=layer.n, k=layer.k, stored_bits=stored, bits=bits)
        return dataclasses.replace(
            layer, weights=(shape,) * len(layer.weights), activation_bits=self.activation_bits,
            output_bits=self.activation_bits, assumed="",
        )  # fmt: skip

    def beat_bits(self, array: Array) -> tuple[int, int]:
        """See `Datapath.beat_bits`: weights in whole nibbles; half of a serial array's step, which lasts two cycles."""
        widths = self.activation_bits * array.rows, 4 * math.ceil(self.weight_bits / 4) * array.cols
        activations, weights = (self.lanes * width // (2 if self.serial else 1) for width in widths)
        return activations, weights

    def step_cycles(self, bits: float) -> int:
        """Cycles of a step whose weights have so many bits."""
        return math.ceil(math.floor(bits) / TERM_BITS) if self.serial else 1

    def stats(self, w: Operand | WeightShape, array: Array) -> Stats:
        """See `Datapath.stats`: the cycles of a step."""
        bits = w.bits if isinstance(w, WeightShape) else w.integer_bits
        return Stats(values=np.array([self.step_cycles(bits)], dtype=np.int64))

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`."""
        return np.array([array.rows, array.cols, self.lanes, self.fill_drain], dtype=np.int64)

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        parameters: dict[str, float | str] = {"pe": self.pe, "term_encoder": int(self.term_encoder and self.serial)}
        return (Component("published_array.pe", array.rows * array.cols, parameters),)

    def peak_macs(self, w: Operand | WeightShape, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return array.rows * array.cols * self.lanes / int(self.stats(w, array).values[0])
