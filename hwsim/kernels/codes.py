"""Which codes occur."""

import numpy as np

from hwsim.kernels._jit import jit


@jit()
def seen(codes: np.ndarray, present: np.ndarray) -> None:
    """Sets ``present[c]`` for every c of ``codes``."""
    for code in codes:
        present[code] = True
