"""Buckets of activations: values against brute force, cycles and events against counting by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import Array, Design, LutBuckets, digits, lower, quantize, simulate
from hwsim.codebook import Codebook
from hwsim.errors import DesignError, FormatError
from hwsim.qtensor import QTensor

CODEBOOK_FORMATS = {
    "ant": {}, "ant_flint4": {}, "squeezellm": {}, "bitmod_fp4": {"group_size": 8}, "bitmod_fp3": {"group_size": 20},
    "denseshift": {}, "mxfp4": {"group_size": 8}, "nvfp4": {"pad": True}, "pot": {}, "luq": {}, "binary": {},
    "int4": {"group_size": 12, "pad": True}, "bitnet158": {}, "plum": {}, "tbn": {"p": 4}, "abq": {},
}  # fmt: skip
"""Formats with one codebook entry per weight of at most 4 bits, and their parameters."""


def weights(name: str, n: int = 8, k: int = 40, seed: int = 0, **more: object) -> QTensor:
    real = np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32)
    return lower(quantize(real, name, **(CODEBOOK_FORMATS.get(name, {}) | more)))


def exact(x: np.ndarray, w: QTensor) -> np.ndarray:
    """What any datapath accumulates, from the decoded integers."""
    total = w.integers.astype(np.int64) * w.scale[:, w.group_index]
    if w.offset is not None:
        total = total + w.offset[:, w.group_index]
    return x.astype(np.int64) @ total.T


def reference(x: np.ndarray, w: QTensor, datapath: LutBuckets) -> np.ndarray:
    """docs/hardware.md's buckets, one Python integer at a time."""

    def limit(value: int, bits: int) -> int:
        return min(max(value, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)

    table = w.codebook.integers.tolist()
    out = np.zeros((len(x), w.n), dtype=np.int64)
    for m, n in np.ndindex(out.shape):
        acc = 0
        for g in range(w.groups):
            ks = range(g * w.group_size, min((g + 1) * w.group_size, w.k))
            buckets = [0] * len(table[0])
            taken = 1 if datapath.adders == "serial" else datapath.lanes
            for low in range(0, len(ks), taken):
                for code in range(len(buckets)):
                    added = sum(int(x[m, k]) for k in ks[low : low + taken] if w.expanded_codes[n, k] == code)
                    buckets[code] = limit(buckets[code] + added, datapath.group_accumulator_bits)
            entries = table[0 if w.select is None else int(np.broadcast_to(w.select, (w.n, w.groups))[n, g])]
            addends = [int(w.scale[n, g]) * value * bucket for value, bucket in zip(entries, buckets, strict=True)]
            if w.offset is not None:
                addends[0] += int(w.offset[n, g]) * sum(int(x[m, k]) for k in ks)
            for addend in addends if datapath.adders == "serial" else [sum(addends)]:
                acc = limit(acc + addend, datapath.accumulator_bits)
        out[m, n] = acc
    return out


@pytest.mark.parametrize("adders", ["serial", "parallel"])
@pytest.mark.parametrize("name", CODEBOOK_FORMATS)
def test_adding_by_code_is_multiplying(name, adders):
    w = weights(name)
    datapath = LutBuckets(adders=adders, scale_bits=24, offset_bits=16)
    x = np.random.default_rng(1).integers(-128, 128, (5, w.k))
    x[0], x[1], x[2] = -128, 127, 0
    assert (datapath.matmul(x, w) == exact(x, w)).all()
    assert (datapath.add_up(x, w) == exact(x, w)).all()


def test_codebooks_of_tiles_of_8_channels_and_64_weights():
    # LUT-B: 3 bits, 8 E4M3 values per tile; a table for each.
    rng = np.random.default_rng(2)
    floats = quantize(rng.standard_normal((6, 8)), "fp8_e4m3")
    values = floats.codebook.values[0][floats.codes]
    select = np.arange(6, dtype=np.uint16).reshape(2, 3).repeat(8, axis=0)
    w = lower(
        QTensor(
            format="tiles", shape=(16, 192), codes=rng.integers(0, 8, (16, 192)).astype(np.uint8), group_size=64,
            codebook=Codebook.of(values, 3, entry_bits=8), select=select, scale=np.ones((1, 1), np.float32),
            channel_scale=np.ones(16, np.float32),
        )
    )  # fmt: skip
    x = rng.integers(-8, 8, (3, 192))
    datapath = LutBuckets(weight_bits=3, activation_bits=4, scale_bits=24)
    assert (datapath.matmul(x, w) == exact(x, w)).all()
    expected = x @ w.dequantize().astype(np.float64).T / w.channel_scale
    assert (datapath.matmul(x, w) == expected).all()


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(["ant", "bitmod_fp4", "int4", "bitnet158", "abq"]),
    lanes=st.integers(1, 5),
    adders=st.sampled_from(["serial", "parallel"]),
    bits=st.tuples(st.integers(8, 20), st.integers(8, 14)),
    seed=st.integers(0, 1 << 20),
)
def test_saturation_is_the_stated_order_of_additions(name, lanes, adders, bits, seed):
    w = weights(name, n=3, k=24, seed=seed)
    datapath = LutBuckets(
        lanes=lanes, adders=adders, overflow="saturate", accumulator_bits=bits[0], group_accumulator_bits=bits[1],
        offset_bits=16,
    )  # fmt: skip
    x = np.random.default_rng(seed).choice([-128, 127, 3], (2, w.k))
    assert (datapath.matmul(x, w) == reference(x, w, datapath)).all()


