"""Values and term counts of the integer datapaths against plain Python."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import Array, BitSerial, Mac, QTensor, Rule, lower, quantize, terms
from hwsim.codebook import Codebook
from hwsim.datapath import Stats
from hwsim.errors import DesignError, FormatError
from hwsim.formats.integer import codebook

RNG = np.random.default_rng(7)


def tensor(n, k, bits=8, group_size=None, offsets=False, rng=RNG):
    """A random lowered integer tensor with group scales in -127..127 and, if asked, offsets."""
    size = group_size or k
    groups = (n, -(-k // size))
    return QTensor(
        format=f"int{bits}", shape=(n, k), codes=rng.integers(0, 1 << bits, (n, k)).astype(np.uint8),
        codebook=codebook(bits), group_size=size,
        scale=rng.integers(-127, 128, groups).astype(np.int32) if group_size else np.ones(groups, np.int32),
        offset=rng.integers(-8, 8, groups).astype(np.int32) if offsets else None,
        channel_scale=np.ones(n, np.float32),
    )  # fmt: skip


def clamp(value, bits):
    return min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


def reference(x, w, datapath):
    """docs/hardware.md's order of arithmetic, one Python integer at a time."""

    def limit(value, bits):
        if datapath.overflow == "saturate":
            return clamp(value, bits)
        return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))

    out = np.zeros((len(x), w.n), dtype=np.int64)
    for m, n in np.ndindex(out.shape):
        acc = 0
        for g in range(w.groups):
            ks = range(g * w.group_size, min((g + 1) * w.group_size, w.k))
            gacc = 0
            for low in range(0, len(ks), datapath.lanes):
                step = sum(int(x[m, k]) * int(w.integers[n, k]) for k in ks[low : low + datapath.lanes])
                if datapath.scale_stage:
                    gacc = limit(gacc + step, datapath.group_accumulator_bits)
                else:
                    acc = limit(acc + step, datapath.accumulator_bits)
            if datapath.scale_stage:
                z = int(w.offset[n, g]) if w.offset is not None else 0
                total = int(w.scale[n, g]) * gacc + z * sum(int(x[m, k]) for k in ks)
                acc = limit(acc + total, datapath.accumulator_bits)
        out[m, n] = acc
    return out


CASES = [
    (Mac(), {}),
    (Mac(lanes=3), {"group_size": 5}),
    (Mac(offset_bits=8, lanes=4), {"group_size": 4, "offsets": True}),
    (Mac(scale_bits=0, lanes=5, overflow="saturate", accumulator_bits=16), {}),
    (
        Mac(overflow="saturate", accumulator_bits=20, group_accumulator_bits=14, offset_bits=4),
        {"group_size": 7, "offsets": True},
    ),
    (BitSerial(lanes=4), {"bits": 4, "group_size": 6}),
    (BitSerial(lanes=4, skip="zero", overflow="saturate", group_accumulator_bits=12), {"bits": 3, "group_size": 6}),
]  # fmt: skip


@pytest.mark.parametrize(("datapath", "kind"), CASES)
@pytest.mark.parametrize("extreme", [False, True])
def test_matmul_is_the_stated_order_of_additions(datapath, kind, extreme):
    w = tensor(5, 19, **kind)
    x = RNG.integers(-128, 128, (4, 19))
    if extreme:
        x[:2], x[2:] = -128, 127
    assert (datapath.matmul(x, w) == reference(x, w, datapath)).all()


@given(k=st.integers(1, 3000), seed=st.integers(0, 1 << 30))
def test_the_fast_path_is_exact_at_extreme_values(k, seed):
    rng = np.random.default_rng(seed)
    w = tensor(3, k, rng=rng)
    x = rng.choice([-128, 127], (2, k))
    assert (Mac().matmul(x, w) == x @ w.integers.astype(np.int64).T).all()


