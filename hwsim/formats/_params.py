"""Parameters of formats, checked; scales of groups that may be all zero."""

import numpy as np

from hwsim.errors import FormatError
from hwsim.formats._scales import SMALLEST, stored


def check_choice(name: str, value: object, accepted: tuple[object, ...]) -> None:
    """FormatError unless ``value`` is one of ``accepted``."""
    if not any(type(value) is type(each) and value == each for each in accepted):
        raise FormatError(f"{name} must be one of {', '.join(map(str, accepted))}, not {value!r}")


def stored_scale(values: np.ndarray, kind: str, largest_code: float) -> np.ndarray:
    """float32 scales rounded to ``kind``; 1 for a group that is all zero or too small for it.

    FormatError where ``largest_code`` times a scale would leave float32.
    """
    # A subnormal scale would be so coarse that the largest weight leaves its grid.
    smallest = SMALLEST.get(kind, 0.0)
    rounded = stored(np.where(values == 0, 0, np.sign(values) * np.maximum(np.abs(values), smallest)), kind)
    if not (np.abs(rounded.astype(np.float64)) * largest_code < np.finfo(np.float32).max).all():
        raise FormatError("weights are too large: their grid exceeds float32")
    return np.where(rounded == 0, np.float32(1), rounded)
