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


def close(got: object, expected: object) -> None:
    """Equal to the six decimals that the vectors give."""
    np.testing.assert_allclose(
        np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64), rtol=0, atol=1.5e-6
    )
