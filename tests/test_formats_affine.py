"""Laws of the formats of whole numbers and of those with outliers."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim import formats
from hwsim.codebook import Codebook
from hwsim.errors import FormatError
from hwsim.formats import double_rounding, olive

NEAREST = [
    ("int2", {}),
    ("int3", {"scale_kind": "fp16"}),
    ("int4", {"group_size": 5}),
    ("int5", {"group_size": 7, "pad": True}),
    ("int8", {"per": "tensor"}),
    ("int4", {"symmetric": False}),
    ("int6", {"symmetric": False, "per": "tensor", "scale_kind": "fp16"}),
    ("int8", {"symmetric": False, "group_size": 5}),
    ("decoupleq", {"group_size": 5}),
    ("decoupleq", {"group_size": None, "bits": 4, "iterations": 0}),
    ("double_rounding", {}),
    ("squeezellm", {"bits": 2}),
    ("squeezellm", {"entry_kind": "fp32"}),
    ("range_aware", {"group_size": 5, "outliers": 0.0}),
]
OTHERS = [
    ("double_rounding", {"bits": 6}),
    ("double_rounding", {"bits": 4, "scale_kind": "fp16"}),
    ("double_rounding", {"bits": 2}),
    ("olive", {}),
    ("olive", {"normal": "flint4", "group_size": 10}),
    ("squeezellm", {"outliers": 0.1}),
    ("range_aware", {"group_size": 5, "outliers": 0.1}),
]
weights = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=3).map(lambda s: (s[0], s[1] * 10)),
    elements=st.floats(-1e4, 1e4, width=16),
)


def refused(action):
    """The message of the FormatError that ``action`` raises, or nothing."""
    try:
        action()
    except FormatError as error:
        return str(error)
    return ""


def grid(q):
    """float64[N, K, E]: every value that each code of ``q`` could stand for."""
    tables = q.codebook.values[q.spread(q.select) if q.select is not None else np.zeros((q.n, q.k), int)]
    if q.format.startswith("int") and q.zero_point is None:
        tables = np.where(tables < -tables.max(axis=2, keepdims=True), 0, tables)
    if q.zero_point is not None:
        tables = tables - q.spread(q.zero_point)[:, :, None]
    values = tables * q.spread(q.scale).astype(np.float64)[:, :, None]
    if q.offset is not None:
        values = values + q.spread(q.offset)[:, :, None]
    return values * q.channel_scale[:, None, None]


@pytest.mark.parametrize(("name", "params"), NEAREST)
@settings(max_examples=25)
@given(w=weights)
def test_every_weight_becomes_the_nearest_value_of_its_alphabet(name, params, w):
    q = hwsim.quantize(w, name, **params)
    values, decoded = grid(q), q.dequantize().astype(np.float64)
    size = np.abs(values).max(axis=2)
    off_grid = np.abs(values - decoded[:, :, None]).min(axis=2)
    assert (off_grid <= size * 2.0**-23 + 1e-45).all()
    nearest = np.abs(values - w.astype(np.float64)[:, :, None]).min(axis=2)
    assert (np.abs(decoded - w) <= nearest + size * 2.0**-22 + 1e-45).all()


@pytest.mark.parametrize(("name", "params"), NEAREST + OTHERS)
@settings(max_examples=25)
@given(w=weights)
def test_what_is_decoded_encodes_to_the_same_codes(name, params, w):
    q = hwsim.quantize(w, name, **params)
    assert (formats.encode(w, q).codes == q.codes).all()
    again = formats.encode(q.dequantize(), q)
    assert (again.codes == q.codes).all()
    assert (again.dequantize() == q.dequantize()).all()
    assert (formats.encode(q.dequantize().astype(np.float64), q).codes == q.codes).all()


@pytest.mark.parametrize(("name", "params"), NEAREST + OTHERS)
@settings(max_examples=25)
@given(w=weights)
def test_lowering_changes_values_by_no_more_than_it_records(name, params, w):
    q = hwsim.quantize(w, name, **params)
    refusal = refused(lambda: hwsim.lower(q))
    if refusal:
        too_wide = any(text in refusal for text in ("beyond 32 bits", "62 bits", "not exact in float64"))
        assert q.sparse is not None or too_wide
        return
    low = hwsim.lower(q)
    before, after = q.dequantize().astype(np.float64), low.dequantize().astype(np.float64)
    largest = np.maximum(np.abs(before).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    assert (np.abs(after - before) <= low.lowering_error * largest * (1 + 1e-9)).all()
    if q.scale.shape[1] == 1 and q.offset is None:
        assert low.lowering_error <= 2.0**-23


@pytest.mark.parametrize(("name", "params"), NEAREST + OTHERS)
@settings(max_examples=25)
@given(w=weights)
def test_stored_bits_are_counted_one_by_one(name, params, w):
    q = hwsim.quantize(w, name, **params)
    bits = np.full((q.n, q.k), q.code_bits)
    if name == "range_aware":
        bits = np.where(q.spread(q.select), 4, 2)
    kinds = {"fp32": 32, "fp16": 16, "int4": 4, "none": 0}
    total = int(bits.sum()) + kinds[q.scale_kind] * q.scale.size
    total += 0 if q.offset is None else kinds[q.offset_kind] * q.offset.size
    total += 0 if q.zero_point is None else q.code_bits * q.zero_point.size
    total += {
        "range_aware": q.groups * q.n + 16 * q.n,
        "squeezellm": q.codebook.entry_bits * q.codebook.values.size,
    }.get(name, 0)
    if q.sparse is not None:
        column = 16 if name == "range_aware" else 32
        total += q.sparse.index.size * (16 + column) + 32 * q.n
    assert q.storage_bits == total
    assert q.bits_per_weight * w.size == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "params", "bits"),
    [
        ("int8", {}, 8 + 16 / 4096),
        ("decoupleq", {}, 2.5),
        ("olive", {}, 4 + 16 / 4096),
        ("double_rounding", {}, 8 + 16 / 4096),
        ("squeezellm", {}, 3.26),
        ("squeezellm", {"outliers": 0.0}, 3.03125),
        ("squeezellm", {"bits": 4, "outliers": 0.0005}, 4.094),
        ("range_aware", {}, 2.85),
    ],
)
def test_bits_per_weight_at_typical_parameters(name, params, bits):
    chosen = formats.find(name)
    w = np.random.default_rng(0).normal(size=chosen.typical_shape)
    q = hwsim.quantize(w, name, **{**chosen.typical, **params})
    assert q.bits_per_weight == pytest.approx(bits, abs=0.006)


@pytest.mark.parametrize(("name", "params"), NEAREST + OTHERS)
@pytest.mark.parametrize("magnitude", [1e-30, 1e30])
def test_extreme_magnitudes_decode_to_finite_values_or_are_refused(name, params, magnitude):
    w = np.random.default_rng(0).normal(size=(3, 20)) * magnitude
    refusal = refused(lambda: hwsim.quantize(w, name, **params))
    if refusal:
        assert magnitude == 1e30
        assert "fp16" in refusal
        return
    q = hwsim.quantize(w, name, **params)
    assert np.isfinite(q.dequantize()).all()
    assert (formats.encode(q.dequantize(), q).codes == q.codes).all()


@pytest.mark.parametrize("name", ["int4", "int8", "decoupleq", "olive", "double_rounding"])
def test_weights_beyond_float32_are_refused(name):
    with pytest.raises(FormatError, match=r"beyond 2\*\*127"):
        hwsim.quantize(np.full((2, 64), 1e300), name)


@pytest.mark.parametrize(("name", "params"), NEAREST + OTHERS)
def test_zeros_strides_and_more_axes(name, params):
    w = np.random.default_rng(0).normal(size=(6, 4, 10)).astype(np.float32)
    assert (hwsim.quantize(w[::2, ::2], name, **params).hash
            == hwsim.quantize(np.ascontiguousarray(w[::2, ::2]), name, **params).hash)  # fmt: skip
    assert hwsim.quantize(w, name, **params).dequantize().shape == w.shape
    assert not hwsim.quantize(np.zeros((3, 20), np.float16), name, **params).dequantize().any()


@pytest.mark.parametrize("name", ["int4", "double_rounding", "squeezellm"])
def test_one_element(name):
    q = hwsim.quantize(np.array([[0.75]]), name)
    assert q.dequantize().item() == pytest.approx(0.75, rel=1e-6)


def test_ties_of_integers_go_to_even():
    q = hwsim.quantize(np.array([[7.0, 0.5, 1.5, -0.5, -2.5, -7]]), "int4")
    assert q.integers.tolist() == [[7, 0, 2, 0, -2, -7]]
    asymmetric = hwsim.quantize(np.array([[-5.0, 10.0, 0.5, 1.5, -0.5, -1.5]]), "int4", symmetric=False)
    assert asymmetric.dequantize().tolist() == [[-5, 10, 0, 2, 0, -2]]


def test_zero_is_exact_with_a_zero_point_and_lowers_to_an_offset():
    w = np.random.default_rng(0).normal(size=(4, 30)) + 1
    w[:, 0] = 0
    q = hwsim.quantize(w, "int8", symmetric=False)
    low = hwsim.lower(q)
    assert not q.dequantize()[:, 0].any()
    assert low.lowering_error == 0
    assert (low.offset == -q.zero_point.astype(np.int32)).all()
    assert (low.dequantize() == q.dequantize()).all()
    assert [part.dequantize().tolist() for part in q.split(2)] == [
        q.dequantize()[:2].tolist(),
        q.dequantize()[2:].tolist(),
    ]


def test_decoupleq_ties_go_up_and_fitting_never_hurts():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(8, 128))
    start = hwsim.quantize(w, "decoupleq", iterations=0)
    fitted = hwsim.quantize(w, "decoupleq")
    assert ((fitted.dequantize() - w) ** 2).sum() < 0.8 * ((start.dequantize() - w) ** 2).sum()
    unit = dataclasses.replace(start, scale=np.ones_like(start.scale), offset=np.zeros_like(start.offset))
    tied = formats.encode(np.tile([-0.5, 0.5, -1.5, -2.5], (8, 32)), unit)
    assert tied.integers[0, :4].tolist() == [0, 1, -1, -2]
    importance = np.where(np.arange(128) % 2, 100.0, 1.0)
    weighted = hwsim.quantize(w, "decoupleq", importance=importance)
    assert (importance * (weighted.dequantize() - w) ** 2).sum() < (importance * (fitted.dequantize() - w) ** 2).sum()


@pytest.mark.parametrize("bits", [6, 4, 2])
def test_every_view_of_double_rounding_is_a_rounding_shift(bits):
    stored = np.arange(-128, 128)
    drop = 8 - bits
    expected = np.clip(np.floor(stored / 2**drop + 0.5), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert (double_rounding.nested_codes(stored, bits) == expected).all()
    assert (double_rounding.nested_codes(stored, bits, truncate=True) == stored // 2**drop).all()
    w = np.random.default_rng(0).normal(size=(3, 40))
    assert double_rounding.view(hwsim.quantize(w, "double_rounding"), bits).hash == hwsim.quantize(
        w, "double_rounding", bits=bits).hash  # fmt: skip


@pytest.mark.parametrize("normal", ["int4", "flint4"])
@settings(max_examples=25)
@given(w=weights)
def test_olive_is_the_nearest_of_both_alphabets_except_for_victims(normal, w):
    q = hwsim.quantize(w, "olive", normal=normal)
    magnitudes = np.concatenate([olive.NORMAL[normal], olive.OUTLIER[normal]])
    union = np.unique(np.concatenate([magnitudes, -magnitudes]))
    scale = q.scale.astype(np.float64)
    real = w.astype(np.float64) / scale
    nearest = union[len(union) - 1 - np.abs(union - real[:, :, None])[:, :, ::-1].argmin(axis=2)]
    outlier = (np.abs(nearest) > olive.NORMAL[normal].max()).reshape(q.n, -1, 2)
    expected = nearest.reshape(outlier.shape)
    expected[:, :, 1][outlier[:, :, 0]] = 0
    expected[:, :, 0][outlier[:, :, 1] & ~outlier[:, :, 0]] = 0
    assert (q.dequantize() == (expected.reshape(w.shape) * scale).astype(np.float32)).all()
    assert ((q.codes == olive.VICTIM).reshape(outlier.shape).any(axis=2) == outlier.any(axis=2)).all()


@given(w=hnp.arrays(np.float32, (3, 12), elements=st.integers(-2, 2).map(float)))
def test_few_different_values_are_clustered_exactly(w):
    assert (hwsim.quantize(w, "squeezellm").dequantize() == w).all()


def test_k_means_ends_where_no_centroid_moves():
    w = np.random.default_rng(0).standard_t(4, size=(4, 500))
    sensitivity = np.random.default_rng(1).random((4, 500)) + 0.1
    q = hwsim.quantize(w, "squeezellm", sensitivity=sensitivity, entry_kind="fp32", iterations=1000)
    for row, codes, weight, table in zip(w, q.codes, sensitivity, q.codebook.values, strict=True):
        for code, centroid in enumerate(table):
            mine = codes == code
            assert np.average(row[mine], weights=weight[mine]) == pytest.approx(centroid, rel=1e-6)


def test_outliers_are_the_largest_and_the_most_sensitive():
    w = np.random.default_rng(0).standard_t(4, size=(8, 100))
    sensitivity = np.random.default_rng(1).random((8, 100))
    q = hwsim.quantize(w, "squeezellm", outliers=0.01, sensitive=0.005, sensitivity=sensitivity)
    expected = set(np.argsort(-np.abs(w).ravel())[:8]) | set(np.argsort(-sensitivity.ravel())[:4])
    assert set(q.sparse.index.tolist()) == expected
    at = q.sparse.index
    np.testing.assert_allclose(q.dequantize().ravel()[at], w.ravel()[at], rtol=2e-3)
    wide = hwsim.quantize(w, "range_aware", group_size=20, outliers=0.01)
    assert (wide.dequantize().ravel()[wide.sparse.index] == wide.sparse.value).all()
    dense = np.where(np.isin(np.arange(w.size), wide.sparse.index), 0, w.ravel()).reshape(8, 5, 20)
    spans = dense.max(axis=2) - dense.min(axis=2)
    assert spans[wide.select == 1].min() >= spans[wide.select == 0].max()
    assert (wide.select == 1).sum() == 10


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("int4", {"per": "row"}, "per must be one of channel, tensor, not 'row'"),
        ("int4", {"per": "tensor", "group_size": 4}, "exclude each other"),
        ("int4", {"symmetric": 1}, "symmetric must be one of"),
        ("int4", {"scale_kind": "fp8"}, "scale_kind"),
        ("decoupleq", {"bits": 1}, "bits must be one of"),
        ("decoupleq", {"group_size": 3}, "does not divide"),
        ("decoupleq", {"iterations": -1}, "iterations must be"),
        ("decoupleq", {"group_size": 4, "importance": np.ones(3)}, "importance must be 8 positive"),
        ("decoupleq", {"group_size": 4, "importance": np.zeros(8)}, "importance must be 8 positive"),
        ("double_rounding", {"bits": 5}, "bits must be one of 8, 6, 4, 2, not 5"),
        ("olive", {"normal": "fp4"}, "normal must be one of int4, flint4"),
        ("olive", {"group_size": 1}, "cuts a pair"),
        ("olive", {"sigmas": 0}, "sigmas must be a positive"),
        ("squeezellm", {"bits": 9}, "bits must be one of"),
        ("squeezellm", {"outliers": 1.5}, "outliers must be a number in 0..1"),
        ("squeezellm", {"outliers": True}, "outliers must be a number in 0..1"),
        ("squeezellm", {"sensitive": 0.5}, "need a sensitivity"),
        ("squeezellm", {"sensitivity": np.ones(3)}, "sensitivity must be of shape"),
        ("squeezellm", {"entry_kind": "bf16"}, "entry_kind must be one of"),
        ("range_aware", {"group_size": 4, "wide": -1}, "wide must be a number in 0..1"),
        ("range_aware", {"group_size": 3}, "does not divide"),
    ],
)
def test_bad_parameters_are_named(name, params, message):
    with pytest.raises(FormatError, match=message):
        hwsim.quantize(np.ones((2, 8)), name, **params)


@pytest.mark.parametrize(("name", "params"), NEAREST + OTHERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(name, params, bad):
    with pytest.raises(FormatError, match="NaN or infinity"):
        hwsim.quantize(np.full((2, 20), bad), name, **params)


def test_rows_that_make_no_pairs_are_refused():
    with pytest.raises(FormatError, match="rows of 3 weights do not divide into pairs"):
        hwsim.quantize(np.ones((2, 3)), "olive")


def test_a_zero_point_must_fit_its_codes():
    q = hwsim.quantize(np.array([[-1.0, 3.0]]), "int4", symmetric=False)
    for bad in (np.full((1, 1), 16, np.uint16), np.zeros((1, 1), np.int32)):
        with pytest.raises(FormatError, match="zero_point is not uint16"):
            dataclasses.replace(q, zero_point=bad)
    with pytest.raises(FormatError, match="zero_point has shape"):
        dataclasses.replace(q, zero_point=np.zeros((3, 1), np.uint16))
    with pytest.raises(FormatError, match="not exact in float64"):
        Codebook(bits=1, mantissas=np.array([[-(2**63), 0]]), exponents=np.zeros((1, 2), np.int16))
