"""Every worked vector of the specification, section by section.

Reads ``tests/vectors.json``, or the file that the environment variable HWSIM_VECTORS names (same
layout, other cases). A section is checked by the function of its name in a module of
``tests/vector_checks``: ``check_<section>(case)`` for each case.
"""

import importlib
import json
import os
import pkgutil
from pathlib import Path

import pytest

from tests import vector_checks

FILE = Path(os.environ.get("HWSIM_VECTORS") or Path(__file__).parent / "vectors.json")
SECTIONS = json.loads(FILE.read_text())["vectors"]
MODULES = [
    importlib.import_module(f"tests.vector_checks.{name}")
    for _, name, _ in pkgutil.iter_modules(vector_checks.__path__)
]
CHECKS = {
    name.removeprefix("check_"): item for m in MODULES for name, item in vars(m).items() if name.startswith("check_")
}
CASES = [(name, i, case) for name in SECTIONS if name in CHECKS for i, case in enumerate(SECTIONS[name])]


@pytest.mark.parametrize(("section", "case"), [(n, c) for n, _, c in CASES], ids=[f"{n}-{i}" for n, i, _ in CASES])
def test_vector(section, case):
    CHECKS[section](case)
