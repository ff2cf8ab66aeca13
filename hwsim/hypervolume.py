"""How much of the space of objectives a set of points beats."""

import numpy as np

from hwsim.errors import MissingExtraError


def hypervolume(values: np.ndarray, worst: np.ndarray) -> float:
    """Volume between ``worst`` [D] and float64[P, D] ``values``, smaller being better; exact (moocore)."""
    try:
        import moocore
    except ImportError:
        raise MissingExtraError("the hypervolume", "search") from None
    if not len(values):
        return 0.0
    if values.shape[1] == 1:
        return float(max(worst[0] - values.min(), 0.0))
    return float(moocore.hypervolume(values, ref=worst))
