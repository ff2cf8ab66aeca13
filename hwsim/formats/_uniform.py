"""Codes on uniform grids: whole numbers times a scale."""

import numpy as np

from hwsim.formats import _group_scales
from hwsim.kernels import integer as kernel


def codes(
    x: np.ndarray, scale: np.ndarray, group_size: int, low: int, high: int, zero: np.ndarray | None = None
) -> np.ndarray:
    """uint8[N, K]: ``clip(RNE(x / scale) + zero, low, high)`` in two's complement of as many bits as ``high`` needs.

    x is contiguous [N, K], scale (not 0) and zero (0 if not given) [1|N, 1|G]. The quotient is that of float64.
    """
    shape = (len(x), -(-x.shape[1] // group_size))
    factors, shifts = (
        _group_scales.per_group(np.asarray(each, np.float64), shape)
        for each in (scale, np.zeros((1, 1)) if zero is None else zero)
    )
    result = np.empty(x.shape, np.uint8)
    kernel.encode(x, factors, shifts, group_size, low, high, result)
    return _group_scales.final(result)
