"""Values of a design's keys: their order and their words."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def ordered(values: Iterable[Any]) -> list[Any]:
    """Numbers by size, then texts by letters."""
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def text(value: Any) -> str:
    """``value`` as it is shown."""
    return str(value) if isinstance(value, str | bool | np.bool) else f"{value:g}"
