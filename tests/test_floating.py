"""L-Mul and correctly rounded multiplication: products of all pairs, sums in their order, what is refused."""

import itertools
import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import FpMac, LMul, digits, lower, quantize
from hwsim.errors import DesignError, FormatError
from hwsim.kernels.lmul import MATMULS
from hwsim.lmul import correction, dot_product_error, equation_matmul, fold_gain, operator_error, paper_shift
from hwsim.requantization import requantize
from tests import naive_floating as naive

SMALL = ("e2m1", "e3m2", "e2m3", "e1m2", "e3m0", "e4m1")
BYTES = {"e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
FORMATS = (*SMALL, *BYTES, "bf16", "fp16", "e4m2", "e6m5")


def numbers(kind) -> np.ndarray:
    """Every code that is a number."""
    codes = np.arange(1 << kind.bits)
    return codes[(codes & (kind.sign_bit - 1)) <= kind.max_code]


def drawn(rng, kind, size) -> np.ndarray:
    codes = numbers(kind)
    return codes[rng.integers(0, len(codes), size)].astype(np.uint8 if kind.bits <= 8 else np.uint16)


def near_one(rng, kind, size) -> np.ndarray:
    """Codes whose sums stay within float32."""
    return kind.encode(rng.standard_normal(size) * 4, signed_zero=False)


@pytest.mark.parametrize("name", [*SMALL, *BYTES, "e4m2"])
@pytest.mark.parametrize("how", ["paper", "best", "none"])
@pytest.mark.parametrize("division", [0, 3])
def test_lmul_adds_codes(name, how, division):
    datapath = LMul(format=name, correction=how)
    kind, codes = datapath.kind, numbers(datapath.kind)
    table = datapath.products(codes[:, None], codes[None, :], division)
    added = correction(kind.mantissa_bits, how)
    expected = [naive.lmul(kind, int(a), int(b), added, division) for a, b in itertools.product(codes, codes)]
    assert table.ravel().tolist() == expected


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("division", [0, 2])
def test_products_are_the_nearest_values(name, division):
    datapath = FpMac(format=name)
    codes = numbers(datapath.kind)
    table = datapath.products(codes[:, None], codes[None, :], division)
    expected = [naive.rounded(datapath.kind, int(a), int(b), division) for a, b in itertools.product(codes, codes)]
    assert table.ravel().tolist() == expected


TYPES = {**BYTES, "bf16": ml_dtypes.bfloat16, "fp16": np.float16}


@pytest.mark.parametrize("name", TYPES)
def test_products_round_like_the_types_of_other_libraries(name):
    datapath, rng = FpMac(format=name), np.random.default_rng(1)
    kind, size = datapath.kind, TYPES[name](0).dtype.itemsize
    codes = numbers(kind)
    pairs = (
        np.array(list(itertools.product(codes, codes)))
        if size == 1
        else codes[rng.integers(0, len(codes), (200_000, 2))]
    )
    a, b = pairs.T.astype(f"u{size}")
    x, y = (each.view(TYPES[name]).astype(np.float64) for each in (a, b))
    ours = kind.decode(datapath.products(a, b))
    exact = np.clip(x * y, -kind.max, kind.max)
    np.testing.assert_array_equal(ours, exact.astype(TYPES[name]).astype(np.float64))
    assert not np.signbit(ours[ours == 0]).any()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("datapath", [LMul, FpMac])
@pytest.mark.parametrize("lanes", [1, 3, 8, 32])
def test_float32_sums_in_the_stated_order(name, datapath, lanes):
    rng = np.random.default_rng(lanes)
    chosen = datapath(format=name, lanes=lanes)
    kind = chosen.kind
    for k, division in ((1, 0), (45, 0), (70, 2)):
        x, w = near_one(rng, kind, (3, k)), near_one(rng, kind, (5, k))
        products = kind.decode(chosen.products(x[:, None], w[None, :], division))
        expected = [[naive.float32_sum(column, lanes) for column in row] for row in products]
        np.testing.assert_array_equal(chosen.sums(x, w, division), np.array(expected, np.float32))


FIXED = [name for name in FORMATS if name not in ("bf16", "e6m5")]


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("datapath", [LMul, FpMac])
def test_fixed_point_sums_are_exact(name, datapath):
    rng = np.random.default_rng(2)
    chosen = datapath(format=name, accumulation="fixed", accumulator_bits=60)
    kind = chosen.kind
    for k in (1, 45, 700):
        x, w = drawn(rng, kind, (3, k)), drawn(rng, kind, (5, k))
        products = np.ldexp(kind.decode(chosen.products(x[:, None], w[None, :], 1)), -chosen.product_exponent)
        expected = products.astype(np.int64).sum(axis=-1)
        np.testing.assert_array_equal(chosen.sums(x, w, 1), expected)


@pytest.mark.parametrize("name", ["bf16", "fp16", "e5m2"])
def test_codes_of_any_magnitude(name):
    rng = np.random.default_rng(3)
    chosen = LMul(format=name, lanes=4)
    x, w = drawn(rng, chosen.kind, (64, 1)), drawn(rng, chosen.kind, (150, 1))
    expected = chosen.kind.decode(chosen.products(x[:, 0, None], w[None, :, 0]))
    np.testing.assert_array_equal(chosen.sums(x, w), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "low", "high", "product"),
    [
        ("bf16", 110, 130, "plain"), ("bf16", 95, 125, "flushed"), ("bf16", 40, 66, "flushed"),
        ("bf16", 10, 40, "narrow"), ("bf16", 60, 135, "narrow"), ("e5m2", 1, 18, "flushed"), ("e5m2", 1, 30, "narrow"),
        ("e4m3", 7, 9, "plain"), ("e4m3", 1, 8, "flushed"), ("e4m3", 1, 15, "narrow"), ("fp16", 1, 20, "flushed"),
        ("e6m5", 20, 33, "plain"), ("e6m5", 1, 40, "flushed"), ("e6m5", 1, 55, "narrow"),
    ],
)  # fmt: skip
def test_every_product_of_lmul_where_it_is_the_fastest(name, low, high, product):
    rng, chosen = np.random.default_rng(7), LMul(format=name, lanes=8)
    kind = chosen.kind
    lowest, highest = low << kind.mantissa_bits, min(((high + 1) << kind.mantissa_bits) - 1, kind.max_code)
    x, w = (rng.integers(lowest, highest + 1, (n, 43)) | rng.integers(0, 2, (n, 43)) * kind.sign_bit for n in (5, 20))
    for each in (x, w):
        each[rng.random(each.shape) < 0.2] &= ((1 << kind.mantissa_bits) - 1) | kind.sign_bit  # zeros and subnormals
        each[0, :2] = lowest, highest
    x, w = (each.astype(np.uint8 if kind.bits <= 8 else np.uint16) for each in (x, w))
    assert chosen.prepared(x, w, 0).matmuls is MATMULS[product]
    products = kind.decode(chosen.products(x[:, None], w[None, :]))
    expected = [[naive.float32_sum(column, 8) for column in row] for row in products]
    np.testing.assert_array_equal(chosen.sums(x, w), np.array(expected, np.float32))


