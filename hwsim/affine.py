"""Affine quantization, ``r = s * (q - z)``: parameters, codes and the folded dot product.

Source: Krishnamoorthi, arXiv 1806.08342, sections 2 and 3.
"""

import numpy as np


def parameters(low: np.ndarray, high: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales float64 and zero points int64 of ranges ``low..high``, widened to hold 0.

    ``s = (high - low) / (2**bits - 1)``, ``z = RNE(-low / s)`` clipped; 1 and 0 for an empty range.
    """
    low, high = np.minimum(low, 0).astype(np.float64), np.maximum(high, 0).astype(np.float64)
    levels = (1 << bits) - 1
    scale = (high - low) / levels
    scale = np.where(scale == 0, 1.0, scale)
    return scale, np.clip(np.rint(-low / scale), 0, levels).astype(np.int64)


def codes(values: np.ndarray, scale: np.ndarray, zero: np.ndarray, bits: int) -> np.ndarray:
    """int64 codes ``clip(RNE(r / s) + z, 0, 2**bits - 1)``."""
    return np.clip(np.rint(values / scale) + zero, 0, (1 << bits) - 1).astype(np.int64)


def folded_dot(x: np.ndarray, zero_x: int, w: np.ndarray, zero_w: int) -> int:
    """``sum((x - zero_x) * (w - zero_w))`` from the raw codes and their sums, as hardware forms it."""
    x, w = x.astype(np.int64), w.astype(np.int64)
    return int(x @ w - zero_w * x.sum() - zero_x * w.sum() + len(x) * zero_x * zero_w)
