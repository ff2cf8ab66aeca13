"""WrapNet: accumulators that wrap, and an activation under which wrapping does little harm.

Source: WrapNet, Ni et al., arXiv 2007.13242.
"""

import numpy as np

from hwsim.errors import FormatError


def cyclic(values: np.ndarray, bits: int, slope: float = 2) -> np.ndarray:
    """The cyclic activation of sums that wrapped to signed ``bits``.

    With h = 2**(bits-1) and t = slope * h / (slope + 1): ``m`` for |m| <= t, ``slope * (h - m)``
    above, ``-slope * (h + m)`` below; continuous at t and, being 0 there, where sums wrap. Whole
    numbers for a whole slope.
    """
    if not 0 < slope < np.inf:
        raise FormatError(f"the slope of a cyclic activation must be positive and finite, not {slope!r}")
    half = 1 << (bits - 1)
    m = np.asarray(values)
    if not ((m >= -half) & (m <= half)).all():
        raise FormatError(f"a cyclic activation takes sums of signed {bits} bits")
    folded = np.sign(m) * slope * (half - np.abs(m))
    return np.where(np.abs(m) * (slope + 1) <= slope * half, m, folded)
