"""Minifloats, microscaling, powers of two, LUQ, BitMoD and ANT, against their definitions."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim.errors import FormatError
from hwsim.formats.ant import codebook as ant_codebook
from hwsim.minifloat import BF16, E2M1, E2M3, E3M2, E4M3, E5M2, FP16, Minifloat
from tests import naive_formats as naive
from tests.format_variants import EACH, quantized, weights

PEERS = {
    E4M3: ml_dtypes.float8_e4m3fn, E5M2: ml_dtypes.float8_e5m2, E3M2: ml_dtypes.float6_e3m2fn,
    E2M3: ml_dtypes.float6_e2m3fn, E2M1: ml_dtypes.float4_e2m1fn, BF16: ml_dtypes.bfloat16, FP16: np.float16,
}  # fmt: skip
RULES = {
    "denseshift": naive.logarithmic, "pot": naive.logarithmic, "lognet": naive.only_zero_is_zero,
    "luq_rdnp": naive.ties_away, "bitmod_fp3": naive.ties_lower, "bitmod_fp4": naive.ties_lower,
    "ant_flint4": naive.ties_larger, "ant_flint5": naive.ties_larger, "ant": naive.ties_larger,
}  # fmt: skip
NEAREST = [(name, params) for name, params in EACH if name in RULES]


@pytest.mark.parametrize(("name", "params"), NEAREST)
@settings(max_examples=25)
@given(w=weights)
def test_codes_are_the_nearest_under_the_rule(name, params, w):
    q = quantized(w, name, params)
    if q is None:
        return
    rule = RULES.get(name, naive.ties_even)
    scale = q.spread(q.scale).astype(np.float64) * q.channel_scale[:, None]
    tables = np.zeros(w.shape, int) if q.select is None else q.spread(q.select)
    usable = slice(None) if q.codebook.special is None else ~q.codebook.special
    grids = [np.unique(values[usable]).tolist() for values in q.codebook.values]
    for x, code, table in zip((w / scale).flat, q.codes.flat, tables.flat, strict=True):
        assert q.codebook.values[table, code] == rule(float(x), grids[table])
    zero = q.codebook.values[tables, q.codes] == 0
    assert (q.codes[zero] == 0).all()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("fp8_e4m3", {"per": "row"}, "per must be"),
        ("fp8_e4m3", {"per": "tensor", "group_size": 3}, "no group_size"),
        ("fp8_e4m3", {"scale_kind": "fp64"}, "scale_kind must be"),
        ("fp4_e2m1", {"group_size": 4}, "does not divide rows of 6"),
        ("mxfp4", {}, "does not divide rows of 6"),
        ("denseshift", {"bits": 5}, "2 .. 4, not 5"),
        ("pot", {"bits": True}, "2 .. 5, not True"),
        ("lognet", {"bits": 5}, "1 .. 4, not 5"),
        ("lognet", {"fsr": 200}, "-126 .. 127, not 200"),
        ("luq", {"divisor": 32}, "16, 64, not 32"),
        ("luq", {"seed": "a"}, "seed must be"),
        ("bitmod_fp3", {"group_size": 6, "scale_kind": "e8m0"}, "'int8', not 'e8m0'"),
        ("ant_flint4", {"alpha": 0}, "alpha must be"),
        ("ant_flint4", {"signed": 1}, "signed must be"),
        ("ant", {"types": ("float",)}, "types must be"),
        ("ant", {"search": (100, 50)}, "lowest alpha"),
    ],
)
def test_parameters_out_of_range_name_what_is_accepted(name, params, message):
    with pytest.raises(FormatError, match=message):
        hwsim.quantize(np.ones((2, 6)), name, **params)


@pytest.mark.parametrize("kind", PEERS, ids=str)
def test_minifloats_equal_ml_dtypes_on_every_code(kind):
    codes = np.arange(1 << kind.bits).astype(np.uint8 if kind.bits <= 8 else np.uint16)
    with np.errstate(invalid="ignore"):
        peer = codes.view(PEERS[kind]).astype(np.float64)
    np.testing.assert_array_equal(kind.values, peer)
    assert (np.signbit(kind.values) == np.signbit(peer))[~np.isnan(peer)].all()
    finite = np.isfinite(peer)
    np.testing.assert_array_equal(kind.encode(peer[finite]), codes[finite])


@pytest.mark.parametrize("kind", PEERS, ids=str)
def test_minifloats_round_as_ml_dtypes_does(kind):
    rng = np.random.default_rng(1)
    finite = np.unique(kind.values[np.isfinite(kind.values)])
    x = np.concatenate(
        [rng.normal(size=5000) * 2.0 ** rng.integers(-20, 20, 5000), (finite[1:] + finite[:-1]) / 2, [-0.0]]
    )
    x = x[np.abs(x) <= kind.max].astype(np.float64)
    x = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf)])
    x = x[np.abs(x) <= kind.max]
    if kind is not FP16:
        x = x.astype(np.float32)  # ml_dtypes rounds a float64 twice
    peer = x.astype(PEERS[kind])
    np.testing.assert_array_equal(kind.encode(x), peer.view(np.uint8 if kind.bits <= 8 else np.uint16))


@given(st.integers(1, 8), st.integers(0, 10), st.sampled_from(["none", "nan", "ieee"]))
def test_any_width_rounds_to_the_nearest(exponent_bits, mantissa_bits, specials):
    try:
        kind = Minifloat(exponent_bits, mantissa_bits, specials)
    except FormatError:
        assert 1 + exponent_bits + mantissa_bits > 16 or (1 << (exponent_bits + mantissa_bits)) < 4
        return
    positive = kind.values[: kind.max_code + 1]
    assert (np.diff(positive) > 0).all()
    middle = (positive[1:] + positive[:-1]) / 2
    assert (kind.encode(middle) % 2 == 0).all()
    assert (kind.encode(middle, ties="away") == np.arange(1, kind.max_code + 1)).all()
    assert (kind.decode(kind.encode(np.nextafter(-middle, 0))) == -positive[:-1]).all()
    assert kind.encode(np.array(kind.max * 8)) == kind.max_code
    if specials != "none":
        assert kind.encode(np.array(kind.max * 8), saturate=False) == kind.max_code + 1


def test_a_minifloat_refuses_nan_and_impossible_layouts():
    with pytest.raises(FormatError, match="NaN has no code"):
        E4M3.encode(np.array([np.nan]))
    for arguments in ((9, 3), (0, 3), (8, 8), (1, 0, "ieee"), (4, 3, "inf"), (4, 3, "nan", 1000)):
        with pytest.raises(FormatError):
            Minifloat(*arguments)
    with pytest.raises(FormatError, match="ties"):
        E4M3.encode(np.zeros(1), ties="odd")


@given(
    w=hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.floats(-1e3, 1e3, width=32))
)
def test_a_microscaling_block_keeps_its_exponent_and_saturates(w):
    for name, emax in (
        ("mxfp4", 2),
        ("mxfp6_e3m2", 4),
        ("mxfp6_e2m3", 2),
        ("mxfp8_e4m3", 8),
        ("mxfp8_e5m2", 15),
        ("mxint8", 0),
    ):
        q = hwsim.quantize(w, name, group_size=4, pad=True)
        for group in range(q.groups):
            most = np.abs(w[:, group * 4 : group * 4 + 4]).max(axis=1)
            for scale, largest in zip(q.scale[:, group], most.astype(float), strict=True):
                assert scale == (2.0 ** max(int(np.floor(np.log2(largest))) - emax, -127) if largest else 2.0**-127)


def test_every_term_count_is_what_the_datapaths_rely_on():
    most = {
        "fp4_e2m1": 2, "bitmod_fp3": 2, "bitmod_fp4": 2, "ant_flint4": 2, "ant_flint5": 2, "denseshift": 1, "pot": 1,
        "lognet": 1, "luq": 1, "luq_rdnp": 1, "mxfp4": 2, "fp8_e4m3": 3,
    }  # fmt: skip
    w = np.random.default_rng(0).normal(size=(4, 128)).astype(np.float32)
    for name, terms in most.items():
        q = hwsim.quantize(w, name)
        assert max(len(each) for table in q.codebook.terms() for each in table) == terms, name
    for bits in (3, 4, 5):
        tables = ant_codebook(("int", "flint", "pot"), bits, False).terms()
        assert max(len(each) for each in tables[2]) == 1


def test_stochastic_rounding_is_unbiased_and_stays_between_neighbours():
    grid = np.array([0, 1, 2, 4, 8, 16]) / 16
    w = np.append(np.linspace(-1, 1, 41), 1.0)[None].astype(np.float32)
    draws = np.array([hwsim.quantize(w, "luq", seed=s).dequantize()[0] for s in range(600)])
    np.testing.assert_allclose(draws.mean(axis=0), w[0], atol=0.06)
    for x, column in zip(np.abs(w[0]), np.abs(draws.T), strict=True):
        assert grid[grid <= x].max() <= column.min() <= column.max() <= grid[grid >= x].min()
    one, same = (hwsim.quantize(w, "luq", seed=np.random.default_rng(5)) for _ in range(2))
    assert one.hash == same.hash != hwsim.quantize(w, "luq", seed=6).hash


@given(w=hnp.arrays(np.float64, (2, 8), elements=st.integers(-16, 16).map(lambda i: i / 8)))
def test_bitmod_chooses_the_candidate_with_the_lowest_error(w):
    for name in ("bitmod_fp3", "bitmod_fp4"):
        q = hwsim.quantize(w, name, group_size=4)
        for n in range(2):
            for g in range(2):
                scale, choice = naive.bitmod_choice(w[n, g * 4 : g * 4 + 4], q.codebook.values)
                assert q.select[n, g] == choice
                assert q.scale[n, g] == np.float32(scale)


@given(w=hnp.arrays(np.float64, (2, 10), elements=st.integers(-64, 64).map(lambda i: i / 7)))
def test_ant_chooses_the_type_and_scale_with_the_lowest_error(w):
    q = hwsim.quantize(w, "ant", search=(60, 100))
    best = min(
        ((w - values[np.abs(w[..., None] - values).argmin(axis=-1)]) ** 2).sum()
        for table in q.codebook.values
        for percent in range(60, 101)
        for values in [table * (np.abs(w).max() * percent / 100 / table.max())]
    )
    assert ((w - q.dequantize()) ** 2).sum() <= best + 1e-6 * (w**2).sum()


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp8_e4m3", "fp8_e5m2"])
@pytest.mark.parametrize("w", [np.zeros((1, 5)), np.array([[-1.0, 0.75, 3.0]]), np.full((2, 2), -0.1)])
def test_lowered_minifloats_encode_what_they_decode_to(name, w):
    low = hwsim.lower(hwsim.quantize(w, name))
    assert (hwsim.formats.encode(low.dequantize(), low).codes == low.codes).all()
    assert np.isfinite(hwsim.formats.encode(w * 1.3, low).dequantize()).all()  # codes that were not used are left out
