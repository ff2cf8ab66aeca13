"""Laws of the sign, ternary, complex and bit-plane formats."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim.errors import FormatError
from hwsim.formats import binarymos, encode, find, ifairy, quantize
from hwsim.formats._low_rank import leading
from hwsim.packing import pack, pack_mask, pack_trits, unpack, unpack_mask, unpack_trits
from tests import naive_signs as naive

GRID = [
    ("binary", {}),
    ("binary", {"scale_kind": "fp16"}),
    ("adabin", {}),
    ("adabin", {"scale_kind": "fp16"}),
    ("plum", {}),
    ("plum", {"delta": 0.5}),
    ("tbn", {"p": 2}),
    ("tbn", {"p": 4, "alpha": "single", "scale_kind": "fp16"}),
    ("tbn", {"p": 4, "min_size": 9}),
    ("bitnet158", {}),
    ("bitnet158", {"measure": "median", "transport": "trits", "scale_kind": "fp16"}),
    ("fdb", {"group_size": None}),
    ("fdb", {"group_size": 3, "pad": True, "scale_kind": "fp16"}),
    ("bcq", {"bits": 1, "group_size": 2}),
    ("bcq", {"bits": 3, "group_size": None}),
    ("bcq", {"bits": 4, "group_size": 3, "pad": True, "scale_kind": "fp16"}),
    ("bcq_uniform", {"bits": 3, "group_size": 2}),
    ("bcq_uniform", {"bits": 4, "group_size": 3, "pad": True, "scale_kind": "fp16"}),
    ("abq", {"bits": 4}),
    ("abq", {"bits": 1, "balanced": True, "group_size": 2}),
    ("abq", {"bits": 2, "balanced": True, "group_size": 3, "pad": True, "scale_kind": "fp16"}),
    ("one_bit", {}),
    ("one_bit", {"threshold": 0.5, "scale_kind": "fp16"}),
    ("binarymos", {"experts": 2}),
]
"""Formats whose decoded values lead back to their codes."""
OTHERS = [("bcq", {"bits": 3, "rounds": 0, "group_size": 4}), ("bitstack", {"iterations": 9, "rank": 2})]
shapes = st.tuples(st.integers(1, 5), st.integers(1, 3)).map(lambda s: (s[0], 4 * s[1]))
moderate = hnp.arrays(np.float32, shapes, elements=st.floats(-100, 100, width=32))
edges = hnp.arrays(np.float64, shapes, elements=st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 1e-30, -1e4]))
eighths = hnp.arrays(np.int64, shapes, elements=st.integers(-40, 40)).map(lambda a: a / 8)
weights = moderate | edges | eighths


def bits_of(codes: np.ndarray, planes: int) -> list:
    return [(codes >> i & 1).tolist() for i in range(planes)]


@pytest.mark.parametrize(("name", "params"), GRID)
@given(w=weights)
@settings(max_examples=40)
def test_decoded_weights_are_encoded_to_the_same_codes(name, params, w):
    q = quantize(w, name, **params)
    again = encode(q.dequantize(), q)
    assert (again.codes == q.codes).all()
    assert again.hash == q.hash


@pytest.mark.parametrize(("name", "params"), GRID + OTHERS)
@given(w=weights)
@settings(max_examples=40)
def test_every_bit_that_is_counted_is_needed_and_enough(name, params, w):
    q = quantize(w, name, **params)
    assert q.bits_per_weight * q.n * q.k == pytest.approx(q.storage_bits)
    assert q.storage_bits == payload_bits(q)


def payload_bits(q) -> int:
    """Bits of the codes and of every stored number, none of which may lose anything."""
    flat = q.codes.reshape(1, -1)
    if q.transport == "trits":
        total = 8 * pack_trits(q.codes).size
        assert (unpack_trits(pack_trits(q.codes), flat.size) == flat).all()
    elif q.transport == "mask":
        total = flat.size + np.count_nonzero(flat)
        assert pack_mask(q.codes).size == -(-total // 8)
    else:
        total = q.code_bits * flat.size
        packed = pack(flat, q.code_bits)
        assert packed.size == -(-total // 8)
        assert (unpack(packed, q.code_bits, flat.size) == flat).all()
    kinds = [(q.scale if q.plane_weights is None else q.plane_weights, q.scale_kind)]
    if q.format == "abq":
        zero = np.rint(-q.offset / q.scale)
        assert (np.abs(zero) <= 127).all()
        assert (np.float32(-zero * q.scale) == q.offset).all()
        total += 8 * zero.size
    elif q.offset is not None:
        kinds.append((q.offset, q.offset_kind))
    for part in (q.envelope, q.token):
        kinds += [(array, "fp16") for array in vars(part).values()] if part is not None else []
    for array, kind in kinds:
        if kind == "sign":
            assert (np.abs(array) == 1).all()
        if kind == "fp16":
            assert (array.astype(np.float16) == array).all()
        total += {"fp16": 16, "fp32": 32, "sign": 1, "none": 0}[kind] * array.size
    return total


@pytest.mark.parametrize(("name", "params"), GRID)
@given(w=weights)
@settings(max_examples=40)
def test_lowering_changes_values_by_no_more_than_it_records(name, params, w):
    q = quantize(w, name, **params)
    if name == "binarymos":
        with pytest.raises(FormatError, match="cannot be lowered"):
            hwsim.lower(q)
        return
    low = hwsim.lower(q)
    before, after = q.dequantize().astype(np.float64), low.dequantize().astype(np.float64)
    largest = np.maximum(np.abs(before).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    assert (np.abs(after - before) <= low.lowering_error * largest * (1 + 1e-9)).all()
    if name in ("binary", "plum", "bitnet158", "one_bit") or (name, params.get("alpha")) == ("tbn", "single"):
        assert (after == before).all()


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


@given(w=weights)
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


@given(w=weights)
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


@given(w=weights, bits=st.integers(1, 4))
def test_uniform_bcq_is_the_affine_grid(w, bits):
    q = quantize(w, "bcq_uniform", bits=bits, group_size=4)
    scale = 2.0 * q.plane_weights[:1].astype(np.float64)
    zero = np.rint(((1 << bits) - 1) / 2 - q.offset / scale[0])
    affine = q.spread(scale[0]) * (q.codes - q.spread(zero))
    assert np.allclose(q.dequantize(), affine, rtol=1e-6, atol=1e-6 * scale.max())
    assert (np.abs(w - affine) <= q.spread(scale[0]) * 0.5000001).all()


@given(w=weights, bits=st.integers(1, 4), balanced=st.booleans())
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


@pytest.mark.parametrize(("name", "params"), [*GRID, *OTHERS, ("ifairy", {})])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_zeros_single_weights_and_strides_are_taken(name, params, dtype):
    params = {"pad": True, **params} if "group_size" in params else params
    kind = np.result_type(dtype, np.complex64) if name == "ifairy" else dtype
    zero = quantize(np.zeros((8, 8), kind)[::2, ::2], name, **params)
    assert np.abs(zero.dequantize()).max() <= (1 if name == "binarymos" else 1e-5)
    single = quantize(np.full((1, 1), 0.75, kind), name, **({**params, "p": 1} if name == "tbn" else params))
    assert np.isfinite(single.dequantize()).all()
    w = np.arange(-32, 32).reshape(4, 4, 4).astype(kind) / 8
    strided = quantize(w[:, ::-1].swapaxes(1, 2), name, **params)
    copied = quantize(np.ascontiguousarray(w[:, ::-1].swapaxes(1, 2)), name, **params)
    assert strided.hash == copied.hash
    assert strided.shape == (4, 4, 4)


@pytest.mark.parametrize(("name", "params"), [*GRID, *OTHERS, ("ifairy", {}), ("binarymos", {"experts": 1})])
def test_files_keep_every_field(name, params, tmp_path):
    w = np.random.default_rng(4).normal(size=(4, 2, 6))
    q = quantize(w + 1j * w[::-1] if name == "ifairy" else w, name, **params)
    q.save(tmp_path / "w.safetensors")
    loaded = hwsim.QTensor.load(tmp_path / "w.safetensors")
    assert loaded.hash == q.hash
    assert (loaded.dequantize() == q.dequantize()).all()


@pytest.mark.parametrize(("name", "params"), GRID)
@pytest.mark.parametrize("scale", [1e-37, 1e-30, 1e30, 1e38])
def test_tiny_and_huge_weights_are_kept_or_refused(name, params, scale):
    w = np.random.default_rng(3).uniform(-1, 1, size=(4, 8)) * scale
    sixteen = params.get("scale_kind") == "fp16" or name == "binarymos"
    if sixteen and scale > 1:
        with pytest.raises(FormatError, match="fp16"):
            quantize(w, name, **params)
        return
    q = quantize(w, name, **params)
    assert np.isfinite(q.dequantize()).all()
    assert (encode(q.dequantize(), q).codes == q.codes).all()


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


@pytest.mark.parametrize("name", sorted({name for name, _ in GRID + OTHERS} | {"ifairy"}))
def test_weights_that_are_no_numbers_are_refused(name):
    kind = np.complex128 if name == "ifairy" else np.float64
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(FormatError, match="NaN or infinity"):
            quantize(np.array([[1, bad]], kind), name)
    with pytest.raises(FormatError, match="no elements"):
        quantize(np.ones((0, 3), kind), name)
    with pytest.raises(FormatError, match="expected"):
        quantize(np.ones((2, 3), int), name)
    with pytest.raises(FormatError, match="beyond"):
        quantize(np.array([[1, 1e39]], kind), name)
    with pytest.raises(FormatError, match="no parameter"):
        quantize(np.ones((2, 4), kind), name, colour=1)


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


N = 4096
TABLE = [
    ("binary", {}, 1 + 16 / N),
    ("adabin", {}, 1 + 32 / N),
    ("plum", {}, 1 + 1 / N),
    ("tbn", {}, 1 / 4 + 32 * 4 / (256 * N)),
    ("bitnet158", {}, 1.6),
    ("bitnet158", {"transport": "raw"}, 2),
    ("fdb", {}, 2 + 32 / 64),
    ("ifairy", {}, 2),
    ("bcq", {"bits": 3}, 3 * (1 + 16 / 128)),
    ("bcq_uniform", {"bits": 3}, 3 * (1 + 16 / 128) + 16 / 128),
    ("abq", {}, 2 + 24 / N),
]


@pytest.mark.parametrize(("name", "params", "bits"), TABLE)
def test_bits_per_weight_at_typical_parameters(name, params, bits):
    chosen = find(name)
    w = np.random.default_rng(0).normal(size=chosen.typical_shape)
    q = quantize(w + 1j * w[::-1] if chosen.complex else w, name, **{**chosen.typical, **params})
    assert q.bits_per_weight == pytest.approx(bits, abs=5e-5)


def test_one_bit_links_cost_a_mask_and_their_density():
    w = np.random.default_rng(0).normal(size=find("one_bit").typical_shape)
    q = quantize(w, "one_bit", **find("one_bit").typical)
    assert q.bits_per_weight == pytest.approx(1.34, abs=2e-3)
