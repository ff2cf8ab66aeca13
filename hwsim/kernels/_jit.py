"""The one place for Numba's options.

Compiled code is cached in a folder named after everything it depends on: all kernel
files, Numba, NumPy and the CPU (a change in a callee in another file would not
invalidate Numba's own cache).
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy
from numba import extending, types


def _cache_folder() -> Path:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    digest.update(repr((numba.__version__, numpy.__version__, llvmlite.binding.get_host_cpu_name())).encode())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hwsim" / "numba" / digest.hexdigest()[:16]


os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait sleep: spinning, they hold up the one awaited

if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]


def jit(*, parallel: bool = False) -> Callable[[Callable], Any]:
    """``numba.njit`` with the project's options: cached, nogil, no fastmath."""
    return numba.njit(cache=True, nogil=True, parallel=parallel, error_model="numpy")


def _bitcast(target: types.Type) -> Any:
    """Compiled reinterpretation of a number of the same width as ``target``."""

    @extending.intrinsic
    def cast(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

        return target(value), generate

    return cast


# A scalar's ``view`` does not compile where the variable is assigned again; these also vectorize.
bits_to_float32 = _bitcast(types.float32)
bits_to_float64 = _bitcast(types.float64)
float64_to_bits = _bitcast(types.int64)
