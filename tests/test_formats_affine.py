"""Formats of whole numbers and those with outliers, against their definitions."""

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
from tests.format_variants import weights


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
