"""Flat gate-level Verilog: one module of ports, wires, assigns and cell instances, as synthesis writes it.

Signals are resolved to single bits, named ``a[3]`` for bit 3 of vector ``a``. Constants are
the bits ``1'b0`` and ``1'b1``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hwsim.errors import PowerError
from hwsim.power.liberty_syntax import read_text

ZERO, ONE = "1'b0", "1'b1"

_TOKEN = re.compile(
    r"""\s+ | //[^\n]* | /\*.*?\*/ | \(\*(?!\s*\)).*?\*\) |
    (?P<escaped>\\\S+) | (?P<constant>(?:\d[\d_]*)?\s*'[sS]?[bBoOdDhH]\s*[0-9a-fA-FxXzZ?_]+) |
    (?P<word>[A-Za-z_][\w$]*) | (?P<number>\d[\d_]*) | (?P<mark>[()\[\]{},;:.=\#]) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_KINDS = ("input", "output", "inout", "wire", "tri", "supply0", "supply1")
_BEHAVIOUR = {"always", "always_ff", "always_comb", "initial", "reg", "logic", "function", "task", "generate", "genvar"}
_BASE = {"b": 1, "o": 3, "h": 4}


@dataclass
class Instance:
    """A cell instance: pin name -> bits, most significant first; no bits where nothing is connected."""

    cell: str
    name: str
    connections: dict[str, list[str]]


@dataclass
class Module:
    """One module; ``vectors`` maps every declared name to its bits, most significant first."""

    name: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    vectors: dict[str, list[str]] = field(default_factory=dict)
    assigns: list[tuple[str, str]] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)


def read(path: Path) -> Module:
    """The top module of a netlist file (``.v`` or ``.v.gz``); PowerError naming the file and line if it is none."""
    modules = _Parser(path.name, read_text(path, "netlist")).modules()
    used = {instance.cell: (module, instance) for module in modules.values() for instance in module.instances}
    for name in modules:
        if name in used:
            module, instance = used[name]
            raise PowerError(
                f"{path.name}: instance {instance.name!r} of {module.name!r} is the module {name!r}; "
                "accepted: a flat netlist of library cells"
            )
    if len(modules) != 1:
        names = ", ".join(modules) or "none"
        raise PowerError(f"{path.name}: expected one module, found {names}")
    return next(iter(modules.values()))


class _Parser:
    """Recursive descent over the tokens of a file."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text = file, text
        self.tokens: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup
            if kind is not None:
                self.tokens.append((kind, match.group(), match.start()))
        self.index = 0
        self.module = Module("")

    def modules(self) -> dict[str, Module]:
        found: dict[str, Module] = {}
        while self.index < len(self.tokens):
            self._expect("module")
            self.module = Module(self._name("a module name"))
            self._module()
            if self.module.name in found:
                raise self._error(f"module {self.module.name!r} is defined twice")
            found[self.module.name] = self.module
        return found

    def _error(self, message: str) -> PowerError:
        index = min(self.index, len(self.tokens)) - 1
        line = self.text.count("\n", 0, self.tokens[index][2]) + 1 if self.tokens and index >= 0 else 1
        return PowerError(f"{self.file}, line {line}: {message}")

    def _peek(self) -> str:
        return self.tokens[self.index][1] if self.index < len(self.tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self.index >= len(self.tokens):
            raise self._error("the file ends inside a module: it is truncated or no netlist")
        kind, text, _ = self.tokens[self.index]
        self.index += 1
        return kind, text

    def _expect(self, mark: str) -> None:
        found = self._take()[1]
        if found != mark:
            raise self._error(f"expected {mark!r}, found {found!r}")

    def _accept(self, mark: str) -> bool:
        if self._peek() == mark:
            self.index += 1
            return True
        return False

    def _name(self, what: str) -> str:
        kind, text = self._take()
        if kind == "escaped":
            return text[1:]
        if kind != "word":
            raise self._error(f"expected {what}, found {text!r}")
        return text

    def _integer(self) -> int:
        kind, text = self._take()
        if kind != "number":
            raise self._error(f"expected a number, found {text!r}")
        return int(text.replace("_", ""))

    def _list(self, end: str, item: Callable[[], None]) -> None:
        """``item, item, ... end``, possibly empty."""
        if self._accept(end):
            return
        item()
        while self._accept(","):
            item()
        self._expect(end)

    def _module(self) -> None:
        self._kind, self._range, self._ports = "", (0, -1), list[str]()
        if self._accept("("):
            self._list(")", self._header_port)
        self._expect(";")
        while not self._accept("endmodule"):
            if self._peek() in _KINDS:
                self._declaration()
            elif self._accept("assign"):
                self._assignments()
            else:
                self._refuse_behaviour()
                self._instance()
        for name in self._ports:
            if name not in self.module.vectors:
                raise self._error(f"port {name!r} has no direction")

    def _header_port(self) -> None:
        """A port in the module's header, bare or with its declaration."""
        if self._peek() in _KINDS:
            self._kind, self._range = self._declared_kind()
        name = self._name("a port name")
        self._ports.append(name)
        if self._kind:
            self._declare(name)

    def _declared_kind(self) -> tuple[str, tuple[int, int]]:
        kind = self._take()[1]
        while self._peek() in ("wire", "signed", "tri"):
            self.index += 1
        self._refuse_behaviour()
        return kind, self._bounds()

    def _refuse_behaviour(self) -> None:
        if self._peek() in _BEHAVIOUR:
            word = self._take()[1]
            raise self._error(f"{word!r} is behaviour; accepted: ports, wires, assigns and cell instances")

    def _bounds(self) -> tuple[int, int]:
        """``[high:low]``; (0, -1) for a scalar."""
        if not self._accept("["):
            return 0, -1
        high = self._integer()
        self._expect(":")
        low = self._integer()
        self._expect("]")
        return high, low

    def _declaration(self) -> None:
        self._kind, self._range = self._declared_kind()
        if self._kind == "inout":
            raise self._error("inout ports are not accepted")

        def one() -> None:
            name = self._name("a name")
            self._declare(name)
            if self._accept("="):
                self._connect(self.module.vectors[name], self._expression())

        one()
        while self._accept(","):
            one()
        self._expect(";")

    def _declare(self, name: str) -> None:
        high, low = self._range
        if (high, low) == (0, -1):
            bits = [name]
        else:
            step = -1 if high >= low else 1
            bits = [f"{name}[{bit}]" for bit in range(high, low + step, step)]
        known = self.module.vectors.get(name)
        if known is not None and known != bits:
            raise self._error(f"{name!r} is declared twice with different ranges")
        self.module.vectors[name] = bits
        if self._kind in ("input", "output"):
            ports = self.module.inputs if self._kind == "input" else self.module.outputs
            ports += bits
        elif self._kind in ("supply0", "supply1"):
            self._connect(bits, [ZERO if self._kind == "supply0" else ONE] * len(bits))

    def _assignments(self) -> None:
        def one() -> None:
            left = self._expression()
            self._expect("=")
            self._connect(left, self._expression())

        one()
        while self._accept(","):
            one()
        self._expect(";")

    def _connect(self, left: list[str], right: list[str]) -> None:
        if len(left) < len(right):
            right = right[len(right) - len(left) :]
        elif len(left) > len(right):
            right = [ZERO] * (len(left) - len(right)) + right
        self.module.assigns += zip(left, right, strict=True)

    def _expression(self) -> list[str]:
        """Bits of a name, a select, a constant, a concatenation or a replication, most significant first."""
        if self._accept("{"):
            return self._concatenation()
        kind, text = self._take()
        if kind == "constant":
            return self._constant(text)
        if kind not in ("word", "escaped"):
            raise self._error(f"{text!r} is not structural; accepted: names, selects, constants and concatenations")
        return self._select(text[1:] if kind == "escaped" else text)

    def _concatenation(self) -> list[str]:
        if self.tokens[self.index][0] == "number":
            count = self._integer()
            self._expect("{")
            bits = self._concatenation() * count
            self._expect("}")
            return bits
        bits = self._expression()
        while self._accept(","):
            bits += self._expression()
        self._expect("}")
        return bits

    def _select(self, name: str) -> list[str]:
        bits = self.module.vectors.get(name, [name])
        if not self._accept("["):
            return list(bits)
        high = low = self._integer()
        if self._accept(":"):
            low = self._integer()
        self._expect("]")
        first, last = f"{name}[{high}]", f"{name}[{low}]"
        if first not in bits or last not in bits or bits.index(first) > bits.index(last):
            raise self._error(f"{name!r} has no bits [{high}:{low}]")
        return bits[bits.index(first) : bits.index(last) + 1]

    def _constant(self, text: str) -> list[str]:
        width_text, _, rest = text.replace("_", "").replace(" ", "").partition("'")
        rest = rest.lower().removeprefix("s")
        base, digits = rest[0], rest[1:]
        if any(digit in "xz?" for digit in digits):
            raise self._error(f"the constant {text!r} is not known; accepted: zeros and ones")
        if base == "d":
            value, width = int(digits), int(width_text or 32)
        else:
            value = int(digits, 1 << _BASE[base])
            width = int(width_text or 32)
        return [ONE if (value >> bit) & 1 else ZERO for bit in reversed(range(width))]

    def _instance(self) -> None:
        cell = self._name("a cell name")
        if self._accept("#"):
            raise self._error(f"{cell!r} has parameters; accepted: instances of library cells")
        name = self._name(f"an instance name after {cell!r}")
        self._expect("(")
        connections: dict[str, list[str]] = {}

        def connection() -> None:
            if not self._accept("."):
                raise self._error(f"instance {name!r} is connected by position; accepted: .pin(net)")
            pin = self._name("a pin name")
            if pin in connections:
                raise self._error(f"instance {name!r} connects pin {pin!r} twice")
            self._expect("(")
            connections[pin] = []
            if not self._accept(")"):
                connections[pin] = self._expression()
                self._expect(")")

        self._list(")", connection)
        self._expect(";")
        self.module.instances.append(Instance(cell, name, connections))
