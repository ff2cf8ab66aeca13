from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.errors import NetworkError
from hwsim.requantization import Quantizer, dyadic, requantize

int32 = st.integers(-(1 << 31), (1 << 31) - 1)


def quantizer(bias=0, multiplier=1, shift=1, invert=False, low=-128, high=127, threshold=False):
    return Quantizer(
        bias=np.array([bias], np.int32), multiplier=np.array([multiplier], np.int32), shift=np.array([shift], np.uint8),
        invert=np.array([invert]), low=low, high=high, threshold=threshold,
    )  # fmt: skip


@given(
    acc=int32, bias=int32, multiplier=st.integers(1, (1 << 31) - 1), shift=st.integers(1, 62), saturate=st.booleans()
)
def test_requantize_is_the_stated_integer_formula(acc, bias, multiplier, shift, saturate):
    wrapped = (acc + bias + (1 << 31)) % (1 << 32) - (1 << 31)
    total = min(max(acc + bias, -(1 << 31)), (1 << 31) - 1) if saturate else wrapped
    expected = min(max((total * multiplier + (1 << (shift - 1))) >> shift, -128), 127)
    mode = "saturate" if saturate else "wrap"
    assert requantize(np.array([[acc]]), quantizer(bias, multiplier, shift), mode) == expected


@pytest.mark.parametrize(("acc", "expected"), [(1, 1), (-1, 0), (3, 2), (-3, -1), (2, 1), (-2, -1)])
def test_ties_go_toward_plus_infinity(acc, expected):
    assert requantize(np.array([[acc]]), quantizer(multiplier=1, shift=1)) == expected


@given(acc=int32, bias=st.integers(-1000, 1000), invert=st.booleans())
def test_threshold_gives_high_at_and_above_zero_unless_inverted(acc, bias, invert):
    total = (acc + bias + (1 << 31)) % (1 << 32) - (1 << 31)
    expected = 1 if (total >= 0) != invert else -1
    q = quantizer(bias, invert=invert, low=-1, high=1, threshold=True)
    assert requantize(np.array([[acc]]), q) == expected


@given(acc=int32)
def test_identity_passes_every_sum(acc):
    assert requantize(np.array([[acc]]), Quantizer.identity(1)) == acc


@given(ratio=st.floats(2.0**-30, 2.0**29))
def test_dyadic_is_within_half_a_unit_of_31_bits(ratio):
    multiplier, shift = dyadic(np.array([ratio]))
    assert 1 <= multiplier[0] < 1 << 31
    assert 1 <= shift[0] <= 62
    error = abs(Fraction(int(multiplier[0]), 1 << int(shift[0])) / Fraction(ratio) - 1)
    assert error <= Fraction(1, 1 << 31)


def test_dyadic_renormalises_where_the_mantissa_rounds_up_to_one():
    multiplier, shift = dyadic(np.array([1 - 2.0**-40]))
    assert (int(multiplier[0]), int(shift[0])) == (1 << 30, 30)


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.nan, np.inf, 2.0**30])
def test_dyadic_refuses_ratios_it_cannot_hold(ratio):
    with pytest.raises(NetworkError, match="requantization ratios"):
        dyadic(np.array([ratio]))


def test_quantizer_constants_are_checked():
    with pytest.raises(NetworkError, match="shift"):
        quantizer(shift=0)
    with pytest.raises(NetworkError, match="multiplier"):
        quantizer(multiplier=0)
    with pytest.raises(NetworkError, match="bounds"):
        quantizer(low=5, high=4)
