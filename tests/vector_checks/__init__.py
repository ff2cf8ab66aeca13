"""Checks of the specification's vectors, one function per section."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(os.environ.get("HWSIM_VECTORS") or Path(__file__).parent.parent / "vectors.json")


def section(name: str) -> list[dict[str, Any]]:
    """Every case of a section: some refer to the numbers of another one."""
    return json.loads(FILE.read_text())["vectors"][name]


def close(got: Any, expected: Any, terms: Any = None) -> None:
    """Equal to the six decimals that the vectors give, and to the rounding of float32.

    What is summed from float32 values is as exact as the sum of their magnitudes, ``terms``.
    """
    got, expected = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    allowed = 5.1e-7 + 2.0**-23 * np.abs(expected if terms is None else np.asarray(terms, dtype=np.float64))
    assert got.size == expected.size
    assert (np.abs(got - expected) <= allowed).all(), f"{got} is not {expected}"
