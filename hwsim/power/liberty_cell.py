"""From the Liberty group of a cell to a Cell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwsim.errors import PowerError
from hwsim.power import expression
from hwsim.power.cells import Cell, FlipFlop, InternalPower, Leakage, Pin, Table, TimingArc
from hwsim.power.expression import Expression
from hwsim.power.liberty_syntax import Group

_SLEW = ("input_net_transition", "input_transition_time")
_LOAD = ("total_output_net_capacitance",)
_DELAY = {"combinational", "combinational_rise", "combinational_fall", "rising_edge", "falling_edge"} | {
    "clear", "preset", "three_state_enable", "three_state_disable",
}  # fmt: skip
_BITS = re.compile(r"(.*)\[(\d+):(\d+)\]$")


@dataclass(frozen=True)
class Scope:
    """What the library around a cell gives: scale factors, supply voltages, templates, defaults."""

    where: str
    name: str
    time_ps: float
    capacitance_ff: float
    energy_fj: float
    leakage_nw: float
    voltage_v: float
    temperature_c: float
    rails: Mapping[str, float]
    templates: Mapping[str, Group]
    bus_types: Mapping[str, Group]
    defaults: Mapping[str, str]


def number(group: Group, key: str, default: float, where: str) -> float:
    """A numeric attribute; PowerError if it is there and is no number."""
    text = group.attributes.get(key)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise PowerError(f"{where}: {key} : {text!r} is not a number") from None


def build(group: Group, scope: Scope) -> Cell:
    """The cell that a ``cell`` group describes."""
    name = group.arguments[0]
    where = f"{scope.where}, cell {name}"
    try:
        return _Builder(group, scope, where).cell()
    except PowerError as error:
        text = str(error)
        raise PowerError(text if text.startswith(scope.where) else f"{where}: {text}") from None


class _Builder:
    """One cell group with what surrounds it."""

    def __init__(self, group: Group, scope: Scope, where: str) -> None:
        self.group, self.scope, self.where = group, scope, where
        self.rails = {
            pin.arguments[0]: scope.rails[pin.attributes.get("voltage_name", "")]
            for pin in group.of("pg_pin")
            if pin.attributes.get("voltage_name", "") in scope.rails
        }
        self.inverse: dict[str, Expression] = {}
        self.flip_flop = self._flip_flop()

    def cell(self) -> Cell:
        pins: dict[str, Pin] = {}
        ports: dict[str, tuple[str, ...]] = {}
        for entry in self.group.of("pin", "bus", "bundle"):
            signals = self._signals(entry)
            if entry.attributes.get("direction") == "internal":
                continue
            pins.update({name: self._pin(name, group) for name, group in signals.items()})
            if entry.kind != "pin":
                ports[entry.arguments[0]] = tuple(signals)
        leakage = tuple(
            Leakage(
                self._expression(entry, "when"),
                entry.attributes.get("related_pg_pin"),
                number(entry, "value", 0.0, self.where) * self.scope.leakage_nw,
            )
            for entry in self.group.of("leakage_power")
        )
        whole = self.group.attributes.get("cell_leakage_power")
        if whole is None and not leakage:
            whole = self.scope.defaults.get("default_cell_leakage_power")
        return Cell(
            name=self.group.arguments[0],
            library=self.scope.name,
            area_um2=number(self.group, "area", 0.0, self.where),
            pins=pins,
            ports=ports,
            power_pins=frozenset(pin.arguments[0] for pin in self.group.of("pg_pin")),
            leakage=leakage,
            leakage_nw=None if whole is None else float(whole) * self.scope.leakage_nw,
            flip_flop=self.flip_flop,
            unusable=self._unusable(pins),
        )

    def _unusable(self, pins: dict[str, Pin]) -> str:
        if "clock_gating_integrated_cell" in self.group.attributes:
            return "a clock gate, which holds a latch"
        if self.group.of("latch", "latch_bank"):
            return "a latch"
        if self.flip_flop is None and self.group.of("statetable", "ff", "ff_bank"):
            return "a sequential cell without a flip-flop group of one bit"
        for pin in pins.values():
            if pin.direction == "inout":
                return f"a cell with the bidirectional pin {pin.name}"
            if pin.direction == "output" and pin.three_state:
                return f"a cell with the three-state output {pin.name}"
            if pin.direction == "output" and pin.function is None:
                return f"a black box: output {pin.name} has no function"
        return ""

    def _flip_flop(self) -> FlipFlop | None:
        groups = self.group.of("ff")
        if len(groups) != 1 or len(groups[0].arguments) != 2:
            return None
        group = groups[0]
        state, inverse = group.arguments
        self.inverse = {inverse: ~expression.variable(state)}
        next_state, clocked_on = (self._expression(group, key) for key in ("next_state", "clocked_on"))
        if next_state is None or clocked_on is None:
            raise PowerError(f"{self.where}: its ff group lacks next_state or clocked_on")
        return FlipFlop(
            state,
            next_state,
            clocked_on,
            self._expression(group, "clear"),
            self._expression(group, "preset"),
            {"L": 0, "H": 1}.get(group.attributes.get("clear_preset_var1", "")),
        )

    def _expression(self, group: Group, key: str) -> Expression | None:
        text = group.attributes.get(key)
        if not text:
            return None
        parsed = expression.parse(text)
        return parsed.substitute(self.inverse) if self.inverse else parsed

    def _signals(self, entry: Group) -> dict[str, Group]:
        """The pins that a pin, bus or bundle group describes: name -> attributes and groups of its own and shared."""
        inner = {bit: pin for pin in entry.of("pin") for name in pin.arguments for bit in _bits(name)}
        if entry.kind == "bundle":
            names = [bit for members in entry.calls.get("members", []) for bit in members]
        elif entry.kind == "bus":
            names = [bit for name in entry.arguments for bit in _bits(name + self._range(entry))]
        else:
            return {bit: entry for name in entry.arguments for bit in _bits(name)}
        shared = [group for group in entry.groups if group.kind != "pin"]
        signals = {}
        for name in names:
            own = inner.get(name, Group("pin", (name,)))
            signals[name] = Group(
                "pin", (name,), entry.attributes | own.attributes, entry.calls | own.calls, own.groups + shared
            )
        return signals

    def _range(self, entry: Group) -> str:
        wanted = entry.attributes.get("bus_type", "")
        types = dict(self.scope.bus_types) | {group.arguments[0]: group for group in self.group.of("type")}
        if wanted not in types:
            raise PowerError(f"{self.where}: bus {entry.arguments[0]} has the unknown bus_type {wanted!r}")
        attributes = types[wanted].attributes
        return f"[{attributes.get('bit_from', '0')}:{attributes.get('bit_to', '0')}]"

    def _pin(self, name: str, group: Group) -> Pin:
        direction = group.attributes.get("direction", "")
        if direction not in ("input", "output", "inout"):
            raise PowerError(f"{self.where}: pin {name} has direction {direction!r}")
        rail = group.attributes.get("related_power_pin", "")
        function = self._expression(group, "function")
        arcs = tuple(
            arc for timing in group.of("timing") for arc in self._arcs(timing, function) if direction != "input"
        )
        return Pin(
            name=name,
            direction=direction,
            rise_capacitance_ff=self._capacitance(group, "rise", direction),
            fall_capacitance_ff=self._capacitance(group, "fall", direction),
            voltage_v=self.rails.get(rail, self.scope.voltage_v),
            is_clock=group.attributes.get("clock") == "true",
            function=function,
            three_state="three_state" in group.attributes,
            arcs=arcs,
            internal_power=tuple(power for entry in group.of("internal_power") for power in self._powers(entry)),
        )

    def _capacitance(self, group: Group, edge: str, direction: str) -> float:
        """fF: the upper limit of the edge's range, else its own value, else that of both edges."""
        default = number(Group("", (), dict(self.scope.defaults)), f"default_{direction}_pin_cap", 0.0, self.where)
        value = number(group, "capacitance", default, self.where)
        value = number(group, f"{edge}_capacitance", value, self.where)
        limits = group.calls.get(f"{edge}_capacitance_range")
        if limits:
            value = max(float(limit) for limit in limits[-1])
        return value * self.scope.capacitance_ff

    def _arcs(self, group: Group, function: Expression | None) -> list[TimingArc]:
        timing_type = group.attributes.get("timing_type", "combinational")
        if timing_type.removesuffix("_rise").removesuffix("_fall") not in _DELAY and timing_type not in _DELAY:
            return []
        scale = self.scope.time_ps
        tables = {
            key: self._table(group, key, scale)
            for key in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
        }
        when = self._expression(group, "when")
        arcs = []
        for related in group.attributes.get("related_pin", "").split():
            sense = group.attributes.get("timing_sense", "")
            if sense not in ("positive_unate", "negative_unate", "non_unate"):
                known = function is not None and related in function.inputs
                sense = function.sense(related) if function is not None and known else "non_unate"
            arcs.append(TimingArc(related, timing_type, sense, when, **tables))
        return arcs

    def _powers(self, group: Group) -> list[InternalPower]:
        both = self._table(group, "power", self.scope.energy_fj)
        rise = self._table(group, "rise_power", self.scope.energy_fj) or both
        fall = self._table(group, "fall_power", self.scope.energy_fj) or both
        when, rail = self._expression(group, "when"), group.attributes.get("related_pg_pin")
        related: list[str | None] = list(group.attributes.get("related_pin", "").split())
        return [InternalPower(pin, rail, when, rise, fall) for pin in related or [None]]

    def _table(self, group: Group, kind: str, scale: float) -> Table | None:
        """The table group ``kind`` in ``group`` with values times ``scale``; None if there is none."""
        found = group.of(kind)
        if not found:
            return None
        table = found[0]
        template = self.scope.templates.get(table.arguments[0] if table.arguments else "", Group("", ()))
        axes: list[tuple[str, np.ndarray]] = []
        while f"variable_{len(axes) + 1}" in template.attributes:
            key = f"index_{len(axes) + 1}"
            entries = table.calls.get(key) or template.calls.get(key) or []
            axes.append((template.attributes[f"variable_{len(axes) + 1}"], self._floats(entries, kind)))
        values = self._floats(table.calls.get("values", []), kind)
        if values.size != int(np.prod([axis.size for _, axis in axes])):
            raise PowerError(f"{self.where}: a {kind} table has {values.size} values, which do not fit its axes")
        slew, load = np.zeros(1), np.zeros(1)
        order: list[int] = []
        values = values.reshape([axis.size for _, axis in axes])
        for variables in (_SLEW, _LOAD):
            indices = [k for k, (name, _) in enumerate(axes) if name in variables]
            order += indices[:1]
        others = [k for k in range(len(axes)) if k not in order]
        for k in others:
            if axes[k][1].size > 1:
                raise PowerError(
                    f"{self.where}: a {kind} table has the axis {axes[k][0]!r}; accepted: {', '.join(_SLEW + _LOAD)}"
                )
        values = values.transpose(order + others)
        shape = [1, 1]
        for k in order:
            name, axis = axes[k]
            place = 0 if name in _SLEW else 1
            rank = np.argsort(axis, kind="stable")
            if axis.size > 1 and np.any(np.diff(axis[rank]) <= 0):
                raise PowerError(f"{self.where}: a {kind} table repeats a point of its axis {name!r}")
            values = np.take(values, rank, axis=order.index(k))
            shape[place] = axis.size
            if place == 0:
                slew = axis[rank] * self.scope.time_ps
            else:
                load = axis[rank] * self.scope.capacitance_ff
        return Table(slew, load, np.ascontiguousarray(values.reshape(shape)) * scale)

    def _floats(self, rows: list[tuple[str, ...]], kind: str) -> np.ndarray:
        text = " ".join(part for row in rows for part in row).replace(",", " ")
        try:
            values = np.array(text.split(), float)
        except ValueError:
            raise PowerError(f"{self.where}: a {kind} table holds something that is not a number") from None
        if not np.isfinite(values).all():
            raise PowerError(f"{self.where}: a {kind} table holds a value that is not finite")
        return values


def _bits(name: str) -> list[str]:
    """``A[1:0]`` bit by bit, first named first; any other name as it is."""
    match = _BITS.match(name)
    if match is None:
        return [name]
    first, last = int(match[2]), int(match[3])
    step = 1 if last >= first else -1
    return [f"{match[1]}[{bit}]" for bit in range(first, last + step, step)]