def test_widths_are_proved_from_the_fullest_bucket_and_not_wider():
    w = weights("ant_flint4")
    fullest = max(np.bincount(row).max() for row in w.codes)
    needed = int(128 * fullest).bit_length() + 1
    LutBuckets(group_accumulator_bits=needed).supports(w)
    with pytest.raises(FormatError, match=rf"can reach {128 * fullest}, .*group_accumulator_bits={needed}"):
        LutBuckets(group_accumulator_bits=needed - 1).supports(w)
    total = int(128 * np.abs(w.integers.astype(int)).sum(axis=1).max()).bit_length() + 1
    LutBuckets(accumulator_bits=total).supports(w)
    with pytest.raises(FormatError, match=f"accumulator_bits={total}"):
        LutBuckets(accumulator_bits=total - 1).supports(w)


@pytest.mark.parametrize(
    ("name", "parameters", "fields", "message"),
    [
        ("bcq", {"group_size": 8}, {}, "it has plane_weights.*or lut"),
        ("olive", {}, {}, "depends on its neighbour"),
        ("int8", {}, {}, "256 entries and there are 16 buckets; use weight_bits=8"),
        ("bf16", {}, {}, "shorter codes"),
        ("squeezellm", {}, {"scale_bits": 12}, "exceed 12 bits"),
        ("abq", {}, {}, "offsets exceed offset_bits=0"),
        ("fp8_e4m3", {}, {"weight_bits": 8, "scale_bits": 24, "accumulator_bits": 24}, "needs accumulator_bits="),
    ],
)
def test_what_it_cannot_take_is_refused_with_a_remedy(name, parameters, fields, message):
    w = lower(quantize(np.random.default_rng(4).standard_normal((8, 40)).astype(np.float32), name, **parameters))
    with pytest.raises(FormatError, match=message) as error:
        LutBuckets(**fields).supports(w)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"), [({"weight_bits": 9}, "weight_bits = 9"), ({"scale_bits": 0}, "scale_bits = 0"),
                            ({"adders": "many"}, "'many' is not one of")],
)  # fmt: skip
def test_bad_parameters_are_named(fields, message):
    with pytest.raises(DesignError, match=message):
        LutBuckets(**fields)


def test_weight_stationary_is_refused():
    design = Design(datapath=LutBuckets(), array=Array(dataflow="weight_stationary"))
    with pytest.raises(DesignError, match=r"use array.dataflow='output_stationary'"):
        simulate(digits.load("mlp_int4"), design)


def cycles_of(datapath: LutBuckets, array: Array, w: QTensor, m: int) -> int:
    shape = np.array([m, w.n, w.k, w.group_size, 0])
    return int(datapath.cycles(shape, datapath.stats(w, array).values, datapath.params(array)))


def test_buckets_are_scaled_while_the_next_group_is_added_up():
    array, m = Array(rows=4, cols=8), 4
    w = weights("int4", k=60, group_size=20)  # 3 groups of 20, 16 buckets
    serial = LutBuckets(lanes=4)
    assert cycles_of(serial, array, w, m) == 60 + m + 16 + 3 + 2
    w = weights("int4", k=40, group_size=8)  # 5 groups of 8 cycles, all but the first wait for 16
    assert cycles_of(serial, array, w, m) == 8 + 4 * 16 + m + 16 + 3 + 2
    parallel = dataclasses.replace(serial, adders="parallel")
    assert cycles_of(parallel, array, w, m) == 10 + m + 1 + 3 + 2


@pytest.mark.parametrize(("adders", "accumulated"), [("serial", 40), ("parallel", 10 * 16)])
def test_events_count_what_is_added_and_scaled(adders, accumulated):
    w, array, m = weights("int4", n=20, group_size=8), Array(rows=4, cols=8), 6
    datapath = LutBuckets(lanes=4, adders=adders)
    counts = np.zeros(len(LutBuckets.EVENTS), np.int64)
    shape = np.array([m, w.n, w.k, w.group_size, 0])
    datapath.events(shape, datapath.stats(w, array).values, datapath.params(array), counts)
    named = {event.action: int(count) for event, count in zip(LutBuckets.EVENTS[:4], counts, strict=False)}
    cycles = cycles_of(datapath, array, w, m)
    assert named == {
        "select": m * 20 * 40, "accumulate": m * 20 * accumulated, "scale": m * 20 * 5 * 16, "clock": cycles * 32
    }  # fmt: skip


def test_a_network_runs_and_is_verified():
    design = Design(datapath=LutBuckets(), array=Array(rows=8, cols=8), technology="horowitz45")
    result = simulate(digits.load("cnn_bitmod"), design)
    assert result.verified == "rtl"
    assert result.energy_pj > 0