@pytest.mark.parametrize("datapath", [LMul, FpMac])
@pytest.mark.parametrize(("name", "k"), [("e4m3", 30_000), ("e5m2", 5_000), ("fp16", 9_000), ("e2m1", 100)])
@pytest.mark.parametrize("largest", [1.5, 1e9])
def test_long_fixed_point_sums_of_large_products(datapath, name, k, largest):
    chosen = datapath(format=name, accumulation="fixed", accumulator_bits=62)
    code = chosen.kind.encode(np.array([[min(largest, chosen.kind.max)]]))
    product = int(np.ldexp(chosen.kind.decode(chosen.products(code, code)), -chosen.product_exponent)[0, 0])
    x, w = (np.repeat(np.repeat(code, k, axis=1), n, axis=0) for n in (3, 2))
    w[1, ::2] |= chosen.kind.sign_bit
    w[1, 0] = 0
    np.testing.assert_array_equal(chosen.sums(x, w), [[k * product, product]] * 3)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    m=st.integers(1, 20), n=st.integers(1, 140), k=st.integers(1, 90), lanes=st.integers(1, 40),
    name=st.sampled_from(FORMATS), seed=st.integers(0, 99),
)  # fmt: skip
def test_dot_products_of_any_length(m, n, k, lanes, name, seed):
    rng = np.random.default_rng(seed)
    chosen = LMul(format=name, lanes=lanes)
    x, w = near_one(rng, chosen.kind, (m, k)), near_one(rng, chosen.kind, (n, k))
    i, j = rng.integers(m), rng.integers(n)
    products = chosen.kind.decode(chosen.products(x[i], w[j]))
    assert chosen.sums(x, w)[i, j] == naive.float32_sum(products, lanes)


