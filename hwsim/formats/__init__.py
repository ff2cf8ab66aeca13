"""Number formats by name: `quantize` turns real weights into a QTensor."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from hwsim.errors import FormatError, nearest
from hwsim.formats import binary, integer
from hwsim.qtensor import QTensor

FORMATS: dict[str, Callable[..., QTensor]] = {
    **{f"int{bits}": integer.quantizer(bits) for bits in range(2, 9)},
    "binary": binary.quantize,
}
"""Every format: its name and the function ``(w, **params) -> QTensor``."""


def quantize(w: np.ndarray, format: str, **params: Any) -> QTensor:
    """Real weights [N, ...] (output channel first) as a QTensor of the named format.

    Raises FormatError for an unknown format (with the nearest names), parameters that it
    does not have, and weights that are empty, not real or not finite.
    """
    if format not in FORMATS:
        raise FormatError(f"unknown format {format!r}; {nearest(str(format), FORMATS)}")
    values = np.asarray(w)
    if values.dtype.kind != "f":
        raise FormatError(f"{format}: weights are {values.dtype}, expected floating point")
    if values.ndim < 1 or values.size == 0:
        raise FormatError(f"{format}: weights of shape {values.shape} have no elements")
    if not np.isfinite(values).all():
        raise FormatError(f"{format}: weights hold NaN or infinity")
    try:
        return FORMATS[format](values, **params)
    except TypeError as error:
        match = re.search(r"keyword argument '(\w+)'", str(error))
        if match is None:
            raise
        raise FormatError(f"format {format!r} has no parameter {match.group(1)!r}") from None
