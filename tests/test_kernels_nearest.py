"""Thresholds that replace a division."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.kernels.nearest import reach

limits = st.integers(-64, 64).map(lambda i: i / 4) | st.floats(2.0**-20, 2.0**20) | st.floats(-(2.0**20), -(2.0**-20))
factors = (
    st.floats(2.0**-126, 2.0**100) | st.floats(2.0**-126, 2.0**100, width=32) | st.integers(-100, 100).map(np.exp2)
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(limit=limits, factor=factors)
def test_a_threshold_is_the_largest_number_whose_quotient_does_not_exceed_the_limit(dtype, limit, factor):
    t = dtype(reach(limit, float(factor), np.zeros(1, dtype)))
    assert np.float64(t) / factor <= limit
    assert limit == 0 or np.float64(np.nextafter(t, dtype(np.inf))) / factor > limit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_at_zero_and_of_a_scale_without_end(dtype):
    like = np.zeros(1, dtype)
    assert reach(0.0, 3e20, like) == 0
    assert reach(float(np.nextafter(0, -1)), 3e20, like) == np.nextafter(dtype(0), dtype(-1))
    assert reach(0.5, np.inf, like) == np.inf
    assert reach(-0.5, np.inf, like) == -np.inf
