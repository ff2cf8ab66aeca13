"""The sign, ternary and complex formats, against their definitions."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim.errors import FormatError
from hwsim.formats import binarymos, encode, ifairy, quantize
from hwsim.packing import pack_mask, pack_trits, unpack_mask, unpack_trits
from tests import naive_signs as naive
from tests.format_variants import eighths, few_weights, shapes


@pytest.mark.parametrize("name", ["bitstack", "ifairy"])
def test_formats_that_are_no_integers_on_a_scale_cannot_be_lowered(name):
    w = np.ones((2, 4)) * (1j if name == "ifairy" else 1)
    with pytest.raises(FormatError, match="cannot be lowered"):
        hwsim.lower(quantize(w, name))


@given(w=eighths)
def test_signs_and_scales_are_those_of_the_definitions(w):
    rows = w.tolist()
    for scale, row, expected in zip(quantize(w, "binary").scale[:, 0], quantize(w, "binary").dequantize(), rows,
                                    strict=True):  # fmt: skip
        signs, mean = naive.binary(expected)
        assert (row / scale).tolist() == signs
        assert scale == np.float32(max(mean, 2.0**-126))
    assert quantize(w, "plum").dequantize().tolist() == naive.plum(rows)
    for p in (1, 2, 4):
        q = quantize(w, "tbn", p=p)
        flat = w.reshape(-1).tolist()
        assert np.where(q.codes.reshape(-1), 1, -1).tolist() == naive.tile(flat, p)
        size = len(flat) // p
        means = [naive.mean([abs(x) for x in flat[i * size : (i + 1) * size]]) for i in range(p)]
        assert q.scale[0] == pytest.approx(means, rel=1e-6, abs=1e-30)
        values = np.repeat(q.scale[0], size) * np.tile(naive.tile(flat, p), p)
        assert (q.dequantize().reshape(-1) == values.astype(np.float32)).all()


@given(w=few_weights)
def test_adabin_takes_the_nearer_of_its_two_values(w):
    q = quantize(w, "adabin")
    values = (q.offset + q.scale * np.array([-1, 1]))[:, None].astype(np.float64)
    chosen = np.abs(q.dequantize().astype(np.float64) - w)
    nearest = np.abs(values - w[..., None]).min(axis=2)
    assert (chosen <= nearest + 1e-6 * np.abs(w).max(axis=1, keepdims=True)).all()
    exact = w.astype(np.float64)
    assert q.offset[:, 0] == pytest.approx(exact.mean(axis=1), rel=1e-5, abs=1e-30)
    assert q.scale[:, 0] == pytest.approx(exact.std(axis=1), rel=1e-5, abs=1e-30)


@given(w=eighths)
def test_ternary_codes_round_ties_to_even_and_take_the_lower_median(w):
    flat = w.reshape(-1).tolist()
    magnitudes = [abs(x) for x in flat]
    mean, median = naive.mean(magnitudes), max(naive.lower_median(magnitudes), 1e-5)
    for measure, gamma, divisor in (("mean", mean, mean + 1e-5), ("median", median, median)):
        q = quantize(w, "bitnet158", measure=measure)
        assert q.integers.reshape(-1).tolist() == naive.ternary(flat, divisor)
        assert q.scale[0, 0] == np.float32(max(gamma, 2.0**-126))


def test_half_of_gamma_is_zero():
    like = quantize(np.array([[1.0, -1.0, 1.0, 1.0]]), "bitnet158")
    assert encode(np.array([[0.5, -0.5, 0.75, -1.5]]), like).integers.tolist() == [[0, 0, 1, -1]]


@given(x=hnp.arrays(np.float64, (3, 5), elements=st.floats(-1e4, 1e4)))
def test_activations_fill_int8_token_by_token(x):
    from hwsim.formats.bitnet158 import quantize_activations

    codes, scale = quantize_activations(x)
    assert codes.dtype == np.int8
    assert (np.abs(codes * scale - x) <= scale / 2 * (1 + 1e-9)).all()
    used = np.abs(x).max(axis=1) > 1e-4
    assert (np.abs(codes).max(axis=1)[used] == 127).all()


@given(w=eighths, threshold=st.sampled_from([0.0, 0.125, 2.0]))
def test_links_keep_their_sign(w, threshold):
    q = quantize(w, "one_bit", threshold=threshold)
    links = [abs(x) for x in w.reshape(-1).tolist() if abs(x) > threshold]
    assert q.integers.tolist() == [[naive.sign(x) if abs(x) > threshold else 0 for x in row] for row in w.tolist()]
    assert q.scale[0, 0] == pytest.approx(naive.mean(links) if links else 0, rel=1e-6, abs=1e-30)
    assert (unpack_mask(pack_mask(q.codes), q.codes.size) == q.codes.reshape(-1)).all()


@given(w=hnp.arrays(np.complex128, shapes, elements=st.complex_numbers(max_magnitude=100)))
def test_powers_of_i_follow_the_phase(w):
    q = quantize(w, "ifairy")
    assert q.codes.tolist() == [[naive.phase(z) for z in row] for row in w.tolist()]
    for axis, scale, part in ((0, q.scale, w.real), (1, q.imaginary_scale, w.imag)):
        chosen = np.abs(part[q.codes % 2 == axis]).tolist()
        assert scale[0, 0] == pytest.approx(max(naive.mean(chosen), 1e-5) if chosen else 1e-5, rel=1e-6)
    assert (encode(q.dequantize(), q).codes == q.codes).all()
    assert q.storage_bits == 2 * w.size + 64
    x = np.arange(w.shape[1]) - 1j
    first, second = ifairy.multiply(x, q)
    y = q.scale[0, 0] * first + q.imaginary_scale[0, 0] * second
    assert np.allclose(y, q.dequantize().astype(np.complex128) @ np.conj(x), rtol=1e-5, atol=1e-4)


def test_token_scales_mix_experts():
    rng = np.random.default_rng(2)
    w, x = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    q = quantize(w, "binarymos", experts=3, router=rng.normal(size=(3, 5)))
    assert np.abs(np.linalg.norm(np.abs(w) - np.outer(q.token.s_out[0], q.token.s_in[0]))
                  - np.linalg.svd(np.abs(w))[1][1:].dot(np.linalg.svd(np.abs(w))[1][1:]) ** 0.5) < 1e-3  # fmt: skip
    tables = {name: rng.normal(size=getattr(q.token, name).shape).astype(np.float32) for name in ("s_in", "s_out")}
    q = dataclasses.replace(q, token=dataclasses.replace(q.token, **tables))
    for token, got in zip(x, binarymos.multiply(x, q), strict=True):
        powers = [np.exp(sum(r * t for r, t in zip(row, token, strict=True))) for row in q.token.router.tolist()]
        gates = [power / sum(powers) for power in powers]
        s_in = sum(g * row.astype(np.float64) for g, row in zip(gates, q.token.s_in, strict=True))
        s_out = sum(g * row.astype(np.float64) for g, row in zip(gates, q.token.s_out, strict=True))
        expected = [sum(naive.sign(a) * b * c for a, b, c in zip(row, token, s_in, strict=True)) for row in w]
        assert got == pytest.approx(np.array(expected) * s_out)
    single = quantize(w, "binarymos", experts=1)
    assert single.token.router.shape == (0, 5)
    assert binarymos.gates(single.token, x).tolist() == [[1.0]] * 4


def test_layers_below_the_least_size_are_not_tiled():
    q = quantize(np.ones((2, 4)), "tbn", p=4, min_size=9)
    assert q.tile == 1
    assert q.storage_bits == 8 + 32


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("binary", {"scale": "max"}, "'mean' or 'one'"),
        ("binary", {"scale_kind": "fp8"}, "scale_kind must be one of"),
        ("adabin", {"scale_kind": "int8"}, "scale_kind must be one of"),
        ("plum", {"delta": 2}, "delta must be a number in 0 .. 1"),
        ("plum", {"delta": "x"}, "delta must be a number"),
        ("tbn", {"p": 3}, "does not divide 8 weights"),
        ("tbn", {"p": 0}, "p must be a whole number"),
        ("tbn", {"p": 2.0}, "p must be a whole number"),
        ("tbn", {"p": True}, "p must be a whole number"),
        ("tbn", {"alpha": "both"}, "alpha must be one of"),
        ("binarymos", {"experts": 0}, "experts must be a whole number"),
        ("binarymos", {"router": np.zeros((4, 3))}, "router of shape"),
        ("binarymos", {"router": np.full((4, 4), np.nan)}, "finite"),
        ("bitnet158", {"measure": "max"}, "'mean' or 'median'"),
        ("bitnet158", {"transport": "rans"}, "transport must be one of"),
        ("fdb", {}, "group_size 64 does not divide"),
        ("fdb", {"group_size": 3}, "does not divide rows of 4"),
        ("bcq", {"bits": 5}, "bits must be a whole number in 1 .. 4"),
        ("bcq", {"rounds": -1}, "rounds must be a whole number"),
        ("bcq_uniform", {"bits": 0}, "bits must be a whole number"),
        ("bitstack", {"iterations": 17}, "iterations must be a whole number in 1 .. 16"),
        ("bitstack", {"rank": 0}, "rank must be a whole number"),
        ("bitstack", {"envelope_kind": "bf16"}, "scale_kind must be one of"),
        ("abq", {"bits": 9}, "bits must be a whole number"),
        ("abq", {"bits": 3, "balanced": True}, "balanced must be"),
        ("abq", {"balanced": 1}, "balanced must be"),
        ("one_bit", {"threshold": -1.0}, "threshold must be a number"),
        ("one_bit", {"threshold": np.nan}, "threshold must be a number"),
    ],
)
def test_bad_parameters_are_refused_by_name(name, params, message):
    with pytest.raises(FormatError, match=message):
        quantize(np.ones((2, 4)), name, **params)


@given(values=st.lists(st.integers(-1, 1), max_size=23))
def test_trits_pack_five_to_a_byte(values):
    codes = np.array([value % 3 for value in values], np.uint8)
    packed = pack_trits(codes)
    assert packed.tolist() == naive.trits(values)
    assert (unpack_trits(packed, len(values)) == codes).all()


def test_bytes_that_no_packing_makes_are_refused():
    for packed, count in ((np.array([243], np.uint8), 5), (np.array([242], np.uint8), 4), (np.zeros(2, np.uint8), 5)):
        with pytest.raises(FormatError, match=r"trits are|five trits"):
            unpack_trits(packed, count)
    for packed, count in ((np.array([255], np.uint8), 5), (np.array([4], np.uint8), 1), (np.zeros(2, np.uint8), 3)):
        with pytest.raises(FormatError, match="do not hold the signs"):
            unpack_mask(packed, count)


def test_transports_of_ternary_codes_are_for_ternary_codes():
    q = quantize(np.ones((2, 4)), "binary")
    with pytest.raises(FormatError, match="ternary codes only"):
        dataclasses.replace(q, transport="trits")
