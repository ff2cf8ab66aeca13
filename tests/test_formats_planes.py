"""The bit-plane formats, against their definitions."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.formats import encode, quantize
from hwsim.formats._low_rank import leading
from tests import naive_signs as naive
from tests.format_variants import eighths, few_weights, moderate


def bits_of(codes: np.ndarray, planes: int) -> list:
    return [(codes >> i & 1).tolist() for i in range(planes)]


@given(w=few_weights)
def test_fdb_bits_follow_the_rule_and_are_nearest(w):
    q = quantize(w, "fdb", group_size=None)
    trained = dataclasses.replace(q, plane_weights=q.plane_weights * np.float32([[[1.25]], [[0.75]]]))
    for tensor in (q, encode(w, trained)):
        first, second = tensor.plane_weights[:, :, 0].astype(np.float64)
        for i, row in enumerate(w.tolist()):
            pairs = [naive.fdb(x, first[i], second[i]) for x in row]
            assert bits_of(tensor.codes[i], 2) == [list(plane) for plane in zip(*pairs, strict=True)]
            grid = np.array([0, first[i], second[i], first[i] + second[i]])
            best = np.abs(grid - w[i].astype(np.float64)[:, None]).min(axis=1)
            chosen = np.abs(tensor.dequantize()[i].astype(np.float64) - w[i])
            assert (chosen <= best + 1e-6 * np.abs(grid).max()).all()


@given(w=eighths, bits=st.integers(1, 4))
def test_greedy_bcq_is_that_of_the_definition_and_its_values_are_stable(w, bits):
    q = quantize(w, "bcq", bits=bits, group_size=4, rounds=0)
    for i, row in enumerate(w.tolist()):
        for g in range(len(row) // 4):
            planes, scales = naive.greedy_bcq(row[4 * g : 4 * g + 4], bits)
            assert q.plane_weights[:, i, g] == pytest.approx(scales, rel=1e-6, abs=1e-12)
            value = np.array(scales) @ np.array(planes)
            assert q.dequantize()[i, 4 * g : 4 * g + 4] == pytest.approx(value, rel=1e-6, abs=1e-6)
    again = encode(q.dequantize(), q)
    assert (again.dequantize() == q.dequantize()).all()


@given(w=moderate, bits=st.integers(1, 4))
def test_refined_bcq_takes_the_nearest_level_and_is_no_worse_than_greedy(w, bits):
    q = quantize(w, "bcq", bits=bits, group_size=None)
    for i, row in enumerate(w.astype(np.float64)):
        grid = np.array(naive.levels(q.plane_weights[:, i, 0].astype(np.float64).tolist()))
        best = np.abs(grid - row[:, None]).min(axis=1)
        assert (np.abs(q.dequantize()[i] - row) <= best + 1e-6 * np.abs(grid).max()).all()
    greedy = quantize(w, "bcq", bits=bits, group_size=None, rounds=0)
    error, before = (np.linalg.norm(w - each.dequantize().astype(np.float64)) for each in (q, greedy))
    assert error <= before * (1 + 1e-6) + 1e-5


def test_alternation_finds_what_greedy_misses():
    w = np.random.default_rng(0).normal(size=(32, 128))
    errors = [np.linalg.norm(w - quantize(w, "bcq", bits=3, rounds=rounds).dequantize()) for rounds in (0, 1, 15)]
    assert errors[2] < errors[1] < errors[0]


@given(w=few_weights, bits=st.integers(1, 4))
def test_uniform_bcq_is_the_affine_grid(w, bits):
    q = quantize(w, "bcq_uniform", bits=bits, group_size=4)
    scale = 2.0 * q.plane_weights[:1].astype(np.float64)
    zero = np.rint(((1 << bits) - 1) / 2 - q.offset / scale[0])
    affine = q.spread(scale[0]) * (q.codes - q.spread(zero))
    assert np.allclose(q.dequantize(), affine, rtol=1e-6, atol=1e-6 * scale.max())
    signs = 2.0 * (np.arange(1 << bits) >> np.arange(bits)[:, None] & 1) - 1
    planes, offset = q.plane_weights.astype(np.float64), q.offset.astype(np.float64)
    levels = np.einsum("png,pc->ngc", planes, signs) + offset[..., None]
    distance = np.abs(w[..., None] - levels[:, np.arange(w.shape[1]) // 4])
    chosen = np.take_along_axis(distance, q.codes[..., None].astype(np.int64), axis=2)[..., 0]
    assert (chosen <= distance.min(axis=2) + 1e-12 * q.spread(scale[0])).all()


def test_uniform_bcq_takes_the_nearest_value_where_the_offset_is_rounded():
    q = quantize(np.array([[0, 0.25, 1.5]]), "bcq_uniform", bits=4, scale_kind="fp16", group_size=None)
    levels = q.offset.item() + q.plane_weights.ravel() @ (2.0 * (np.arange(16) >> np.arange(4)[:, None] & 1) - 1)
    assert q.codes.tolist() == [np.abs(levels - np.array([[0], [0.25], [1.5]])).argmin(axis=1).tolist()]
    assert q.codes[0, 1] == 2  # half-way by the exact scale of 0.1, which would give 2.5


@given(w=few_weights, bits=st.integers(1, 4), balanced=st.booleans())
def test_abq_codes_are_those_of_the_definition(w, bits, balanced):
    balanced = balanced and bits < 3
    q = quantize(w, "abq", bits=bits, balanced=balanced)
    levels = (1 << bits) - 1 + balanced
    step = q.spread(q.scale).astype(np.float64)
    assert q.integers.max() <= levels
    assert (np.abs(w - q.dequantize()) <= step * 1.0001).all()
    for i, row in enumerate(w.astype(np.float64).tolist()):
        if max(row) - min(row) < abs(min(row)) * levels / 127 or max(row) == min(row):
            continue  # the zero point would not fit 8 bits
        _, scale, zero = naive.affine(row, levels)
        assert q.scale[i, 0] == pytest.approx(scale, rel=1e-6)
        if min(row) / scale % 0.5 > 1e-6:
            assert round(float(-q.offset[i, 0] / q.scale[i, 0])) == zero


def test_bit_balance_has_five_levels_in_three_planes():
    q = quantize(np.linspace(-1, 1, 64).reshape(1, 64), "abq", balanced=True)
    assert np.unique(q.integers).tolist() == [0, 1, 2, 3, 4]
    assert q.code_bits == 3
    assert quantize(np.ones((1, 4)), "abq", bits=1, balanced=True).code_bits == 2


@given(w=moderate)
@settings(max_examples=30)
def test_bitstack_planes_of_fewer_iterations_come_first_and_errors_shrink(w):
    stacks = [quantize(w, "bitstack", iterations=i, rank=2) for i in (1, 2, 3)]
    errors = [np.linalg.norm(w)] + [np.linalg.norm(w - q.dequantize().astype(np.float64)) for q in stacks]
    for before, after in itertools.pairwise(errors):
        assert after <= before * (1 + 1e-6) + 1e-5
    for i, q in enumerate(stacks[:2]):
        assert (stacks[2].codes & (1 << i + 1) - 1 == q.codes).all()
    assert (encode(w, stacks[2]).codes == stacks[2].codes).all()


def test_magnitudes_that_fp16_does_not_hold_cost_32_bits():
    w = np.random.default_rng(5).normal(size=(4, 8))
    half, full = (quantize(w, "bitstack", iterations=2, rank=1, envelope_kind=kind) for kind in ("fp16", "fp32"))
    assert half.storage_bits == 2 * 32 + 16 * 2 * (4 + 8)
    assert full.storage_bits == 2 * 32 + 32 * 2 * (4 + 8)


def test_large_matrices_are_approximated_nearly_as_well_as_small_ones():
    rng = np.random.default_rng(1)
    matrix = np.abs(rng.normal(size=(520, 600)))
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    best = np.linalg.norm(matrix - (left[:, :4] * values[:4]) @ right[:4])
    u, v = leading(matrix, 4)
    assert np.linalg.norm(matrix - u @ v) < best * 1.01
    exact = leading(matrix[:100], 4)
    assert np.allclose(np.linalg.norm(exact[0], axis=0), np.linalg.norm(exact[1], axis=1))
    assert (exact[1].sum(axis=1) >= 0).all()
