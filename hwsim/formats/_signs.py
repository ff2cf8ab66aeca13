"""Codebooks of signs, and the codes of weights in them."""

import numpy as np

from hwsim.codebook import Codebook

SIGNS = Codebook.of(np.array([-1, 1]), 1)
TERNARY = Codebook.of(np.array([0, 1, -1]), 2)


def sign_codes(values: np.ndarray) -> np.ndarray:
    """uint8: 1 for +1, 0 for -1, with sign(0) = +1."""
    return (values >= 0).astype(np.uint8)


def ternary_codes(values: np.ndarray) -> np.ndarray:
    """uint8 codes in `TERNARY` of -1, 0 and +1."""
    return np.where(values < 0, 2, values).astype(np.uint8)
