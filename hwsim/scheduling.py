"""What cost-only rules share: tiles, passes, assumed activations, events and refusals.

A rule says how many cycles the passes of a matmul take, given the weights and, for some, the
activations. docs/rules.md defines each.
"""

import dataclasses
import functools
from abc import abstractmethod
from typing import ClassVar

import numpy as np

from hwsim import schema
from hwsim.datapath import Array, Component, Event, Operand, Rule, Stats
from hwsim.errors import DesignError, FormatError
from hwsim.kernels import rules as kernels

MAX_WEIGHT_BITS = 8
ASSUMED_TILES = 4
"""Row tiles of assumed activations that are counted; the others take as long on average."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Activations:
    """Activations that a rule assumes where cycles depend on them: rounded, clipped normal numbers.

    Attributes:
        std: standard deviation of the numbers, in steps of the quantizer.
        zero_fraction: share of activations set to zero besides.
        signed: both signs, or the absolute values.
        seed: of the generator.
    """

    std: float = 40.0
    zero_fraction: float = 0.5
    signed: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        schema.check_types(self)
        schema.check_range(self, 0, 1 << 16, "std")
        schema.check_range(self, 0, 1, "zero_fraction")
        schema.check_range(self, 0, (1 << 63) - 1, "seed")

    def draw(self, m: int, k: int, bits: int) -> np.ndarray:
        """int64[m, k] of ``bits``, signed or not."""
        rng = np.random.default_rng(self.seed)
        values = np.rint(rng.standard_normal((m, k)) * self.std)
        limit = (1 << (bits - 1)) - 1 if self.signed else (1 << bits) - 1
        values = np.clip(values if self.signed else np.abs(values), -limit, limit).astype(np.int64)
        return np.where(rng.random((m, k)) < self.zero_fraction, 0, values)

    def __str__(self) -> str:
        kind = "normal" if self.signed else "half-normal"
        return f"activations {kind}, std {self.std:g}, {self.zero_fraction:.0%} zero (seed {self.seed})"


@dataclasses.dataclass(frozen=True)
class Tile:
    """Outputs and reduction of one pass: ``rows`` of M, ``cols`` of N, ``lanes`` of K."""

    rows: int
    cols: int
    lanes: int


def pe_events(name: str, *others: str) -> tuple[Event, ...]:
    """What rule ``name`` counts: PE cycles and, where their energy is published, ``others`` of

    ``"scheduler"`` (cycles of each column's weight register or scheduler) and ``"input_register"`` (loads of
    each row's activation register), in this order.
    """
    actions = {"pe": "cycle", "scheduler": "cycle", "input_register": "load"}
    return tuple(Event(component=f"{name}.{part}", action=actions[part]) for part in ("pe", *others))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduledRule(Rule):
    """A published schedule of a matmul's passes.

    Attributes:
        lanes: consecutive k of one group that a PE takes per pass.
        activation_bits: width of the activation operand, 2..16.
    """

    lanes: int = 16
    activation_bits: int = 8

    SOURCE: ClassVar[str]
    """Where the rule is published."""
    cycles = staticmethod(kernels.cycles)
    events = staticmethod(kernels.events)

    def __post_init__(self) -> None:
        super().__post_init__()
        schema.check_range(self, 1, 1024, "lanes")
        schema.check_range(self, 2, 16, "activation_bits")

    @property
    def reads_activations(self) -> bool:
        """Whether cycles depend on the values of activations."""
        return False

    @abstractmethod
    def tile_cycles(self, w: Operand, x: np.ndarray, tile: Tile) -> int:
        """Cycles of the row tiles of int64[M, K] ``x`` with all column tiles; ``x`` has one row if it is not read."""

    @abstractmethod
    def full_cycles(self, w: Operand) -> int:
        """Cycles of a pass with all its lanes if nothing is skipped."""

    def dense_cycles(self, w: Operand, array: Array) -> int:
        """Cycles of one row tile with all column tiles if nothing is skipped."""
        tile = self.tile(w, array)
        return -(-w.n // tile.cols) * (len(starts(w, tile)) - 1) * self.full_cycles(w)

    def least_cycles(self, w: Operand) -> int:
        """Cycles of the shortest pass: what `peak_macs` and so utilization refer to."""
        return 1

    def tile(self, w: Operand, array: Array) -> Tile:
        """Outputs and reduction of one pass on ``array``."""
        return Tile(array.rows, array.cols, self.lanes)

    def supports(self, w: Operand) -> None:
        """FormatError unless ``w`` is lowered and its values are whole numbers of at most 8 bits."""
        if not w.lowered:
            raise FormatError(
                f"{self.name()} cannot take format {w.format!r}: its scales are not integers; lower it first "
                "(hwsim.lower)"
            )
        if w.integer_bits > MAX_WEIGHT_BITS:
            raise FormatError(
                f"{self.name()} cannot take format {w.format!r}: its values need {w.integer_bits} bits; "
                f"use a format of at most {MAX_WEIGHT_BITS} bits"
            )

    def stats(self, w: Operand, array: Array) -> Stats:
        """See `Datapath.stats`; layout in `hwsim.kernels.rules`. Activations, if read, are the assumed ones."""
        return self.count(w, self._assumed_activations(self.tile(w, array).rows, w.k), array)

    def _assumed_activations(self, rows: int, k: int) -> np.ndarray | None:
        return None

    def count(self, w: Operand, x: np.ndarray | None, array: Array) -> Stats:
        """`stats` with the activations int[M, K] ``x`` that a matmul really has; None if they are not read.

        DesignError if they are missing, of the wrong shape, or too wide.
        """
        tile = self.tile(w, array)
        activations = np.zeros((1, w.k), dtype=np.int64)
        if self.reads_activations:
            activations = self._checked(x, w.k)
        passes = -(-w.n // tile.cols) * (len(starts(w, tile)) - 1)
        total = self.tile_cycles(w, activations, tile)
        return Stats(values=np.array([tile.rows, -(-len(activations) // tile.rows), total, passes], dtype=np.int64))

    def _checked(self, x: np.ndarray | None, k: int) -> np.ndarray:
        if x is None or x.ndim != 2 or x.shape[1] != k or not len(x) or not np.issubdtype(x.dtype, np.integer):
            given = "none" if x is None else f"{x.dtype}{x.shape}"
            raise DesignError(f"{self.name()} counts activations: integers [M, {k}] needed, {given} given")
        if int(np.abs(x.astype(np.int64)).max()) >= 1 << self.activation_bits:
            raise DesignError(f"{self.name()}: an activation needs more than activation_bits={self.activation_bits}")
        return x.astype(np.int64)

    def params(self, array: Array) -> np.ndarray:
        """See `Datapath.params`."""
        return np.array([array.rows, array.cols], dtype=np.int64)

    def components(self, array: Array) -> tuple[Component, ...]:
        """See `Datapath.components`."""
        counts = {"pe": array.rows * array.cols, "scheduler": array.cols, "input_register": array.rows}
        names = [event.component for event in self.EVENTS]
        return tuple(
            Component(name, counts[name.rpartition(".")[2]], self.component_parameters(array)) for name in names
        )

    def component_parameters(self, array: Array) -> dict[str, float | str]:
        """What technology rows of this rule must match: those published hold for one configuration."""
        return {"lanes": self.lanes, "activation_bits": self.activation_bits}

    def peak_macs(self, w: Operand, array: Array) -> float:
        """See `Datapath.peak_macs`: passes of `least_cycles`."""
        tile = self.tile(w, array)
        return tile.rows * tile.cols * tile.lanes / self.least_cycles(w)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActivationRule(ScheduledRule):
    """A rule whose cycles (may) depend on activations.

    Attributes:
        activations: what `stats` assumes of them.
    """

    activations: Activations = Activations()

    @property
    def reads_activations(self) -> bool:
        """See `ScheduledRule.reads_activations`."""
        return True

    @property
    def assumed(self) -> str:
        """See `Datapath.assumed`."""
        return str(self.activations) if self.reads_activations else ""

    def _assumed_activations(self, rows: int, k: int) -> np.ndarray | None:
        if not self.reads_activations:
            return None
        return _drawn(self.activations, rows * ASSUMED_TILES, k, self.activation_bits)


@functools.lru_cache(maxsize=8)
def _drawn(activations: Activations, m: int, k: int, bits: int) -> np.ndarray:
    return activations.draw(m, k, bits)


def starts(w: Operand, tile: Tile) -> np.ndarray:
    """int64: first k of each pass along K, and K."""
    return kernels.pass_starts(w.k, w.group_size, tile.lanes)


def signed(x: np.ndarray) -> int:
    """1 if any activation is negative: a sign takes a bit."""
    return int((x < 0).any())
