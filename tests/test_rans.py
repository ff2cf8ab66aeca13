"""Entropy coding, transports and the arithmetic around formats."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hwsim
from hwsim import rans, rounding, transports, wrapnet
from hwsim.entropy import code_entropy, entropy, huffman_length
from hwsim.errors import FormatError
from hwsim.pixel_embedding import PixelEmbedding
from tests import naive

SYMBOLS = hnp.arrays(st.sampled_from([np.uint8, np.uint16]), st.integers(1, 200), elements=st.integers(0, 200))


@given(symbols=SYMBOLS, bits=st.integers(1, 12), streams=st.integers(1, 9), lower=st.sampled_from([1 << 16, 1 << 23]))
def test_any_symbols_come_back(symbols, bits, streams, lower):
    table = rans.FrequencyTable.of(symbols, 201, bits)
    assert (table.frequencies[np.unique(symbols)] > 0).all()
    assert table.frequencies.sum() == 1 << table.bits
    data = rans.encode(symbols, table, streams, lower)
    assert (rans.decode(data) == symbols).all()
    assert ((data.states >= lower) & (data.states < 256 * lower)).all()


@given(symbols=SYMBOLS, streams=st.integers(1, 4))
def test_every_stream_is_that_of_the_obvious_coder(symbols, streams):
    table = rans.FrequencyTable.of(symbols, 201, 8)
    data = rans.encode(symbols, table, streams, 1 << 16)
    first = 0
    for stream in range(streams):
        state, pushed = naive.rans_encode(symbols[stream::streams].tolist(), table.frequencies.tolist(), 1 << 16)
        assert data.states[stream] == state
        assert data.payload[first : first + data.lengths[stream]].tolist() == pushed
        first += data.lengths[stream]


def test_16_bit_symbols_get_as_many_slots_as_they_need():
    symbols = np.arange(40_000, dtype=np.uint16)
    table = rans.FrequencyTable.of(symbols, 40_000)
    assert table.bits == 16
    assert (rans.decode(rans.encode(symbols, table, 8)) == symbols).all()


def test_the_rate_is_close_to_the_entropy():
    p = np.array([0.9, 0.05, 0.03, 0.02])
    symbols = np.random.default_rng(0).choice(4, size=200_000, p=p).astype(np.uint8)
    data = rans.encode(symbols, rans.FrequencyTable.of(symbols, 4), 8)
    assert data.storage_bits / symbols.size == pytest.approx(entropy(np.bincount(symbols)), rel=0.01)


def test_damaged_streams_are_noticed():
    symbols = np.random.default_rng(0).integers(0, 4, 1000).astype(np.uint8)
    data = rans.encode(symbols, rans.FrequencyTable.of(symbols, 4), 2)
    with pytest.raises(FormatError, match="do not add up"):
        rans.decode(dataclasses.replace(data, payload=data.payload[:-1]))
    flipped = data.payload.copy()
    flipped[50] ^= 1
    damaged = dataclasses.replace(data, payload=flipped)
    with pytest.raises(FormatError, match="does not end with its symbols"):
        rans.decode(dataclasses.replace(damaged, states=data.states + np.uint64(1)))


@pytest.mark.parametrize("frequencies", [[3, 2], [-1, 5], [0, 0], [1 << 17], [[1, 1]]])
def test_frequencies_that_are_no_table(frequencies):
    with pytest.raises(FormatError, match="add up to a power of two"):
        rans.FrequencyTable(frequencies=np.array(frequencies))


def test_what_cannot_be_encoded():
    table = rans.FrequencyTable(frequencies=np.array([8, 8, 0]))
    for bad in ([2], [3]):
        with pytest.raises(FormatError, match="no slot"):
            rans.encode(np.array(bad), table)
    for streams, lower in ((0, 1 << 23), (1, 8), (1, 1 << 24), (1, 100)):
        with pytest.raises(FormatError, match="expected 1 or more"):
            rans.encode(np.array([0]), table, streams, lower)


MOVED = [
    ("int2", {}),
    ("int8", {}),
    ("int4", {"symmetric": False}),
    ("squeezellm", {"outliers": 0.01}),
    ("olive", {}),
    ("binary", {}),
]


@pytest.mark.parametrize(("name", "params"), MOVED)
def test_transport_never_changes_values(name, params):
    q = hwsim.quantize(np.random.default_rng(0).standard_t(3, size=(32, 256)), name, **params)
    moved = hwsim.transport(q, "rans")
    assert (moved.dequantize() == q.dequantize()).all()
    data = transports.encoded(moved)
    assert (rans.decode(data).reshape(q.codes.shape) == q.codes).all()
    assert moved.storage_bits - data.storage_bits == q.storage_bits - q.code_bits * q.codes.size
    assert data.storage_bits >= code_entropy(q) * q.codes.size
    assert hwsim.transport(moved, "raw").hash == q.hash


def test_ternary_codes_travel_as_trits():
    w = np.random.default_rng(0).normal(size=(3, 7))
    q = hwsim.quantize(w, "bitnet158", transport="raw")
    moved = hwsim.transport(q, "trits")
    assert (moved.dequantize() == q.dequantize()).all()
    assert q.storage_bits - moved.storage_bits == 2 * 21 - 8 * 5
    with pytest.raises(FormatError, match="ternary codes only"):
        hwsim.transport(hwsim.quantize(w, "int2"), "trits")
    with pytest.raises(FormatError, match="unknown transport 'ranz'; did you mean 'rans'"):
        hwsim.transport(q, "ranz")


@given(counts=st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(lambda c: sum(map(bool, c)) > 1))
def test_huffman_is_within_one_bit_of_the_entropy(counts):
    assert entropy(np.array(counts)) - 1e-9 <= huffman_length(np.array(counts)) < entropy(np.array(counts)) + 1


def test_a_single_symbol_costs_nothing():
    assert entropy(np.array([0, 7])) == huffman_length(np.array([0, 7])) == 0


@given(value=st.integers(-(1 << 61), 1 << 61), shift=st.integers(0, 62))
def test_roundings_of_a_shift(value, shift):
    whole, rest = divmod(value, 1 << shift)
    twice = 2 * rest - (1 << shift)
    nearest = whole + (twice > 0)
    tie = twice == 0
    expected = {
        "even": nearest + (tie and whole % 2), "away": nearest + (tie and value > 0), "up": nearest + tie,
        "floor": whole, "truncate": whole + (rest > 0 and value < 0),
    }  # fmt: skip
    for mode in rounding.MODES:
        assert rounding.shift_right(np.array([value]), shift, mode).tolist() == [expected[mode]]


@given(a=st.integers(-(1 << 31), (1 << 31) - 1), b=st.integers(-(1 << 31), (1 << 31) - 1))
def test_the_high_multiply_is_gemmlowps(a, b):
    nudge = (1 << 30) if a * b >= 0 else 1 - (1 << 30)
    expected = min(int(math.copysign(abs(a * b + nudge) >> 31, a * b + nudge)), (1 << 31) - 1)
    assert rounding.high_multiply(np.array([a]), b).tolist() == [expected]


def test_unknown_roundings_and_shifts():
    with pytest.raises(FormatError, match="unknown rounding 'evne'; did you mean 'even'"):
        rounding.shift_right(np.zeros(1), 1, "evne")
    with pytest.raises(FormatError, match="a shift of 63"):
        rounding.shift_right(np.zeros(1), 63, "even")


@pytest.mark.parametrize("slope", [1, 2, 3.5])
def test_the_cyclic_activation_is_continuous_and_zero_where_sums_wrap(slope):
    m = np.arange(-128, 129)
    values = wrapnet.cyclic(m, 8, slope)
    assert values[0] == values[-1] == 0
    assert (values == -values[::-1]).all()
    assert np.abs(np.diff(values)).max() <= slope
    for bad in (0, -1, np.inf, np.nan):
        with pytest.raises(FormatError, match="slope"):
            wrapnet.cyclic(m, 8, bad)
    with pytest.raises(FormatError, match="signed 8 bits"):
        wrapnet.cyclic(np.array([129]), 8)


def test_pixels_are_looked_up_channel_by_channel():
    rng = np.random.default_rng(0)
    tables, pixels = rng.integers(0, 4, (3, 256, 5), np.uint8), rng.integers(0, 256, (2, 3, 4, 6), np.uint8)
    embedding = PixelEmbedding(tables=tables, bits=2)
    out = embedding.lookup(pixels)
    assert out.shape == (2, 15, 4, 6)
    assert embedding.storage_bits == 3 * 256 * 5 * 2
    for i, c, y, x in np.ndindex(pixels.shape):
        assert (out[i, 5 * c : 5 * c + 5, y, x] == tables[c, pixels[i, c, y, x]]).all()


@pytest.mark.parametrize(("tables", "bits", "message"), [
    (np.zeros((1, 255, 2), np.uint8), 2, "expected uint8"),
    (np.zeros((1, 256, 2), np.int64), 2, "expected uint8"),
    (np.full((1, 256, 2), 4, np.uint8), 2, "does not fit 2 bits"),
    (np.zeros((1, 256, 2), np.uint8), 9, "does not fit 9 bits"),
])  # fmt: skip
def test_bad_pixel_tables(tables, bits, message):
    with pytest.raises(FormatError, match=message):
        PixelEmbedding(tables=tables, bits=bits)


def test_bad_pixels():
    embedding = PixelEmbedding(tables=np.zeros((2, 256, 1), np.uint8), bits=1)
    for pixels in (np.zeros((3, 4, 4), np.uint8), np.zeros((2, 4, 4), np.float32), np.zeros((4, 4), np.uint8)):
        with pytest.raises(FormatError, match=r"expected uint8|channels for tables"):
            embedding.lookup(pixels)
