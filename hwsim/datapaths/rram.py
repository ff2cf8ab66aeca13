"""Resistive crossbars for binary networks: one sensed bit per column, no converters.

Kim, Kim, Kim, "Neural Network-Hardware Co-design for Scalable RRAM-based BNN Accelerators", arXiv 1811.02187.
"""

import dataclasses
import math
from typing import Literal

import numpy as np

from hwsim import schema
from hwsim.crossbar.parameters import Adc, Device, SenseAmplifier, Wires
from hwsim.datapath import Array, Component, Datapath, Event, Operand, Stats
from hwsim.errors import DesignError, FormatError
from hwsim.kernels import rram as kernels
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from hwsim.splitting import sizes_that_split
from hwsim.weight_source import WeightSource
from hwsim.workload import MatmulLayer

ELSEWHERE = "run the layer on Mac or BitSerial (an override of the design)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossbarWeights(WeightSource):
    """Weights [n, k] that stay in crossbars: no memory holds them.

    ``groups`` of inputs give one bit each; ``window`` input vectors give one result. ``first`` are the weights of the
    first group, ``content`` their hash: what cells conduct depends on them.
    """

    n: int
    k: int
    groups: int
    window: int
    content: str = ""
    first: QTensor | WeightSource | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def storage_bits(self) -> int:
        """None of any memory's."""
        return 0

    @property
    def hash(self) -> str:
        """See `WeightSource.hash`."""
        plain = {name: getattr(self, name) for name in ("n", "k", "groups", "window", "content")}
        return schema.content_hash({"crossbar": 2, **plain})

    @property
    def group_size(self) -> int:
        """Inputs of a group."""
        return self.k // self.groups

    def tensor(self) -> QTensor:
        """See `WeightSource.tensor`: there is none."""
        raise FormatError("of weights in crossbars only the shape is known here")

    def sample(self) -> QTensor:
        """See `WeightSource.sample`: of the first group."""
        if self.first is None:
            return self.tensor()
        return self.first.sample() if isinstance(self.first, WeightSource) else self.first


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rram(Datapath):
    """Crossbars of ``rows`` inputs x ``cols`` outputs. The design's array says for how many inputs (rows) and outputs
    (cols) there are crossbars that work side by side; every layer has its own, which hold its weights.

    Attributes:
        rows: inputs of one crossbar.
        cols: its outputs.
        mapping: ``"xnor"``: two cells per weight in one column, one for either input value, on complementary word
            lines; ``"differential"``: two columns per output, inputs of 0 and 1.
        device, wires, sense: what the crossbar is made of; they do not change the digital values of `run`.
        reference: what a column's current is compared with: ``"fixed"``, the nominal current; ``"replica"``, scaled as
            reference columns of the same crossbar are; ``"trimmed"``, measured for each column.
        read_v, read_ns: the read pulse.
        word_line_v: that opens a row's cells.
        columns_per_sense: outputs that take turns at one sense amplifier.
        drive_cycles, read_cycles, sense_cycles: clock cycles of driving the word lines, once per input vector, and
            of reading and of sensing, once per turn.
        adc: converters instead of sense amplifiers, for comparing costs: such a design computes no values.
    """

    rows: int = 128
    cols: int = 128
    mapping: Literal["xnor", "differential"] = "xnor"
    device: Device = Device()
    wires: Wires = Wires()
    sense: SenseAmplifier = SenseAmplifier()
    reference: Literal["fixed", "replica", "trimmed"] = "trimmed"
    read_v: float = 0.2
    read_ns: float = 10.0
    word_line_v: float = 0.9
    columns_per_sense: int = 1
    drive_cycles: int = 1
    read_cycles: int = 5
    sense_cycles: int = 1
    adc: Adc | None = None

    EVENTS = (
        Event(component="rram.crossbar", action="read", features=("conducting",)),
        Event(component="rram.crossbar", action="charge"),
        Event(component="rram.driver", action="drive"),
        Event(component="rram.readout", action="sense"),
        Event(component="rram.merge", action="add"),
    )
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)
    needs_values = False
    resident = True
    merges = True
    overflow = "wrap"

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, 1024, "rows", "cols")
        schema.check_range(self, 1e-3, 10.0, "read_v", "word_line_v")
        schema.check_range(self, 1e-3, 1e6, "read_ns")
        schema.check_range(self, 0, 64, "drive_cycles")
        schema.check_range(self, 1, 64, "read_cycles", "sense_cycles")
        schema.check_range(self, 1, self.cols, "columns_per_sense")

    @property
    def verified(self) -> Literal["rtl", "model only"]:  # type: ignore[override]
        """Converters have no RTL."""
        return "rtl" if self.adc is None else "model only"

    def supports(self, w: Operand | CrossbarWeights) -> None:
        """See `Datapath.supports`: weights of exactly ±1, at most ``rows`` per column."""
        if isinstance(w, QTensor):
            plain = w.lowered and w.offset is None and bool((w.scale == 1).all())
            if not (plain and (np.abs(w.integers) == 1).all()):
                raise FormatError(
                    f"rram cannot take format {w.format!r}: cells hold weights of -1 and 1 without group scales; "
                    f"use format 'binary', or {ELSEWHERE}"
                )
        k = w.group_size if isinstance(w, CrossbarWeights) else w.k
        if k > self.rows:
            raise FormatError(
                f"rram: a group of {k} inputs does not fit {self.rows} rows; use rows={k}, or split the layer into "
                f"groups of {sizes_that_split(k, self.rows)} inputs"
            )

    def check_array(self, array: Array) -> None:
        """See `Datapath.check_array`: weights stay in their cells."""
        if not array.weight_stationary:
            raise DesignError("rram runs weight_stationary only; use array.dataflow='weight_stationary'")

    def thresholds(self, w: Operand, bias: np.ndarray) -> np.ndarray:
        """int64[N]: the least current, in currents of one cell, at which each column's sense bit is 1.

        From ``2 * current - K + bias >= 0``, or of differential columns ``2 * current - sum(weights) + bias >= 0``;
        0 .. rows + 1, or -rows .. rows + 1, beyond which nothing changes.
        """
        offset = w.integers.sum(axis=1) if self.mapping == "differential" else w.k
        exact = -((bias.astype(np.int64) - offset) // 2)
        return np.clip(exact, -self.rows if self.mapping == "differential" else 0, self.rows + 1)

    def currents(self, x: np.ndarray, states: np.ndarray) -> np.ndarray:
        """int32[M, N]: ideal currents, in those of one cell, for inputs ±1 [M, K] and cells bool[2, K, N].

        ``states`` are `cells` after faults: cells that conduct for +1 (count up), and the others.
        """
        lines = (x > 0).astype(np.float32)
        first, second = states.astype(np.float32)
        if self.mapping == "xnor":
            return (lines @ first + (1 - lines) @ second).astype(np.int32)
        return (lines @ (first - second)).astype(np.int32)

    def check_results(self, quantizer: Quantizer) -> None:
        """See `Datapath.check_results`: a sense amplifier decides a threshold, nothing else."""
        if not quantizer.threshold or (quantizer.low, quantizer.high) != (-1, 1):
            raise FormatError(
                f"rram senses one bit per column, these results are no thresholds of -1 and 1; {ELSEWHERE}"
            )

    def matmul(self, x: np.ndarray, w: Operand) -> np.ndarray:
        """int32[M, N]: twice the matches of inputs and weights less K, as ideal cells and wires give them."""
        self.supports(w)
        check_binary(x, w.k)
        return (x.astype(np.float32) @ w.integers.astype(np.float32).T).astype(np.int32)

    def stored(self, layer: MatmulLayer) -> MatmulLayer:
        """See `Datapath.stored`: one matrix of all groups, held in the crossbars."""
        if layer.one_bit is None:
            raise FormatError(
                f"layer {layer.name!r}: rram takes activations of -1 and 1 and gives thresholds of them; {ELSEWHERE}"
            )
        if not all(isinstance(w, CrossbarWeights) for w in layer.weights):
            for w in layer.weights:
                try:
                    self.supports(w.tensor() if isinstance(w, WeightSource) else w)
                except FormatError as error:
                    raise FormatError(f"layer {layer.name!r}: {error}") from None
        split = layer.one_bit
        first = layer.weights[0]
        weights = CrossbarWeights(
            n=layer.n,
            k=layer.k * split.groups,
            groups=split.groups,
            window=split.window,
            content=first.hash,
            first=first,
        )
        return dataclasses.replace(
            layer, k=weights.k, weights=(weights,), activation_bits=1, output_bits=1, sample=layer.operands
        )

    def check_clock(self, clock_mhz: float) -> None:
        """See `Datapath.check_clock`: a read lasts until the pulse is over and the bit line has settled."""
        needed = math.ceil(self.settled_ns * clock_mhz * 1e-3 - 1e-9)
        if self.read_cycles < needed:
            raise DesignError(
                f"rram: a read takes {self.settled_ns:.3g} ns, which is more than read_cycles={self.read_cycles} at "
                f"{clock_mhz:g} MHz; use read_cycles={needed}"
            )

    @property
    def physical_rows(self) -> int:
        """Cells of one column."""
        return self.rows * (2 if self.mapping == "xnor" else 1)

    @property
    def settled_ns(self) -> float:
        """The pulse, or three time constants of a bit line whose cells all conduct, if that is longer."""
        lines = self.wires.bit_line_ohm + self.wires.source_line_ohm
        resistance = self.physical_rows * lines / 2 + self.device.ron_ohm / self.rows
        return max(self.read_ns, 3e-6 * resistance * self.physical_rows * self.wires.capacitance_ff)

    @property
    def period(self) -> int:
        """Cycles that one input vector occupies the crossbars."""
        return self.drive_cycles + self.columns_per_sense * (self.read_cycles + self.sense_cycles)

    def groups(self, array: Array) -> int:
        """Crossbars whose bits one majority merges."""
        return -(-array.rows // self.rows)

    def merge_levels(self, array: Array) -> int:
        """Levels of the tree that counts their bits."""
        return (self.groups(array) - 1).bit_length()

    def stats(self, w: Operand | CrossbarWeights, array: Array) -> Stats:
        """See `Datapath.stats`; FormatError if the layer has more inputs or outputs than there are crossbars."""
        groups, window = (w.groups, w.window) if isinstance(w, CrossbarWeights) else (1, 1)
        if groups > self.groups(array) or w.n > array.cols:
            raise FormatError(
                f"rram: {groups} groups and {w.n} outputs need an array of rows={groups * self.rows}, cols={w.n}; it "
                f"has rows={array.rows}, cols={array.cols}"
            )
        return Stats(values=np.array([groups, window], dtype=np.int64))

    def toggles(self, x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
        """See `Datapath.toggles`: pairs of cells of which the open one is on (differential: that are open at all)."""
        if self.mapping == "differential":
            return {"conducting": int((x > 0).sum()) * w.n}
        return {"conducting": int((x.size * w.n + (x.astype(np.int64) @ w.integers.T.astype(np.int64)).sum()) // 2)}

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`."""
        return np.array([self.period, self.merge_levels(array) + 1, self.cols], dtype=np.int64)

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`."""
        return self.groups(array) * self.rows * array.cols / self.period

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`; energies that follow from the device, the wires and the pulse are in pJ."""
        crossbars = self.groups(array) * -(-array.cols // self.cols)
        amplifiers = crossbars * -(-self.cols // self.columns_per_sense)
        readout: dict[str, float | str] = {"kind": "sense_amplifier", "sense_pj": self.sense.energy_fj * 1e-3}
        if self.adc is not None:
            readout = {"kind": "adc", "reference": self.adc.reference, "bits": self.adc.bits}
        on, off = self.device.g_on, self.device.g_off
        open_pair, still = (on, off) if self.mapping == "xnor" else (on + off, 0.0)
        cells: dict[str, float | str] = {
            "cells": 2 * self.rows * self.cols,
            "still_pj": self.read_v**2 * self.read_ns * 1e3 * still,
            "conducting_pj": self.read_v**2 * self.read_ns * 1e3 * (open_pair - still),
            "bit_line_pj": 2 * self.rows * self.wires.capacitance_ff * 1e-3 * self.read_v**2,
        }
        word_line_pj = self.cols * self.wires.capacitance_ff * 1e-3 * self.word_line_v**2
        adder_bits = 1 if self.adc is None else self.adc.bits
        return (
            Component("rram.crossbar", crossbars, cells),
            Component("rram.driver", crossbars * self.physical_rows, {"word_line_pj": word_line_pj}),
            Component("rram.readout", amplifiers, readout),
            Component(
                "rram.merge", array.cols, {"full_adders": self.groups(array) * adder_bits, "adder_bits": adder_bits}
            ),
        )


def cells(w: Operand, stuck_off: np.ndarray | None = None, stuck_on: np.ndarray | None = None) -> np.ndarray:
    """bool[2, K, N]: which cells of each pair are on; stuck ones, bool of that shape, whatever the weight."""
    positive = w.integers.T > 0
    states = np.stack([positive, ~positive])
    if stuck_on is not None:
        states = states | stuck_on
    return states if stuck_off is None else states & ~stuck_off


def check_binary(x: np.ndarray, k: int) -> None:
    """FormatError unless ``x`` is a matrix [M, k] of integers -1 and 1."""
    if x.ndim != 2 or x.shape[1] != k or not np.issubdtype(x.dtype, np.integer):
        raise FormatError(f"rram: activations are {x.dtype}{x.shape}, expected integers [M, {k}]")
    if x.size and not (np.abs(x) == 1).all():
        other = int(x[np.abs(x) != 1][0])
        raise FormatError(f"rram: word lines carry activations of -1 and 1, one is {other}; {ELSEWHERE}")
