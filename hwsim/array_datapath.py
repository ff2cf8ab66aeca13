"""Datapaths that the array generator builds from PEs, and what it reads of them."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from hwsim.datapath import Array, Component, Datapath, Operand
from hwsim.operators import DynamicMatmul, Matmul
from hwsim.requantization import Quantizer, requantize

GROUP_SUM_BITS = 32
"""Width of the sum of a group's activations: exact for groups of up to 2**(32 - activation_bits)."""


class ArrayDatapath(Datapath):
    """A datapath of PEs with RTL. The values here are those of the plainest one; subclasses say what they have more.

    ``lanes`` consecutive k per step; a network's activations have ``activation_bits``, sums ``accumulator_bits``
    and group scales ``scale_bits`` (0: none).
    """

    lanes: int
    activation_bits: int
    accumulator_bits: int
    scale_bits: int

    operand_kind: ClassVar[Literal["integer", "code"]] = "integer"
    """What activations and weights are on the array's streams: signed integers, or codes of a format."""

    @property
    def operand_bits(self) -> tuple[int, int]:
        """Width of an activation and of a weight on the array's streams."""
        raise NotImplementedError

    @property
    def offset_bits(self) -> int:
        """Width of the signed group offset; 0 for none."""
        return 0

    @property
    def group_accumulator_bits(self) -> int:
        """Width of the sum within a group."""
        return self.accumulator_bits

    @property
    def overflow(self) -> Literal["wrap", "saturate"]:
        """What a sum does that needs more bits."""
        return "wrap"

    @property
    def step_bits(self) -> int:
        """Width of a step's sum."""
        raise NotImplementedError

    @property
    def scale_stage(self) -> int:
        """1 if a PE has the stage that applies group scales and offsets, else 0."""
        return int(self.scale_bits > 0 or self.offset_bits > 0)

    @property
    def pipeline_stages(self) -> int:
        """Registers between a step's operands and its sum."""
        return 0

    @property
    def result_bits(self) -> int:
        """Width of the sums that the requantizers take."""
        return self.accumulator_bits

    @property
    def result_overflow(self) -> Literal["wrap", "saturate"]:
        """What happens when a bias takes such a sum beyond 32 bits."""
        return self.overflow

    @property
    def scales_per_group(self) -> int:
        """Scales of one output channel and group."""
        return 1

    @property
    def shares_sums(self) -> bool:
        """Whether the columns of a row take the sums of steps from units that they share."""
        return False

    @property
    def fewest_cols(self) -> int:
        """Columns of the smallest array in which every part has something to do."""
        return 1

    @property
    def scatters(self) -> bool:
        """Whether the operand of a cycle tells which of a PE's group sums is added to."""
        return False

    @property
    def loads_tables(self) -> bool:
        """Whether the array holds tables that are loaded with the first step of a group."""
        return False

    @property
    def repeats_results(self) -> bool:
        """Whether sums may be delivered several times, to output channels of equal weights."""
        return False

    @property
    def scale_latency(self) -> int:
        """Cycles from a group's sum to the tile's."""
        return self.scale_stage

    @property
    def serial_scale(self) -> bool:
        """Whether group scales are applied bit by bit."""
        return False

    @property
    def scales_in_turn(self) -> bool:
        """Whether one multiplier applies the scales of a group one after the other."""
        return False

    @property
    def build_cycles(self) -> int:
        """Cycles in which something is made of a step before the columns take it; 0 for none."""
        return 0

    @property
    def operand_depth(self) -> int:
        """Steps of operands that the array holds."""
        return 1

    def sharing(self, array: Array) -> int:
        """Columns that read what a row makes of its activations once: 1 where it makes nothing."""
        return 1

    def sync_domains(self, array: Array) -> int:
        """How many parts of the array may be at different steps: 1, or one per column."""
        return 1

    def channels(self, w: Operand, array: Array) -> list[np.ndarray]:
        """Of each column tile int[passes, cols]: the output channel that a column delivers in each pass (N: none).

        The columns compute the channels of the first pass; further passes deliver the same sums for others.
        """
        padded = np.arange(-(-w.n // array.cols) * array.cols).reshape(-1, 1, array.cols)
        return list(np.minimum(padded, w.n))

    def ends(self, array: Array, step_bits: int) -> tuple[Component, ...]:
        """The operand registers of an array, for steps of so many bits, and its requantizers.

        They are alike in all datapaths, but feed something else.
        """
        steps = self.operand_depth + (self.build_cycles > 0)
        registers: dict[str, float | str] = {
            "datapath": self.name(),
            "steps": steps,
            "lanes": self.lanes,
            "activation_bits": self.operand_bits[0],
            "weight_bits": self.operand_bits[1],
            "offset_bits": self.offset_bits,
            "register_bits": step_bits * steps,
        }
        return (
            Component("operand_register", 1, registers),
            Component("requantizer", array.cols, {"datapath": self.name()}),
        )

    def encode(self, x: np.ndarray) -> np.ndarray:
        """[M, K]: what the activations stream carries of a network's activations int[M, K]."""
        return x

    def dynamic(self, w: Operand) -> Operand:
        """A second operand that is activations too (attention), as the array takes it."""
        return w

    def pairs(self, operator: Matmul, inputs: Sequence[np.ndarray]) -> list[tuple[np.ndarray, Operand]]:
        """See `Datapath.pairs`: second operands that are activations as `dynamic` makes them."""
        pairs = super().pairs(operator, inputs)
        return [(a, self.dynamic(w)) for a, w in pairs] if isinstance(operator, DynamicMatmul) else pairs

    def stream_weights(self, w: Operand) -> np.ndarray:
        """[N, K]: what the weights stream carries of each weight."""
        return w.integers

    def operands(self, w: Operand, index: np.ndarray) -> np.ndarray:
        """[N, steps, lanes]: what the weights stream carries; ``index`` [steps, lanes] is a lane's k (K: none)."""
        return np.pad(self.stream_weights(w), ((0, 0), (0, 1)))[:, index]

    def group_constants(self, w: Operand) -> dict[str, np.ndarray]:
        """``scale`` and ``offset``, int32[N, G, ...]: what lowered ``w`` brings to the scale stage."""
        return {"scale": w.scale, "offset": np.zeros_like(w.scale) if w.offset is None else w.offset}

    def requantize(self, sums: np.ndarray, quantizer: Quantizer) -> np.ndarray:
        """See `Datapath.requantize`."""
        return requantize(sums, dataclasses.replace(quantizer, sum_shift=0), self.result_overflow)
