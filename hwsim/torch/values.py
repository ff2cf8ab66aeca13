"""The integers that stand for a step's real numbers."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Value:
    """An integer tensor: real = integer * scale, integers in ``low..high``; ``binary``: only -1 and 1."""

    scale: float
    low: int
    high: int
    binary: bool = False
