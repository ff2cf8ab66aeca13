import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim.errors import FormatError
from hwsim.packing import pack, unpack


def test_one_group_per_channel_lowers_exactly():
    w = np.random.default_rng(0).normal(size=(6, 30))
    q = hwsim.quantize(w, "int8")
    assert hwsim.lower(q).lowering_error == 0
    assert (hwsim.lower(q).dequantize() == q.dequantize()).all()


def test_codes_are_twos_complement_bits():
    q = hwsim.quantize(np.array([[7.0, -7.0, 1.0, -1.0]]), "int4")
    assert q.codes.tolist() == [[7, 9, 1, 15]]
    assert q.integers.tolist() == [[7, -7, 1, -1]]


@pytest.mark.parametrize("bits", range(1, 17))
@given(data=st.data())
def test_packing_round_trips_lsb_first(bits, data):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=20))
    codes = data.draw(hnp.arrays(np.uint8 if bits <= 8 else np.uint16, shape, elements=st.integers(0, (1 << bits) - 1)))
    packed = pack(codes, bits)
    n, k = codes.shape
    assert packed.shape == (n, -(-k * bits // 8))
    assert (unpack(packed, bits, k) == codes).all()
    for row, stored in zip(codes.tolist(), packed, strict=True):
        number = sum(code << (i * bits) for i, code in enumerate(row))
        assert int.from_bytes(stored.tobytes(), "little") == number
    with pytest.raises(FormatError, match="are not"):
        unpack(packed[:, 1:], bits, k)


@pytest.mark.parametrize(
    ("w", "name", "params", "message"),
    [
        (np.ones((2, 3)), "int44", {}, "did you mean 'int4'"),
        (np.ones((2, 3)), "int4", {"groupsize": 1}, "no parameter 'groupsize'"),
        (np.ones((2, 3)), "int4", {"group_size": 2}, "does not divide rows of 3"),
        (np.ones((2, 3)), "int4", {"group_size": 0}, "not a positive whole number"),
        (np.array([[1.0, np.nan]]), "int8", {}, "NaN or infinity"),
        (np.array([[1.0, np.inf]]), "binary", {}, "NaN or infinity"),
        (np.ones((2, 3), dtype=np.int64), "int8", {}, "expected floating point"),
        (np.ones((0, 3)), "int8", {}, "no elements"),
    ],
)
def test_bad_input_is_refused_by_name(w, name, params, message):
    with pytest.raises(FormatError, match=message):
        hwsim.quantize(w, name, **params)


@pytest.mark.parametrize("size", [1e-45, 2.66e-43, 1e-40, 1e-38, 1e37])
def test_tiny_and_huge_weights_stay_within_half_a_step(size):
    w = np.array([[size, -size, size / 3, 0]], dtype=np.float32)
    for name in ("int2", "int4", "int8"):
        q = hwsim.quantize(w, name)
        assert (np.abs(q.dequantize().astype(np.float64) - w) <= q.scale.max() * 0.501).all()


def test_a_qtensor_cannot_be_inconsistent():
    q = hwsim.quantize(np.ones((2, 4)), "int4")
    fields = {name: getattr(q, name) for name in q.__dataclass_fields__}
    for change, message in (
        ({"codes": np.full((2, 4), 16, np.uint8)}, "outside the codebook"),
        ({"codes": np.zeros((2, 3), np.uint8)}, "expected uint8"),
        ({"scale": np.full((2, 1), np.nan, np.float32)}, "scale is not finite"),
        ({"scale": np.ones((2, 2), np.float32)}, "expected"),
        ({"channel_scale": np.zeros(2, np.float32)}, "finite and positive"),
        ({"group_size": 0}, "group_size 0"),
    ):
        with pytest.raises(FormatError, match=message):
            hwsim.QTensor(**(fields | change))
