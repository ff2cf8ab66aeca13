"""Verilog from a component: the same text for the same design, each distinct module once."""

import re

from amaranth.back import verilog
from amaranth.lib.wiring import Component

_MODULE = re.compile(r"^module (\S+) ?\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^( +)(\\\S+) +(\S+) \($", re.MULTILINE)
_TRIGGER = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+")


def emit(component: Component, name: str) -> str:
    """Verilog of ``component``, its top module called ``name``.

    Streams become ports ``<stream>__payload`` (one vector), ``<stream>__valid`` and ``<stream>__ready``,
    beside ``clk`` and ``rst`` (synchronous, high).
    """
    text = verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)
    return "\n\n".join(_distinct({match[1]: match[0] for match in _MODULE.finditer(text)}, name)) + "\n"


def _distinct(modules: dict[str, str], top: str) -> list[str]:
    """Amaranth writes a module for each instance: those of equal text become one, submodules first."""
    names: dict[str, str] = {}
    emitted: dict[str, str] = {}

    def visit(old: str) -> str:
        """The name of the module that stands for ``old``."""
        if old in names:
            return names[old]
        text = _INSTANCE.sub(lambda match: f"{match[1]}{visit(match[2])} {match[3]} (", modules[old])
        text = _TRIGGER.sub("initial_trigger", text).removeprefix(f"module {old}")
        new = old.removeprefix("\\").replace(".", "_")
        names[old] = emitted.setdefault(text, new)
        return names[old]

    visit(top)
    return [f"module {name}{text}" for text, name in emitted.items()]
