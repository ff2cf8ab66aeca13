"""Scales as they are stored: rounded to their kind, so that what is kept is what decodes."""

import numpy as np

from hwsim.errors import FormatError

KINDS: dict[str, tuple[type[np.floating], float]] = {
    "fp32": (np.float32, 2.0**-126),
    "fp16": (np.float16, 2.0**-24),
}
"""Floating point kinds: dtype and the smallest positive scale that is used."""


def stored(values: np.ndarray, kind: str, positive: bool = False) -> np.ndarray:
    """float32: ``values`` rounded (ties to even) to ``kind``; with ``positive`` never below its smallest.

    FormatError for an unknown kind, and for values beyond its range.
    """
    if kind not in KINDS:
        raise FormatError(f"scale_kind must be one of {', '.join(KINDS)}, not {kind!r}")
    dtype, smallest = KINDS[kind]
    with np.errstate(over="ignore", under="ignore"):
        result = np.asarray(values).astype(dtype).astype(np.float32)
    if not np.isfinite(result).all():
        raise FormatError(f"a scale exceeds {np.finfo(dtype).max:.6g}, the largest that {kind} holds")
    return np.maximum(result, np.float32(smallest)) if positive else result


def check_number(name: str, value: object, low: float, high: float, whole: bool = False) -> None:
    """FormatError unless ``value`` is a (whole) number in ``low .. high``."""
    kinds: tuple[type, ...] = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:  # type: ignore[operator]
        raise FormatError(f"{name} must be a {'whole ' if whole else ''}number in {low} .. {high}, not {value!r}")