@pytest.mark.parametrize("name", FORMATS)
def test_zeros_and_products_too_small(name):
    chosen = LMul(format=name, lanes=4)
    tiny = np.array([[0, chosen.kind.sign_bit, 1, 1 << chosen.kind.mantissa_bits]], np.uint16)
    tiny = tiny.astype(np.uint8 if chosen.kind.bits <= 8 else np.uint16)
    for division in (0, 5):
        expected = chosen.kind.decode(chosen.products(tiny, tiny, division)).sum()
        assert chosen.sums(tiny, tiny, division) == expected
        assert chosen.sums(tiny[:, :2], tiny[:, :2], division) == 0


def test_offsets_of_the_paper_and_the_best():
    offsets = {name: LMul(format=name).offset() for name in ("e4m3", "e5m2", "fp16", "bf16")}
    assert offsets == {"e4m3": 55, "e5m2": 59, "fp16": 15296, "bf16": 16248}
    assert [correction(m, "best") for m in range(2, 8)] == [0, 0, 1, 2, 4, 7]
    assert [correction(m, "paper") for m in range(2, 8)] == [1, 1, 2, 2, 4, 8]


# The specification's table, in thousandths: mean, mean magnitude, rms, largest magnitude.
TABLE = {
    2: ((86, 111, 132, 250), (147, 147, 153, 250), (-36, 36, 52, 111), (-19, 36, 52, 111)),
    3: ((-10, 69, 81, 182), (49, 52, 60, 125), (-38, 38, 49, 111), (-5, 19, 25, 52)),
    4: ((-22, 69, 83, 201), (49, 51, 59, 125), (-38, 38, 49, 111), (-1, 11, 13, 30)),
    7: ((-63, 75, 95, 232), (4, 27, 31, 73), (-38, 38, 48, 111), (0, 1, 2, 4)),
    23: ((-64, 76, 96, 234), (4, 27, 31, 73), (-38, 38, 48, 111), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("mantissa_bits", TABLE)
def test_operator_errors_are_the_published_ones(mantissa_bits):
    measured = [tuple(errors.values()) for errors in operator_error(mantissa_bits).values()]
    np.testing.assert_allclose(np.array(measured) * 1000, TABLE[mantissa_bits], rtol=0, atol=0.51)


@pytest.mark.parametrize("name", ["e5m2", "e4m3", "e4m4", "bf16"])
def test_dot_product_errors_are_the_published_ones(name):
    published = {
        "e5m2": (0.167, 1.143, 0.076), "e4m3": (0.070, 1.047, 0.049), "e4m4": (0.062, 1.048, 0.037),
        "bf16": (0.033, 1.004, 0.032),
    }  # fmt: skip
    measured = tuple(dot_product_error(LMul(format=name)).values())
    np.testing.assert_allclose(measured, published[name], rtol=0, atol=0.008)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "bf16", "e3m2"])
