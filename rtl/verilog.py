"""Verilog from a component: the same text for the same design, each kind of component once."""

import re

from amaranth.back import verilog
from amaranth.lib.wiring import Component

from rtl.library import Library

_MODULE = re.compile(r"^module (\S+) ?\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
_TRIGGER = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+")


def emit(component: Component, name: str) -> str:
    """Verilog of ``component``, its top module called ``name``; other modules' names start with it.

    Streams become ports ``<stream>__payload`` (one vector), ``<stream>__valid`` and ``<stream>__ready``,
    beside ``clk`` and ``rst`` (synchronous, high).
    """
    library = Library(name)
    modules = _convert(component, name, library)
    done = 0
    while done < len(library.kinds()):
        module, kind = library.kinds()[done]
        modules += _convert(kind, module, library)
        done += 1
    return "\n\n".join(modules) + "\n"


def _convert(component: Component, name: str, library: Library) -> list[str]:
    """The text of each module."""
    text = verilog.convert(component, name=name, platform=library, emit_src=False, strip_internal_attrs=True)
    text = _TRIGGER.sub("initial_trigger", text)
    submodule = re.compile(rf"\\({re.escape(name)}\.[\w.$]+) ")
    text = submodule.sub(lambda match: re.sub(r"[.$]", "_", match[1]) + " ", text)
    return [match[0] for match in _MODULE.finditer(text)]
