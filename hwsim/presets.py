"""Example designs that ship with the package."""

from importlib import resources

from hwsim.design import Design
from hwsim.errors import DesignError, nearest

_FOLDER = resources.files("hwsim") / "data" / "presets"


def available() -> list[str]:
    """Names of the shipped designs."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))


def load(name: str) -> Design:
    """The shipped design ``name``; DesignError with the nearest name if there is none."""
    if name not in available():
        raise DesignError(f"no shipped design {name!r}; {nearest(name, available())}")
    with resources.as_file(_FOLDER / f"{name}.yaml") as path:
        return Design.load(path)