@pytest.mark.parametrize(
    ("activation_bits", "bits", "limit"), [(2, 20, 1 << 15), (8, 8, 1 << 12), (8, 4, 4), (16, 4, 8)]
)
@pytest.mark.parametrize("k", [1, 64, 200, 700])
def test_slices_and_doubles_are_exact_for_weights_of_any_size(activation_bits, bits, limit, k):
    rng = np.random.default_rng(k)
    table = np.append(rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), 15), 1 - (1 << (bits - 1)))
    limit = max(1, min(limit, (1 << 31) // (k << (activation_bits + bits - 2)) - 1))
    w = QTensor(
        format="made", shape=(3, k), codes=rng.integers(0, 16, (3, k)).astype(np.uint8), group_size=50,
        codebook=Codebook(bits=4, mantissas=table[None], exponents=np.zeros((1, 16), np.int16)),
        scale=rng.integers(-limit, limit + 1, (3, -(-k // 50))).astype(np.int32), channel_scale=np.ones(3, np.float32),
    )  # fmt: skip
    datapath = BitSerial(weight_bits=20, scale_bits=16, activation_bits=activation_bits, overflow="saturate")
    x = rng.choice([-(1 << (activation_bits - 1)), (1 << (activation_bits - 1)) - 1], (4, k))
    folded = w.integers.astype(object) * w.scale.astype(object)[:, w.group_index]
    dataclasses.replace(datapath, overflow="wrap").supports(w)
    assert (datapath.matmul(x, w) == x.astype(object) @ folded.T).all()


def test_a_sum_that_could_overflow_is_refused_with_the_width_it_needs():
    w = tensor(2, 100)
    narrow = Mac(scale_bits=0, accumulator_bits=16)
    with pytest.raises(FormatError, match="accumulator_bits="):
        narrow.supports(w)
    dataclasses.replace(narrow, overflow="saturate").supports(w)


@pytest.mark.parametrize(
    ("datapath", "w", "message"),
    [
        (Mac(), quantize(np.ones((2, 4)), "int8"), "lower it first"),
        (Mac(weight_bits=4), lower(quantize(np.ones((2, 4)), "int8")), "use weight_bits=8"),
        (Mac(scale_bits=0), tensor(2, 8, group_size=4), "use scale_bits=8"),
        (Mac(scale_bits=4), tensor(2, 80, group_size=4), "more scale_bits"),
        (BitSerial(), tensor(2, 8, group_size=4, offsets=True), "use more offset_bits"),
    ],
)
def test_what_a_datapath_cannot_take_is_refused_with_a_remedy(datapath, w, message):
    with pytest.raises(FormatError, match=message) as error:
        datapath.supports(w)
    assert datapath.name() in str(error.value)
    assert repr(w.format) in str(error.value)


@pytest.mark.parametrize("x", [np.full((1, 4), 128), np.ones((1, 5), int), np.ones((1, 4)), np.ones(4, int)])
def test_wrong_activations_are_refused(x):
    with pytest.raises(FormatError, match="mac"):
        Mac().matmul(x, lower(quantize(np.ones((2, 4)), "int8")))


@pytest.mark.parametrize("scheme", terms.SCHEMES)
@pytest.mark.parametrize("bits", range(2, 9))
def test_terms_are_signed_powers_of_two_that_sum_to_the_weight(scheme, bits):
    values = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    counts = terms.count(values, bits, scheme)
    for value, count in zip(values.tolist(), counts, strict=True):
        parts = terms.decompose(value, bits, scheme)
        assert sum(parts) == value
        assert len(parts) == terms.per_weight(bits, scheme)
        assert count == sum(part != 0 for part in parts)
        assert all(abs(part) & (abs(part) - 1) == 0 for part in parts)


def test_booth_int8_has_four_terms_and_three_on_average():
    counts = terms.count(np.arange(-128, 128), 8, "booth")
    assert terms.per_weight(8, "booth") == 4
    assert counts.mean() == 3.0  # radix-4 Booth over all int8 codes


def test_bitmod_fp3_takes_two_terms_only_for_its_special_values():
    w = lower(quantize(np.random.default_rng(3).standard_normal((6, 256)), "bitmod_fp3"))
    counts = terms.count(w.integers, w.integer_bits, "naf")
    special = np.isin(np.abs(w.integers), [3, 6])
    assert special.any()
    assert (counts == np.where(special, 2, w.integers != 0)).all()
    assert terms.per_step(w, "naf") == 2


@pytest.mark.parametrize("skip", ["none", "zero"])
@pytest.mark.parametrize("scheme", terms.SCHEMES)
@pytest.mark.parametrize(
    ("n", "k", "group_size", "cols", "lanes"), [(7, 22, 8, 3, 4), (4, 9, None, 4, 16), (1, 1, None, 2, 1)]
)
def test_bit_serial_stats_count_lock_step_terms(skip, scheme, n, k, group_size, cols, lanes):
    w = tensor(n, k, bits=5, group_size=group_size)
    datapath = BitSerial(skip=skip, scheme=scheme, lanes=lanes)
    nonzero, column_cycles, first_wait, *tile_cycles = datapath.stats(w, Array(rows=1, cols=cols)).values.tolist()
    count = [[sum(t != 0 for t in terms.decompose(int(v), 5, scheme)) for v in row] for row in w.integers]
    assert nonzero == sum(map(sum, count))
    expected = []
    for low in range(0, n, cols):
        cycles = 0
        for start in range(0, k, w.group_size):
            stop = min(start + w.group_size, k)
            for first in range(start, stop, lanes):
                if skip == "none":
                    cycles += 3 if scheme == "naf" else terms.per_weight(5, scheme)  # 11 = 16 - 4 - 1
                else:
                    last = min(first + lanes, stop)
                    cycles += max(1, *(c for row in count[low : low + cols] for c in row[first:last]), 1)
        expected.append(cycles)
    assert first_wait == 0
    assert tile_cycles == expected
    assert column_cycles == sum(c * min(cols, n - i * cols) for i, c in enumerate(expected))


def columns_that_run_ahead(durations: list[list[int]], depth: int) -> int:
    """Cycles until every column has taken every step, each for ``durations[column][step]``, watched cycle by cycle."""
    position, spent, cycles = [0] * len(durations), [0] * len(durations), 0
    steps = len(durations[0])
    while min(position) < steps:
        slowest = min(position)  # steps up to slowest + depth - 1 wait in the array
        for column, each in enumerate(durations):
            if position[column] < min(steps, slowest + depth):
                spent[column] += 1
                if spent[column] == each[position[column]]:
                    position[column], spent[column] = position[column] + 1, 0
        cycles += 1
    return cycles


@given(
    n=st.integers(1, 7),
    k=st.integers(1, 40),
    group_size=st.integers(1, 40),
    cols=st.integers(1, 4),
    lanes=st.integers(1, 5),
    depth=st.integers(1, 6),
    scale_bits=st.integers(1, 12),
    serial=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_columns_run_ahead_within_a_group(n, k, group_size, cols, lanes, depth, scale_bits, serial, seed):
    rng = np.random.default_rng(seed)
    w = tensor(n, k, bits=8, group_size=group_size, rng=rng)
    dequantization = "serial" if serial else "parallel"
    datapath = BitSerial(
        skip="zero", scheme="naf", lanes=lanes, fifo_depth=depth, scale_bits=scale_bits, dequantization=dequantization
    )
    _, column_cycles, first_wait, *tile_cycles = datapath.stats(w, Array(rows=1, cols=cols)).values.tolist()
    count = terms.count(w.integers, 8, "naf")
    latency = scale_bits if serial else 1
    expected, busy, first = [], 0, None
    for low in range(0, n, cols):
        cycles = 0
        for start in range(0, k, w.group_size):
            group = count[low : low + cols, start : start + w.group_size]
            durations = [
                [max(1, int(row[i : i + lanes].max())) for i in range(0, group.shape[1], lanes)] for row in group
            ]
            took = columns_that_run_ahead(durations, depth)
            first = took if first is None else first
            cycles += max(took, latency)
            busy += took * len(group) if depth == 1 else sum(map(sum, durations))
        expected.append(cycles)
    assert tile_cycles == expected
    assert first_wait == max(0, latency - first)
    assert column_cycles == busy


def test_a_rule_refuses_to_compute_values():
    class Fixed(Rule):
        def stats(self, w, array):
            return Stats(values=np.zeros(1, np.int64))

        def params(self, array):
            return np.zeros(1, np.int64)

        def components(self, array):
            return ()

        def peak_macs(self, w, array):
            return 1.0

    assert Fixed().verified == "model only"
    with pytest.raises(DesignError, match="cost-only rule"):
        Fixed().matmul(np.ones((1, 1), int), tensor(1, 1))
