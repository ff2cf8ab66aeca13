"""Laws that every number format obeys; where its encoder is not "the nearest value", the ones that hold instead."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

import hwsim
from hwsim import rans, transports
from hwsim.errors import FormatError
from hwsim.formats import available, encode, find
from hwsim.packing import pack, unpack
from tests import naive_decoding as naive
from tests.format_variants import EACH, VARIANTS, quantized, weights

each_format = pytest.mark.parametrize(("name", "params"), EACH)
few = settings(max_examples=5)
SIXTEEN_BITS = ("bf16", "fp16")
"""Compared with ml_dtypes instead: their alphabets are too long to look through."""
NO_RETURN: dict[str, dict] = {"bitstack": {}, "bcq": {"rounds": 0}}
"""With these parameters: the residuals of decoded values are not those that the signs were taken of."""
LOGARITHMIC = ("denseshift", "pot", "lognet")
"""Nearest in the exponent, not in the value."""
TO_EVEN = ("int", "mx", "fp", "nvfp4", "double_rounding", "range_aware", "bitnet158")
TO_LARGER = ("binary", "bcq", "ant")
TO_LOWER = ("squeezellm", "bitmod")


def test_every_format_is_tested():
    assert set(VARIANTS) == set(available())


def returns(name: str, params: dict) -> bool:
    """Whether decoded values lead back to their codes."""
    return name not in NO_RETURN or not NO_RETURN[name].items() <= params.items()


def is_greedy(name: str, params: dict) -> bool:
    return bool(find(name).greedy) and not (name == "double_rounding" and not params)


@pytest.mark.parametrize(("name", "params"), [each for each in EACH if returns(*each)])
@few
@given(w=weights)
def test_decoded_values_encode_to_their_codes(name, params, w):
    q = quantized(w, name, params)
    if q is None:
        return
    again = encode(q.dequantize(), q)
    assert (again.codes == q.codes).all()
    assert (again.dequantize() == q.dequantize()).all()


@each_format
@few
@given(w=weights)
def test_decoded_values_are_in_the_alphabet_and_nearest(name, params, w):
    q = quantized(w, name, params)
    if q is None or name in SIXTEEN_BITS:
        return
    dense = np.ones(w.shape, bool)
    if q.sparse is not None:
        dense.flat[q.sparse.index] = False
    real = w + 1j * w[::-1, ::-1] if find(name).complex else w.astype(np.float64)
    decoded = q.dequantize().astype(real.dtype)
    for n, group, values in naive.alphabets(q):
        k = group[dense[n, group]][:, None]
        rounding = np.abs(values).max() * 2.0**-22 + 1e-45
        assert (np.abs(values - decoded[n, k]).min(axis=1) <= rounding).all()
        if not is_greedy(name, params) and name not in LOGARITHMIC:
            if name.startswith("int") and q.zero_point is None:
                values = np.delete(values, values.argmin())  # two's complement's lowest code is left out
            nearest = np.abs(values - real[n, k]).min(axis=1, keepdims=True)
            added = 1e-5 if name == "bitnet158" else 0  # to the divisor, by definition
            assert (np.abs(decoded[n, k] - real[n, k]) <= nearest + rounding + added).all()


@each_format
@few
@given(w=weights)
def test_every_stored_bit_is_counted(name, params, w):
    q = quantized(w, name, params)
    if q is None:
        return
    assert q.storage_bits == naive.stored_bits(q)
    assert q.bits_per_weight * w.size == pytest.approx(q.storage_bits, rel=1e-12)
    flat = q.codes.reshape(1, -1)
    packed = pack(flat, q.code_bits)
    assert packed.size == math.ceil(flat.size * q.code_bits / 8)
    assert (unpack(packed, q.code_bits, flat.size) == flat).all()
    scales = q.scale if q.plane_weights is None else q.plane_weights
    for kind, stored in ((q.scale_kind, scales), (q.offset_kind, q.offset)):
        if stored is not None and kind == "fp16":
            assert (stored.astype(np.float16) == stored).all()
        if stored is not None and kind == "sign":
            assert (np.abs(stored) == 1).all()


@each_format
@few
@given(w=weights)
def test_lowering_changes_values_by_no_more_than_it_records(name, params, w):
    q = quantized(w, name, params)
    if q is None:
        return
    try:
        low = hwsim.lower(q)
    except FormatError as refusal:
        too_wide = ("beyond 32 bits", "62 bits", "not exact in float64", "float32")
        extras = (q.imaginary_scale, q.envelope, q.token, q.sparse)
        if all(each is None for each in extras) and not any(text in str(refusal) for text in too_wide):
            raise
        return
    before, after = q.dequantize().astype(np.float64), low.dequantize().astype(np.float64)
    largest = np.maximum(np.abs(before).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    assert (np.abs(after - before) <= low.lowering_error * largest * (1 + 1e-9)).all()
    if q.groups == 1 and q.offset is None and q.plane_weights is None:
        assert low.lowering_error < 2.0**-22


@pytest.mark.parametrize(
    ("name", "params"),
    [
        (n, p)
        for n, p in EACH
        if n.startswith(TO_EVEN + TO_LARGER + TO_LOWER) and n not in ("binarymos", "bcq_uniform", "fp16")
        if n != "double_rounding" or not p
    ],
)
@few
@given(w=weights)
def test_halfway_between_two_values_the_stated_rule_decides(name, params, w):
    q = quantized(w, name, params)
    if q is None or q.sparse is not None:
        return
    rng = np.random.default_rng(0)
    middle, expected = np.zeros(w.shape), np.zeros(w.shape)
    for n, group, alphabet in naive.alphabets(q):
        values = np.unique(alphabet.astype(np.float32) if name.startswith("bcq") else alphabet).astype(np.float64)
        if name.startswith("int") and q.zero_point is None:
            values = values[1:]
        i = rng.integers(max(len(values) - 1, 1), size=len(group))
        low, high = values[i], values[np.minimum(i + 1, len(values) - 1)]
        middle[n, group] = (low + high) / 2
        if name.startswith(TO_EVEN):  # 0 is even, and so is every second value from there on
            expected[n, group] = np.where((i - np.searchsorted(values, 0)) % 2, high, low)
        else:
            expected[n, group] = low if name.startswith(TO_LOWER) else high
    assert (encode(middle, q).dequantize() == expected.astype(np.float32)).all()


@each_format
def test_zeros_single_weights_strides_and_more_axes_are_taken(name, params):
    kind = np.complex64 if find(name).complex else np.float16
    zero = hwsim.quantize(np.zeros((4, 20), kind), name, **params).dequantize()
    nearly = 1 if name in ("denseshift", "binarymos") or params.get("scale") == "one" else 1.01e-5
    assert np.abs(zero).max() <= nearly
    if name != "olive":  # which needs pairs
        alone = {"p": 1} if name == "tbn" else {"pad": True} if "group_size" in params or name.startswith("mx") else {}
        one = hwsim.quantize(np.full((1, 1), 0.75, kind), name, **params | alone)
        assert np.isfinite(one.dequantize()).all()
        assert (encode(np.full((1, 1), 0.75, kind), one).codes == one.codes).all()
    w = (np.arange(-480, 480).reshape(6, 8, 20) / 64).astype(kind)
    strided = w[::2, ::-2].swapaxes(1, 2)
    plain = np.ascontiguousarray(strided)
    assert not strided.flags.c_contiguous
    q = hwsim.quantize(strided, name, **params)
    assert q.hash == hwsim.quantize(plain, name, **params).hash
    assert q.shape == q.dequantize().shape == strided.shape
    before = plain.copy()
    hwsim.quantize(plain, name, **params)
    assert (plain == before).all()


@each_format
@pytest.mark.parametrize("factor", [1e-300, 1e-44, 1e-30, 1e30, 1e37])
def test_tiny_and_huge_weights_are_kept_or_refused(name, params, factor):
    w = np.random.default_rng(0).uniform(-1, 1, size=(4, 20)) * factor
    q = quantized(w, name, params)
    if q is None:
        assert factor > 1
        return
    assert np.isfinite(q.dequantize()).all()
    if returns(name, params):
        assert (encode(q.dequantize(), q).codes == q.codes).all()


@each_format
def test_files_and_entropy_coding_keep_every_field(name, params, tmp_path):
    w = np.random.default_rng(4).standard_t(4, size=(4, 2, 10))
    q = quantized(w.reshape(4, 20), name, params)
    assert q is not None
    coded = hwsim.transport(q, "rans")
    assert (rans.decode(transports.encoded(coded)) == q.codes.reshape(-1)).all()
    assert (coded.dequantize() == q.dequantize()).all()
    assert coded.storage_bits == transports.encoded(coded).storage_bits + naive.metadata_bits(q)
    for each in (q, coded):
        each.save(tmp_path / "w.safetensors")
        loaded = hwsim.QTensor.load(tmp_path / "w.safetensors")
        assert loaded.hash == each.hash
        assert (loaded.dequantize() == q.dequantize()).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_weights_that_are_no_numbers_are_refused(name):
    kind = np.complex128 if find(name).complex else np.float64
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(FormatError, match=f"{name}: weights hold NaN or infinity"):
            hwsim.quantize(np.array([[1, bad]], kind), name)
    for shape in ((0, 3), (3, 0), ()):
        with pytest.raises(FormatError, match="no elements"):
            hwsim.quantize(np.ones(shape, kind), name)
    for wrong in (int, bool, object, np.float64 if find(name).complex else np.complex128):
        with pytest.raises(FormatError, match="expected"):
            hwsim.quantize(np.ones((2, 3), wrong), name)
    with pytest.raises(FormatError, match="beyond"):
        hwsim.quantize(np.array([[1, 1e39]], kind), name)
    with pytest.raises(FormatError, match=f"format '{name}' has no parameter 'colour'"):
        hwsim.quantize(np.ones((2, 4), kind), name, colour=1)
    q = hwsim.quantize(np.ones((4, 20), kind), name, **VARIANTS[name][0])
    for other in (np.ones((4, 10), kind), np.full((4, 20), np.nan, kind)):
        with pytest.raises(FormatError):
            encode(other, q)


@pytest.mark.parametrize("name", [name for name, every in VARIANTS.items() if any("group_size" in p for p in every)])
def test_groups_that_do_not_divide_a_row_are_refused_unless_padded(name):
    with pytest.raises(FormatError, match="group_size 3 does not divide rows of 8"):
        hwsim.quantize(np.ones((2, 8)), name, group_size=3)
    for bad in (0, -1, 2.0, True, "4"):
        with pytest.raises(FormatError, match="not a positive whole number"):
            hwsim.quantize(np.ones((2, 8)), name, group_size=bad)
