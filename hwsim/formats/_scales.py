"""Scales as they are stored, and numeric parameters, checked."""

import numpy as np

from hwsim.errors import FormatError

SMALLEST = {"fp16": 2.0**-24, "fp32": float(np.finfo(np.float32).tiny)}


def stored(values: np.ndarray, kind: str, positive: bool = False) -> np.ndarray:
    """float32 of what ``kind`` fp16 or fp32 holds of ``values``; with ``positive`` at least its smallest value.

    FormatError where a value does not fit.
    """
    if kind not in SMALLEST:
        raise FormatError(f"scale_kind must be one of {', '.join(SMALLEST)}, not {kind!r}")
    dtype = np.float16 if kind == "fp16" else np.float32
    real = np.asarray(values, dtype=np.float64)
    if real.size and np.abs(real).max() > np.finfo(dtype).max:
        raise FormatError(f"a scale of {np.abs(real).max():.3g} does not fit {kind}")
    if positive:
        real = np.maximum(real, SMALLEST[kind])
    return real.astype(dtype).astype(np.float32)


def check_number(name: str, value: object, low: float, high: float, whole: bool = False) -> None:
    """FormatError unless ``value`` is a number (with ``whole`` an integer) in ``low`` .. ``high``."""
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= float(value) <= high:
        raise FormatError(f"{name} must be a {'whole ' if whole else ''}number in {low} .. {high}, not {value!r}")
