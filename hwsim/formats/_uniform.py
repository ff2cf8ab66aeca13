"""Codes on uniform grids: whole numbers times a scale."""

import numpy as np

from hwsim.formats import _group_scales
from hwsim.kernels import integer as kernel


def codes(
    x: np.ndarray,
    scale: np.ndarray,
    group_size: int,
    low: int,
    high: int,
    zero: np.ndarray | None = None,
    base: np.ndarray | None = None,
) -> np.ndarray:
    """uint8[N, K]: ``clip(RNE((x - base) / scale) + zero, low, high)`` in two's complement of the bits ``high`` needs.

    x is contiguous [N, K], scale (not 0), zero and base (0 if not given) [1|N, 1|G]. The quotient is that of float64.
    """
    shape = (len(x), -(-x.shape[1] // group_size))
    none = np.zeros((1, 1))
    origins, factors, shifts = (
        _group_scales.per_group(np.asarray(each, np.float64), shape)
        for each in (none if base is None else base, scale, none if zero is None else zero)
    )
    result = np.empty(x.shape, np.uint8)
    kernel.encode(x, origins, factors, shifts, group_size, low, high, result)
    return _group_scales.final(result)