def test_equation_sums_are_those_of_single_products(name):
    kind, rng = LMul(format=name).kind, np.random.default_rng(6)
    x, w = ((drawn if kind.bits <= 8 else near_one)(rng, kind, (n, 9)) for n in (3, 4))
    added = 2.0 ** -paper_shift(kind.mantissa_bits)

    def product(a: int, b: int) -> float:
        if any((each & (kind.sign_bit - 1)) >> kind.mantissa_bits == 0 for each in (a, b)):
            return 0.0
        (u, p), (v, q) = (math.frexp(float(kind.values[each])) for each in (a, b))
        return math.copysign(2 * abs(u) + 2 * abs(v) - 1 + added, u * v) * 2.0 ** (p + q - 2)

    expected = [[sum(product(int(a), int(b)) for a, b in zip(row, col, strict=True)) for col in w] for row in x]
    np.testing.assert_allclose(equation_matmul(kind, x, w), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("gain", [1.0, 1.05, 0.9])
def test_a_folded_gain_undoes_sums_that_are_too_large(gain):
    network = digits.load("cnn_fp8")
    folded = fold_gain(network, gain)
    for before, after in zip(network.matmuls(), folded.matmuls(), strict=True):
        q, r = before.operator.quantizer, after.operator.quantizer
        sums = np.arange(-40000, 40000, 997)[:, None] * np.ones(len(q.bias), np.int64)
        ours = requantize(np.rint(sums * gain).astype(np.int64), r)
        assert np.abs(ours - requantize(sums, q)).max() <= 1 if q.high < 1000 else True


def test_sums_beyond_float32_are_refused():
    datapath = LMul(format="bf16")
    huge = np.full((1, 4), datapath.kind.max_code, np.uint16)
    with pytest.raises(FormatError, match="beyond float32"):
        datapath.sums(huge, huge)


def test_codes_that_are_no_numbers_are_refused():
    datapath = LMul()
    with pytest.raises(FormatError, match="not a number"):
        datapath.sums(np.array([[0x7F]], np.uint8), np.array([[1]], np.uint8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "e9m9"}, "at most 16 bits"),
        ({"format": "int8"}, "no minifloat 'int8'"),
        ({"accumulation": "fixed", "format": "bf16"}, "use accumulation='float32'"),
        ({"accumulation": "fixed", "accumulator_bits": 12}, "use more"),
        ({"accumulator_bits": 40}, "use accumulation='fixed'"),
        ({"scale_bits": 8}, "use accumulation='fixed'"),
        ({"accumulation": "float16"}, "is not one of"),
    ],
)
@pytest.mark.parametrize("datapath", [LMul, FpMac])
def test_what_cannot_be_built(datapath, fields, message):
    with pytest.raises((DesignError, FormatError), match=message):
        datapath(**fields)


def test_weights_of_other_formats_are_refused():
    w = np.random.default_rng(0).standard_normal((4, 16))
    with pytest.raises(FormatError, match="quantize to e4m3"):
        LMul().supports(lower(quantize(w, "int8")))
    with pytest.raises(FormatError, match="lower it first"):
        LMul().supports(quantize(w, "fp8_e4m3"))
    with pytest.raises(FormatError, match="one scale per channel"):
        LMul().supports(lower(quantize(w, "fp8_e4m3", group_size=4)))
    with pytest.raises(FormatError, match="accumulator_bits"):
        LMul(accumulation="fixed", accumulator_bits=20).supports(lower(quantize(w, "fp8_e4m3")))


@pytest.mark.parametrize("name", ["fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1", "fp16"])
def test_lowered_weights_keep_their_codes(name):
    q = quantize(np.random.default_rng(0).standard_normal((4, 16)), name)
    np.testing.assert_array_equal(LMul(format=name.rpartition("_")[2]).codes(lower(q)), q.codes)


def test_lowered_bf16_weights_move_to_another_power_of_two():
    q = quantize(np.random.default_rng(0).standard_normal((4, 16)), "bf16")
    datapath = LMul(format="bf16")
    shift = np.unique(datapath.codes(lower(q)).astype(int) - q.codes)
    assert len(shift) == 1
    assert shift[0] % (1 << 7) == 0


@pytest.mark.parametrize("datapath", [LMul, FpMac])
def test_group_scales_multiply_group_sums(datapath):
    rng = np.random.default_rng(5)
    w = lower(quantize(rng.standard_normal((6, 20)), "fp8_e4m3", group_size=8, pad=True))
    chosen = datapath(accumulation="fixed", accumulator_bits=40, scale_bits=8)
    x = near_one(rng, chosen.kind, (3, 20))
    products = chosen.kind.decode(chosen.products(x[:, None], chosen.codes(w)[None], chosen.division(w)))
    expected = (np.ldexp(products, -chosen.product_exponent) * w.scale[:, w.group_index]).sum(axis=-1)
    np.testing.assert_array_equal(chosen.matmul(x, w), expected.astype(np.int64))
