"""Number formats by name, found by being there: `quantize`, `encode`, `find`.

Each module of this folder without a leading underscore defines ``FORMATS``, a tuple of `Format`.
"""

import functools
import importlib
import inspect
import pkgutil
from typing import Any

import numpy as np

from hwsim.errors import FormatError, nearest
from hwsim.formats._format import Format
from hwsim.qtensor import QTensor

LARGEST_WEIGHT = 2.0**127
"""Scales and decoded values, which may lie a little above the weights, fit float32."""

__all__ = ["Format", "available", "encode", "find", "quantize"]


@functools.cache
def available() -> dict[str, Format]:
    """Every format by name."""
    names = [name for _, name, _ in pkgutil.iter_modules(__path__) if not name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {each.name: each for module in modules for each in module.FORMATS}


def find(name: str) -> Format:
    """The format called ``name``; FormatError with the nearest name if there is none."""
    if name not in available():
        raise FormatError(f"unknown format {name!r}; {nearest(str(name), available())}")
    return available()[name]


def quantize(w: np.ndarray, format: str, **params: Any) -> QTensor:
    """Real weights [N, ...] (output channel first) as a QTensor of the named format.

    Raises FormatError for an unknown format (with the nearest names), parameters that it
    does not have, and weights that are empty, not real (complex for complex formats) or not finite.
    """
    chosen = find(format)
    values = check_weights(w, chosen)
    known = inspect.signature(chosen.quantize).parameters
    for key in params:
        if key not in known:
            raise FormatError(f"format {format!r} has no parameter {key!r}; {nearest(key, list(known)[1:])}")
    return chosen.quantize(values, **params)


def encode(w: np.ndarray, like: QTensor) -> QTensor:
    """Weights of the shape of ``like`` on its grid: its scales, offsets and tables, new codes."""
    chosen = find(like.format)
    values = check_weights(w, chosen)
    if values.shape != like.shape:
        raise FormatError(f"weights of shape {values.shape} cannot be encoded like a tensor of shape {like.shape}")
    return chosen.encode(values, like)


def check_weights(w: np.ndarray, chosen: Format) -> np.ndarray:
    """``w`` as an array; FormatError unless it has elements, all finite, of the format's kind."""
    values = np.asarray(w)
    kind, what = ("c", "complex") if chosen.complex else ("f", "floating point")
    if values.dtype.kind != kind:
        raise FormatError(f"{chosen.name}: weights are {values.dtype}, expected {what}")
    if values.ndim < 1 or values.size == 0:
        raise FormatError(f"{chosen.name}: weights of shape {values.shape} have no elements")
    largest = float(np.abs(values).max() if chosen.complex else max(values.max(), -values.min()))
    if not np.isfinite(largest):
        raise FormatError(f"{chosen.name}: weights hold NaN or infinity")
    if largest > LARGEST_WEIGHT:
        raise FormatError(f"{chosen.name}: a weight of {largest:.3g} is beyond 2**127, so that float32 could overflow")
    return values
