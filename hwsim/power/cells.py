"""What a cell library says: cells, pins, tables. Units: ps, fF, V, fJ, nW, um2."""

from dataclasses import dataclass, field

import numpy as np

from hwsim.kernels.lookup import lookup
from hwsim.power.expression import Expression


@dataclass(frozen=True, eq=False)
class Table:
    """A look-up table over input slew and output load; an absent axis has one point.

    slew_ps float64[S] and load_ff float64[L] increase; values float64[S, L], in ps or fJ.
    """

    slew_ps: np.ndarray
    load_ff: np.ndarray
    values: np.ndarray

    def at(self, slew_ps: float, load_ff: float) -> float:
        """Bilinear interpolation, linear beyond the ends."""
        return lookup(self.slew_ps, self.load_ff, self.values, slew_ps, load_ff)


@dataclass(frozen=True, eq=False)
class TimingArc:
    """Delays from ``related_pin`` to an output pin; tables of a missing edge are None.

    ``sense`` is positive_unate, negative_unate or non_unate; for ``rising_edge`` and
    ``falling_edge`` arcs the input edge is that of ``timing_type``.
    """

    related_pin: str
    timing_type: str
    sense: str
    when: Expression | None
    cell_rise: Table | None
    cell_fall: Table | None
    rise_transition: Table | None
    fall_transition: Table | None


@dataclass(frozen=True, eq=False)
class InternalPower:
    """Energy inside the cell per edge of a pin: of an output caused by ``related_pin``, or of an input alone."""

    related_pin: str | None
    related_pg_pin: str | None
    when: Expression | None
    rise: Table | None
    fall: Table | None


@dataclass(frozen=True, eq=False)
class Leakage:
    """Leakage in the states ``when``; None: in the states that no other group names."""

    when: Expression | None
    related_pg_pin: str | None
    power_nw: float


@dataclass(frozen=True, eq=False)
class Pin:
    """A signal pin. Capacitances are the upper limits of the range that the library gives."""

    name: str
    direction: str
    rise_capacitance_ff: float
    fall_capacitance_ff: float
    voltage_v: float
    is_clock: bool
    function: Expression | None
    three_state: bool
    arcs: tuple[TimingArc, ...]
    internal_power: tuple[InternalPower, ...]


@dataclass(frozen=True, eq=False)
class FlipFlop:
    """The ``ff`` group of a cell. All functions are of pins and of ``state`` (its inverse is substituted)."""

    state: str
    next_state: Expression
    clocked_on: Expression
    clear: Expression | None
    preset: Expression | None
    both: int | None
    """State where clear and preset are both active; None if the library leaves it open."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: signal pins by name (buses bit by bit), functions of outputs in pins and flip-flop state.

    ``unusable`` says why the cell cannot be part of a netlist here (a latch, no logic function), or "".
    """

    name: str
    library: str
    area_um2: float
    pins: dict[str, Pin]
    ports: dict[str, tuple[str, ...]]
    """Bus or bundle -> its pins, most significant first as a connection lists them."""
    power_pins: frozenset[str]
    leakage: tuple[Leakage, ...]
    leakage_nw: float | None
    flip_flop: FlipFlop | None
    unusable: str = ""

    @property
    def inputs(self) -> list[Pin]:
        """Input pins in the order of the library."""
        return [pin for pin in self.pins.values() if pin.direction == "input"]

    @property
    def outputs(self) -> list[Pin]:
        """Output pins in the order of the library."""
        return [pin for pin in self.pins.values() if pin.direction == "output"]


@dataclass(frozen=True, eq=False)
class WireLoad:
    """A wire-load model: capacitance of a net by its number of sinks."""

    name: str
    capacitance_ff: float
    slope: float
    lengths: dict[float, float] = field(default_factory=dict)

    def capacitance_of(self, fanout: int) -> float:
        """fF of a net of ``fanout`` sinks: length interpolated in the table, with ``slope`` beyond it."""
        if not self.lengths:
            return self.slope * fanout * self.capacitance_ff
        fanouts = sorted(self.lengths)
        if fanout <= fanouts[0]:
            length = max(0.0, self.lengths[fanouts[0]] - (fanouts[0] - fanout) * self.slope)
        elif fanout >= fanouts[-1]:
            length = self.lengths[fanouts[-1]] + (fanout - fanouts[-1]) * self.slope
        else:
            length = float(np.interp(fanout, fanouts, [self.lengths[key] for key in fanouts]))
        return length * self.capacitance_ff
