"""One module per datapath, found by being there: `available`, `find`."""

import importlib
import pkgutil

from hwsim.datapath import Datapath
from hwsim.errors import DesignError, nearest


def available() -> dict[str, type[Datapath]]:
    """Every datapath by name: the class that each module in this folder defines."""
    return {name: _load(name) for _, name, _ in pkgutil.iter_modules(__path__)}


def find(name: str) -> type[Datapath]:
    """The datapath class called ``name``; DesignError with the nearest name if there is none."""
    names = [module for _, module, _ in pkgutil.iter_modules(__path__)]
    if name not in names:
        raise DesignError(f"unknown datapath {name!r}; {nearest(str(name), names)}")
    return _load(name)


def _load(name: str) -> type[Datapath]:
    module = importlib.import_module(f"{__name__}.{name}")
    for item in vars(module).values():
        if isinstance(item, type) and issubclass(item, Datapath) and item.__module__ == module.__name__:
            return item
    raise DesignError(f"datapath module {module.__name__} defines no Datapath class")
