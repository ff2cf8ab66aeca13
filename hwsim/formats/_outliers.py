"""Single weights kept apart in 16 bits: which ones, and their values as stored."""

import numpy as np

from hwsim.errors import FormatError


def largest(score: np.ndarray, count: int) -> np.ndarray:
    """Ascending flat positions of the ``count`` largest, of equal ones the first."""
    flat = score.reshape(-1)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    above = np.flatnonzero(flat > threshold)
    level = np.flatnonzero(flat == threshold)[: count - above.size]
    return np.sort(np.concatenate([above, level]))


def outlier_count(name: str, fraction: float, size: int) -> int:
    """The number of outliers that a fraction of ``size`` weights is; FormatError unless it is in 0..1."""
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise FormatError(f"{name} must be a number in 0..1, not {fraction!r}")
    return round(fraction * size)


def as_kind(values: np.ndarray, kind: str) -> np.ndarray:
    """``values`` rounded to "fp16" or "fp32", as float32; FormatError beyond its range."""
    dtype = np.float16 if kind == "fp16" else np.float32
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(dtype).astype(np.float32)
    if not np.isfinite(rounded).all():
        raise FormatError(f"weights up to {np.abs(values).max():.4g} do not fit {kind}")
    return rounded
