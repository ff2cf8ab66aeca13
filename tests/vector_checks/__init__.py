"""Checks of the specification's vectors, one function per section."""

import numpy as np


def close(got: object, expected: object) -> None:
    """Equal to the six decimals that the vectors give."""
    np.testing.assert_allclose(
        np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64), rtol=0, atol=1.5e-6
    )
