"""Energy and area per event and part, as tables with a source for every row."""

from hwsim.technology.table import Technology, available, load

__all__ = ["Technology", "available", "load"]
