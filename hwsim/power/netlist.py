"""A flat gate-level netlist as arrays that compiled code runs on.

Nets are numbered: 0 and 1 are the constants, then the nets of the file (nets joined by
``assign`` are one), then one hidden state net per flip-flop. A *gate* is one output pin of
an instance with its function: of input nets, and for a flip-flop of its state net (Q is a
buffer of the state). Gates are in levelised order: all their inputs are constants, ports,
states or earlier gates. Functions - of gates, then of flip-flops - share one pool of truth
tables: function f reads the nets ``fanin[fanin_start[f]:fanin_start[f + 1]]``, bit k of the
table's index first net first, and its table is uint64 words from ``table_start[f]``.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hwsim.errors import PowerError
from hwsim.power import verilog_syntax
from hwsim.power.cells import Cell, FlipFlop
from hwsim.power.expression import Expression
from hwsim.power.liberty import Library
from hwsim.power.verilog_syntax import ONE, ZERO, Module
from hwsim.power.wiring import joined_nets, levelise

CONSTANT_ZERO, CONSTANT_ONE = 0, 1
ABSENT = -1


@dataclass(frozen=True, eq=False)
class Netlist:
    """A netlist; see the module for the numbering. Integer arrays are int32 unless said otherwise.

    Instances: ``cell_of[I]`` indexes ``cells``; pin k of instance i (in the order of ``cell.pins``)
    is on net ``pin_net[pin_start[i] + k]``, ABSENT if unconnected.
    Gates: ``gate_net[G]`` drives, ``gate_instance[G]``, ``gate_pin[G]`` (index in ``cell.pins``), ``level[G]``
    (from 0); gates of level l are ``level_start[l]:level_start[l + 1]``. Function of gate g is g.
    Flip-flops: ``flop_instance[F]``, ``flop_state[F]`` (a net), and as functions or ABSENT ``flop_next[F]``,
    ``flop_clock[F]`` (a rising edge of this function clocks), ``flop_clear[F]``, ``flop_preset[F]``;
    ``flop_both[F]`` (int8) is the state when both are active, ABSENT where the library leaves it open.
    """

    name: str
    cells: tuple[Cell, ...]
    nets: tuple[str, ...]
    net_index: dict[str, int] = field(repr=False)
    """Every name of the file, bit by bit, and ``instance/state`` of the flip-flops -> net."""
    vectors: dict[str, list[str]] = field(repr=False)
    inputs: np.ndarray
    outputs: np.ndarray
    instances: tuple[str, ...] = field(repr=False)
    cell_of: np.ndarray
    pin_start: np.ndarray
    pin_net: np.ndarray
    gate_net: np.ndarray
    gate_instance: np.ndarray
    gate_pin: np.ndarray
    level: np.ndarray
    level_start: np.ndarray
    fanin_start: np.ndarray
    fanin: np.ndarray
    table_start: np.ndarray
    table_words: np.ndarray
    """uint64."""
    flop_instance: np.ndarray
    flop_state: np.ndarray
    flop_next: np.ndarray
    flop_clock: np.ndarray
    flop_clear: np.ndarray
    flop_preset: np.ndarray
    flop_both: np.ndarray

    def pins_of(self, instance: int) -> dict[str, int]:
        """Pin name -> net (ABSENT if unconnected) of an instance."""
        cell = self.cells[self.cell_of[instance]]
        start = self.pin_start[instance]
        return {name: int(self.pin_net[start + k]) for k, name in enumerate(cell.pins)}

    def driver(self) -> np.ndarray:
        """Gate that drives each net, ABSENT for constants, ports and states: int32[nets]."""
        driver = np.full(len(self.nets), ABSENT, np.int32)
        driver[self.gate_net] = np.arange(self.gate_net.size)
        return driver


def read(path: Path, library: Library) -> Netlist:
    """The netlist in a Verilog file, mapped to cells of ``library``.

    PowerError, naming the culprit, for cells that the library lacks, latches, black boxes, hierarchy,
    behaviour, nets with no driver or several, and combinational loops.
    """
    try:
        return _Builder(verilog_syntax.read(path), library).netlist()
    except PowerError as error:
        text = str(error)
        raise PowerError(text if text.startswith(path.name) else f"{path.name}: {text}") from None


class _Builder:
    """Turns a module into arrays."""

    def __init__(self, module: Module, library: Library) -> None:
        self.module = module
        self.net_index = joined_nets(module)
        names: dict[int, str] = {}
        for name, net in self.net_index.items():
            if name not in (ZERO, ONE):
                names.setdefault(net, name)
        names |= {CONSTANT_ZERO: ZERO, CONSTANT_ONE: ONE}
        self.nets = [names[net] for net in range(len(names))]
        self.cells = self._cells(library)
        self.cell_names = list(self.cells)
        self.functions: list[tuple[list[int], Expression]] = []

    def _cells(self, library: Library) -> dict[str, Cell]:
        first: dict[str, str] = {}
        for instance in self.module.instances:
            first.setdefault(instance.cell, instance.name)
        known = set(library.cell_names)
        missing = [name for name in first if name not in known]
        if missing:
            more = f" (and {len(missing) - 1} other cells)" if len(missing) > 1 else ""
            try:
                library.cell(missing[0])
            except PowerError as error:
                raise PowerError(f"instance {first[missing[0]]!r}: {error}{more}") from None
        cells = {name: library.cell(name) for name in first}
        for name, cell in cells.items():
            if cell.unusable:
                raise PowerError(f"instance {first[name]!r}: cell {name!r} is {cell.unusable}")
        return cells

    def netlist(self) -> Netlist:
        pin_start, pin_net, cell_of = [0], list[int](), list[int]()
        numbers = {name: k for k, name in enumerate(self.cells)}
        for instance in self.module.instances:
            cell_of.append(numbers[instance.cell])
            pin_net += self._connections(instance)
            pin_start.append(len(pin_net))
        self.pin_start, self.pin_net = pin_start, pin_net
        gates = self._gates()
        inputs = [self.net_index[name] for name in self.module.inputs]
        outputs = [self.net_index[name] for name in self.module.outputs]
        self._check_drivers(gates, inputs, outputs)
        order, levels = levelise([gate[0] for gate in gates], [nets for nets, _ in self.functions], self.nets)
        gates = [gates[g] for g in order]
        self.functions = [self.functions[g] for g in order] + self.functions[len(order) :]
        flops = self._flops()
        fanin_start = np.cumsum([0] + [len(nets) for nets, _ in self.functions])
        words = [expression.words() for _, expression in self.functions]
        both = [ABSENT if flop.both is None else flop.both for flop in map(self._flip_flop, self.flop_instances)]
        depth = int(levels.max()) + 1 if levels.size else 0
        return Netlist(
            name=self.module.name,
            cells=tuple(self.cells.values()),
            nets=tuple(self.nets),
            net_index=self.net_index,
            vectors=self.module.vectors,
            inputs=_int32(inputs),
            outputs=_int32(outputs),
            instances=tuple(instance.name for instance in self.module.instances),
            cell_of=_int32(cell_of),
            pin_start=_int32(pin_start),
            pin_net=_int32(pin_net),
            gate_net=_int32([gate[0] for gate in gates]),
            gate_instance=_int32([gate[1] for gate in gates]),
            gate_pin=_int32([gate[2] for gate in gates]),
            level=_int32(levels),
            level_start=_int32(np.searchsorted(levels, np.arange(depth + 1))),
            fanin_start=_int32(fanin_start),
            fanin=_int32([net for nets, _ in self.functions for net in nets]),
            table_start=_int32(np.cumsum([0] + [word.size for word in words])),
            table_words=np.concatenate(words) if words else np.zeros(0, np.uint64),
            flop_instance=_int32(self.flop_instances),
            flop_state=_int32([self.states[instance] for instance in self.flop_instances]),
            flop_next=flops[0],
            flop_clock=flops[1],
            flop_clear=flops[2],
            flop_preset=flops[3],
            flop_both=np.array(both, np.int8),
        )

    def _cell(self, instance: int) -> Cell:
        return self.cells[self.module.instances[instance].cell]

    def _flip_flop(self, instance: int) -> FlipFlop:
        flop = self._cell(instance).flip_flop
        assert flop is not None
        return flop

    def _connections(self, instance: verilog_syntax.Instance) -> list[int]:
        """Nets of an instance's pins in the order of its cell's pins."""
        cell = self.cells[instance.cell]
        connected: dict[str, list[str]] = {}
        for pin, bits in instance.connections.items():
            names = cell.ports.get(pin, (pin,))
            if pin in cell.power_pins:
                continue
            if names[0] not in cell.pins:
                raise PowerError(f"instance {instance.name!r}: cell {cell.name!r} has no pin {pin!r}")
            if bits and len(bits) != len(names):
                raise PowerError(
                    f"instance {instance.name!r}: pin {pin!r} of {cell.name!r} has {len(names)} bits, not {len(bits)}"
                )
            connected |= {name: [bit] for name, bit in zip(names, bits, strict=False)}
        nets = []
        for signal in cell.pins.values():
            if signal.name in connected:
                nets.append(self.net_index[connected[signal.name][0]])
            elif signal.direction == "input":
                raise PowerError(f"instance {instance.name!r}: input {signal.name!r} of {cell.name!r} is not connected")
            else:
                nets.append(ABSENT)
        return nets

    def _gates(self) -> list[tuple[int, int, int]]:
        """(net, instance, pin) of every connected output, its function appended; adds the state nets."""
        gates = []
        self.states: dict[int, int] = {}
        for i, instance in enumerate(self.module.instances):
            cell = self._cell(i)
            nets = dict(zip(cell.pins, self.pin_net[self.pin_start[i] : self.pin_start[i + 1]], strict=True))
            if cell.flip_flop is not None:
                name = f"{instance.name}/{cell.flip_flop.state}"
                self.states[i] = nets[cell.flip_flop.state] = self.net_index[name] = len(self.nets)
                self.nets.append(name)
            for k, pin in enumerate(cell.pins.values()):
                if pin.direction != "output" or nets[pin.name] == ABSENT or pin.function is None:
                    continue
                gates.append((nets[pin.name], i, k))
                self.functions.append((self._operands(instance.name, nets, pin.function), pin.function))
        self.flop_instances = list(self.states)
        return gates

    def _operands(self, instance: str, nets: dict[str, int], expression: Expression) -> list[int]:
        operands = []
        for name in expression.inputs:
            if name not in nets:
                raise PowerError(f"instance {instance!r}: its cell's function names the unknown pin {name!r}")
            if nets[name] == ABSENT:
                raise PowerError(f"instance {instance!r}: pin {name!r} is needed and not connected")
            operands.append(nets[name])
        return operands

    def _flops(self) -> list[np.ndarray]:
        """Functions next state, clock, clear and preset of every flip-flop: appended to the pool."""
        columns: list[list[int]] = [[], [], [], []]
        for i in self.flop_instances:
            flop = self._flip_flop(i)
            nets = dict(
                zip(self._cell(i).pins, self.pin_net[self.pin_start[i] : self.pin_start[i + 1]], strict=True)
            ) | {flop.state: self.states[i]}
            for column, expression in zip(
                columns, (flop.next_state, flop.clocked_on, flop.clear, flop.preset), strict=True
            ):
                if expression is None:
                    column.append(ABSENT)
                    continue
                column.append(len(self.functions))
                operands = self._operands(self.module.instances[i].name, nets, expression)
                self.functions.append((operands, expression))
        return [_int32(column) for column in columns]

    def _check_drivers(self, gates: list[tuple[int, int, int]], inputs: list[int], outputs: list[int]) -> None:
        driven = np.zeros(len(self.nets), bool)
        driven[[CONSTANT_ZERO, CONSTANT_ONE, *inputs, *self.states.values()]] = True
        for net, i, _ in gates:
            if driven[net]:
                name = self.module.instances[i].name
                raise PowerError(f"net {self.nets[net]!r} has several drivers, one of them instance {name!r}")
            driven[net] = True
        for i, instance in enumerate(self.module.instances):
            cell = self._cell(i)
            for pin, net in zip(
                cell.pins.values(), self.pin_net[self.pin_start[i] : self.pin_start[i + 1]], strict=True
            ):
                if net != ABSENT and pin.direction == "input" and not driven[net]:
                    raise PowerError(
                        f"net {self.nets[net]!r} at input {pin.name!r} of instance {instance.name!r} has no driver"
                    )
        for net in outputs:
            if not driven[net]:
                raise PowerError(f"output {self.nets[net]!r} has no driver")


def _int32(values: object) -> np.ndarray:
    return np.asarray(values, np.int32).reshape(-1)
