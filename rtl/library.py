"""Components that a design has many of, elaborated once for Verilog.

Amaranth elaborates every submodule and writes a module for each: thousands of equal ones for a
large array. Where a component is placed with a `Library` as platform, an instance stands in for it
and the library keeps one component of the kind. Amaranth's simulator has no platform and gets them all.
"""

from collections.abc import Mapping
from types import SimpleNamespace

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, ValueLike
from amaranth.lib.wiring import Component, In

from hwsim.datapath import Array, Datapath


class Library:
    """The kinds of components placed in a design; its module names start with ``prefix``."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._kinds: dict[tuple, tuple[str, Component]] = {}

    def kinds(self) -> list[tuple[str, Component]]:
        """Module name and component of each kind, in order of first use."""
        return list(self._kinds.values())

    def place(
        self, m: Module, name: str, kind: type[Component], parameters: tuple, inputs: Mapping[str, ValueLike],
        clocked: bool,
    ) -> SimpleNamespace:  # fmt: skip
        """Adds an instance of ``kind(*parameters)`` to ``m``; returns its outputs."""
        if (kind, parameters) not in self._kinds:
            number = sum(other is kind for other, _ in self._kinds)
            module = f"{self._prefix}_{kind.__name__}" + (f"_{number}" if number else "")
            self._kinds[kind, parameters] = module, kind(*parameters)
        module, component = self._kinds[kind, parameters]
        outputs = {
            port: Signal(member.shape, name=f"{name}_{port}")
            for port, member in component.signature.members.items()
            if member.flow != In
        }
        m.submodules[name] = Instance(
            module,
            **({"i_clk": ClockSignal(), "i_rst": ResetSignal()} if clocked else {}),
            **{f"i_{port}": value for port, value in inputs.items()},
            **{f"o_{port}": value for port, value in outputs.items()},
        )
        return SimpleNamespace(**outputs)


def place(
    m: Module,
    platform: Library | None,
    name: str,
    kind: type[Component],
    parameters: tuple[Datapath | Array, ...],
    inputs: Mapping[str, ValueLike],
    clocked: bool = True,
) -> Component | SimpleNamespace:
    """Adds ``kind(*parameters)`` to ``m`` as submodule ``name``.

    ``inputs`` drives its inputs, of their exact widths; ``clocked``: it has flip-flops. Returns an object that has its
    outputs.
    """
    if platform is not None:
        return platform.place(m, name, kind, parameters, inputs, clocked)
    component = kind(*parameters)
    m.submodules[name] = component
    m.d.comb += [getattr(component, port).eq(value) for port, value in inputs.items()]
    return component
