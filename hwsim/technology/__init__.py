"""Energy and area per event and part, as tables with a source for every row."""

from hwsim.technology.table import SramFigures, Technology, available, folder, load, parts

__all__ = ["SramFigures", "Technology", "available", "folder", "load", "parts"]
