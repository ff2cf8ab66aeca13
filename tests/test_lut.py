"""Look-up tables: values against brute force, cycles, events and reuse against counting by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import Array, Design, Lut, digits, lower, presets, quantize, simulate
from hwsim.errors import DesignError, FormatError
from hwsim.qtensor import QTensor
from hwsim.switching.steps import steps

PLANE_FORMATS = {
    "binary": ({}, {}),
    "bitnet158": ({}, {}),
    "plum": ({}, {}),
    "tbn": ({"p": 4}, {}),
    "int2": ({"group_size": 8}, {}),
    "int4": ({"group_size": 12, "pad": True}, {}),
    "int8": ({}, {"weight_bits": 8}),
    "abq": ({}, {"offset_bits": 16}),
    "decoupleq": ({"group_size": 8}, {"offset_bits": 16}),
    "adabin": ({}, {"offset_bits": 16}),
    "bcq": ({"group_size": 8}, {"plane_scales": True}),
    "bcq_uniform": ({"group_size": 8}, {"plane_scales": True, "offset_bits": 16}),
    "fdb": ({"group_size": 8}, {"plane_scales": True}),
}
"""Every format in bit planes: its parameters, and the fields of a `Lut` that takes it."""


def weights(name: str, n: int = 8, k: int = 40, seed: int = 0) -> QTensor:
    real = np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32)
    return lower(quantize(real, name, **PLANE_FORMATS[name][0]))


def exact(x: np.ndarray, w: QTensor) -> np.ndarray:
    """What any datapath accumulates, from the decoded integers."""
    total = w.integers.astype(np.int64) * w.scale[:, w.group_index]
    if w.offset is not None:
        total = total + w.offset[:, w.group_index]
    return x.astype(np.int64) @ total.T


@pytest.mark.parametrize("planes", ["serial", "parallel"])
@pytest.mark.parametrize("name", PLANE_FORMATS)
def test_looking_up_is_multiplying(name, planes):
    w = weights(name)
    datapath = Lut(planes=planes, **PLANE_FORMATS[name][1])
    x = np.random.default_rng(1).integers(-128, 128, (5, w.k))
    x[0], x[1], x[2] = -128, 127, 0
    assert (datapath.matmul(x, w) == exact(x, w)).all()
    assert (datapath.look_up(x, w) == exact(x, w)).all()


@pytest.mark.parametrize("name", ["int4", "plum", "binary", "bitnet158"])
def test_planes_take_scales_of_their_own_without_a_change(name):
    w = weights(name)
    datapath = Lut(plane_scales=True, scale_bits=12, offset_bits=12)
    x = np.random.default_rng(2).integers(-128, 128, (3, w.k))
    assert (datapath.look_up(x, w) == exact(x, w)).all()


def rounded_entry(values: list[int], signs: list[int]) -> int:
    """docs/hardware.md: a signed sum in 8 bits and the power of two that its table needs."""
    shift = max(0, sum(map(abs, values)).bit_length() - 7)
    positive = signs if signs[-1] > 0 else [-sign for sign in signs]
    total = sum(sign * value for sign, value in zip(positive, values, strict=True))
    if shift:
        total = min(max((total + (1 << (shift - 1))) >> shift, -127), 127) << shift
    return total if positive is signs else -total


def reference(x: np.ndarray, w: QTensor, datapath: Lut) -> np.ndarray:
    """docs/hardware.md's look-ups, one Python integer at a time."""

    def limit(value: int, bits: int) -> int:
        bound = 1 << (bits - 1)
        return min(max(value, -bound), bound - 1) if datapath.overflow == "saturate" else value

    signs, constants = datapath.sign_planes(w), datapath.group_constants(w)
    codes = signs.codes(w)
    index, last = steps(w.k, w.group_size, datapath.lanes)
    out = np.zeros((len(x), w.n), dtype=np.int64)
    for m, n in np.ndindex(out.shape):
        acc, group, sums, total = 0, 0, [0] * signs.count, 0
        for t, ks in enumerate(index):
            values = [int(x[m, k]) if k < w.k else 0 for k in ks]
            found = []
            for plane in range(signs.count):
                bits = [int(codes[n, k]) >> plane & 1 if k < w.k else 0 for k in ks]
                chosen = [2 * bit - 1 for bit in bits]
                found.append(
                    sum(
                        rounded_entry(values[low : low + datapath.mu], chosen[low : low + datapath.mu])
                        if datapath.entries == "int8"
                        else sum(a * b for a, b in zip(values[low:][: datapath.mu], chosen[low:], strict=False))
                        for low in range(0, datapath.lanes, datapath.mu)
                    )
                )
            total += sum(values)
            constant = signs.constant * sum(values)
            if datapath.plane_scales:
                sums = [
                    limit(old + ((new + constant) >> signs.halve), datapath.group_accumulator_bits)
                    for old, new in zip(sums, found, strict=True)
                ]
            else:
                step = 0
                for plane in reversed(range(signs.count)):
                    step = (step << (signs.doubles >> plane & 1)) + found[plane]
                step = (step + constant) >> signs.halve
                if datapath.scale_stage:
                    sums[0] = limit(sums[0] + step, datapath.group_accumulator_bits)
                else:
                    acc = limit(acc + step, datapath.accumulator_bits)
            if last[t] and datapath.scale_stage:
                scale = constants["scale"][n, group].reshape(-1)[: signs.count].tolist()
                scaled = sums[:1] if not datapath.plane_scales else sums[::-1] if datapath.scales_in_turn else sums
                products = [a * b for a, b in zip(scale, scaled, strict=False)]
                offset = int(constants["offset"][n, group]) * total
                turns = products if datapath.scales_in_turn else [sum(products)]
                for turn, product in enumerate(turns):
                    more = 0 if turn else offset
                    acc = limit(acc + product + more, datapath.accumulator_bits)
                group, sums, total = group + 1, [0] * signs.count, 0
        out[m, n] = acc
    return out


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["int4", "binary", "plum", "bitnet158", "bcq", "fdb", "abq"]),
    mu=st.integers(1, 5),
    tables=st.integers(1, 3),
    bits=st.sampled_from([4, 8, 12]),
    planes=st.sampled_from(["serial", "parallel"]),
    saturates=st.booleans(),
    seed=st.integers(0, 1 << 20),
)
def test_rounded_tables_are_the_stated_arithmetic(name, mu, tables, bits, planes, saturates, seed):
    w = weights(name, n=3, k=24, seed=seed)
    datapath = Lut(
        mu=mu, lanes=mu * tables, activation_bits=bits, planes=planes, entries="int8",
        overflow="saturate" if saturates else "wrap", accumulator_bits=20 if saturates else 32,
        group_accumulator_bits=12 if saturates else 32, **{"offset_bits": 16, **PLANE_FORMATS[name][1]},
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    x = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (2, w.k))
    x[1] = rng.choice([-(1 << (bits - 1)), (1 << (bits - 1)) - 1, 0], w.k)
    assert (datapath.matmul(x, w) == reference(x, w, datapath)).all()


def test_planes_of_their_own_scales_saturate_in_their_order():
    w = weights("bcq", n=3, k=24)
    x = np.full((1, 24), 127)
    for planes in ("serial", "parallel"):
        datapath = Lut(
            plane_scales=True, planes=planes, overflow="saturate", accumulator_bits=16, group_accumulator_bits=9
        )
        assert (datapath.matmul(x, w) == reference(x, w, datapath)).all()


def test_rounding_to_8_bits_is_exact_where_sums_fit_them():
    w = weights("int4")
    x = np.random.default_rng(3).integers(-31, 32, (4, w.k))  # four of them stay below 128
    assert (Lut(entries="int8").matmul(x, w) == exact(x, w)).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mu": 9}, "mu = 9: accepted are 1 to 8"),
        ({"mu": 0}, "mu = 0"),
        ({"mu": 3}, "lanes=8 is not a multiple of mu=3"),
        ({"weight_bits": 9}, "weight_bits = 9"),
        ({"build": "greedy"}, "'greedy' is not one of"),
        ({"plane_scales": True, "scale_bits": 0}, "plane_scales=True needs scale_bits"),
    ],
)
def test_bad_parameters_are_named(fields, message):
    with pytest.raises(DesignError, match=message):
        Lut(**fields)


@pytest.mark.parametrize(
    ("name", "parameters", "fields", "message"),
    [
        ("ant_flint4", {}, {}, "no bit planes.*mac, bit_serial"),
        ("bitmod_fp4", {"group_size": 8}, {}, "no bit planes"),
        ("int8", {}, {}, "8 planes and weight_bits is 4; use weight_bits=8"),
        ("bcq", {"group_size": 8}, {}, "use plane_scales=True"),
        ("int4", {"group_size": 8}, {"scale_bits": 0}, "use scale_bits=8"),
        ("int4", {}, {"accumulator_bits": 12}, "needs accumulator_bits="),
        ("bcq", {"group_size": 8}, {"plane_scales": True, "group_accumulator_bits": 10}, "group_accumulator_bits=12"),
        ("int4", {}, {"accumulator_bits": 12, "entries": "int8"}, "needs accumulator_bits="),
    ],
)
def test_what_it_cannot_take_is_refused_with_a_remedy(name, parameters, fields, message):
    w = lower(quantize(np.random.default_rng(4).standard_normal((8, 40)).astype(np.float32), name, **parameters))
    with pytest.raises(FormatError, match=message) as error:
        Lut(**fields).supports(w)
    assert repr(name) in str(error.value)


def test_widths_are_proved_from_the_weights_and_not_wider():
    w = weights("int4")
    total = w.integers.astype(np.int64) * w.scale[:, w.group_index]
    largest = int((128 * np.abs(total)).sum(axis=1).max())
    needed = {
        entries: next(b for b in range(4, 33) if _takes(Lut(entries=entries, accumulator_bits=b), w))
        for entries in ("exact", "int8")
    }
    assert needed["exact"] == largest.bit_length() + 1
    # Rounded planes no longer cancel: as if all weights were -8.
    bound = int((128 * 8 * np.abs(w.scale[:, w.group_index])).sum(axis=1).max())
    assert needed["int8"] == bound.bit_length() + 1


def _takes(datapath: Lut, w: QTensor) -> bool:
    try:
        datapath.supports(w)
    except FormatError:
        return False
    return True


@pytest.mark.parametrize(
    ("readers", "array", "message"),
    [
        (3, Array(rows=2, cols=8), "readers=3 does not divide cols=8; use 1, 2, 4, 8, or 0"),
        (0, Array(rows=2, cols=8, dataflow="weight_stationary"), "use array.dataflow='output_stationary'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(readers, array, message):
    design = Design(datapath=Lut(readers=readers), array=array)
    with pytest.raises(DesignError, match=message):
        simulate(digits.load("mlp_int4"), design)


def cycles_of(datapath: Lut, array: Array, w: QTensor, m: int) -> int:
    shape = np.array([m, w.n, w.k, w.group_size, 0])
    return int(datapath.cycles(shape, datapath.stats(w, array).values, datapath.params(array)))


def test_a_step_takes_a_cycle_per_plane_or_one_for_all():
    array = Array(rows=4, cols=8)
    for bits in (2, 4, 8):
        w = weights(f"int{bits}", k=64) if bits != 4 else lower(quantize(np.eye(8, 64), "int4"))
        serial = Lut(lanes=4, weight_bits=8)
        steps_of_tile = w.groups * -(-w.group_size // 4)
        assert cycles_of(serial, array, w, 4) == bits * steps_of_tile + 4 + 1 + 3 + 2
        parallel = dataclasses.replace(serial, planes="parallel")
        assert cycles_of(parallel, array, w, 4) == steps_of_tile + 4 + 1 + 3 + 2


def test_one_adder_hides_behind_reads_that_take_longer():
    array, w = Array(rows=4, cols=8), weights("int8", k=64)
    fast = Lut(lanes=4, weight_bits=8)
    slow = dataclasses.replace(fast, build="incremental")
    assert slow.build_cycles == 10
    # 8 reads hide 8 of 10 cycles: 16 steps of 10 cycles instead of 8, and the first table's 8 that fill the pipeline.
    assert cycles_of(slow, array, w, 4) - cycles_of(fast, array, w, 4) == 16 * 2 + 8


def test_published_arrays_reach_their_published_throughput():
    w = {bits: lower(quantize(np.eye(64, 64), f"int{bits}")) for bits in (2, 4)}
    tensor_core, figlut = presets.load("lut_tensor_core"), presets.load("figlut")
    for bits in (2, 4):
        assert tensor_core.datapath.peak_macs(w[bits], tensor_core.array) == 512 / bits  # arXiv 2408.06003
        # A 2 x 64 x 4 tile takes as many cycles as weights have bits.
        two, one = (cycles_of(tensor_core.datapath, tensor_core.array, lower(quantize(np.eye(64, k), f"int{bits}")), 2)
                    for k in (8, 4))  # fmt: skip
        assert two - one == bits
    assert figlut.datapath.peak_macs(w[4], figlut.array) == 4096  # arXiv 2503.06862
    assert figlut.datapath.components(figlut.array)[1].count * 32 * 1 == 32 * 4 * 32  # readers of all tables
    assert len(tensor_core.datapath.table_build.additions) == 12
    assert len(figlut.datapath.table_build.additions) == 14


def test_events_count_what_is_built_and_read():
    w = lower(quantize(np.random.default_rng(5).standard_normal((20, 50)).astype(np.float32), "int4"))
    array, m = Array(rows=4, cols=8), 6
    datapath = Lut(lanes=8, mu=4, readers=4, build="two_level")
    counts = np.zeros(len(Lut.EVENTS), np.int64)
    shape = np.array([m, w.n, w.k, w.group_size, 0])
    datapath.events(shape, datapath.stats(w, array).values, datapath.params(array), counts)
    named = {(event.component, event.action): int(count) for event, count in zip(Lut.EVENTS, counts, strict=True)}
    tables, sets = 13, 5  # ceil(50 / 4); 20 columns of 4 readers
    assert named["lut.table", "add"] == m * sets * tables * 14
    assert named["lut.table", "write"] == m * sets * tables * 8
    assert named["lut.pe", "look_up"] == m * w.n * tables * 4
    assert named["lut.pe", "accumulate"] == m * w.n * 7
    assert named["requantizer", "requantize"] == m * w.n


def test_rows_that_repeat_are_computed_once():
    real = np.random.default_rng(6).standard_normal((32, 64)).astype(np.float32)
    w = lower(quantize(real, "tbn", p=4))
    array, plain = Array(rows=4, cols=4), Lut(lanes=8)
    reusing = dataclasses.replace(plain, reuse="rows")
    channels = reusing.channels(w, array)
    assert len(channels) == 2  # 8 distinct rows of 32
    delivered = np.concatenate([tile.ravel() for tile in channels])
    assert sorted(delivered.tolist()) == list(range(32))
    for tile in channels:
        for column in tile.T:
            assert (w.integers[column] == w.integers[column[0]]).all()
    m = 4
    steps_of_tile = 8
    # 8 tiles of 8 steps; or 2 tiles, during whose 8 steps the 4 x 4 rows of the one before leave
    assert cycles_of(plain, array, w, m) == 8 * steps_of_tile + m + 1 + 3 + 2
    assert cycles_of(reusing, array, w, m) == steps_of_tile + 16 + 16 + 1 + 3 + 2


def test_equal_signs_with_other_scales_are_not_the_same_row():
    w = lower(quantize(np.tile(np.random.default_rng(7).standard_normal((1, 16)), (4, 1)), "int4", group_size=8))
    assert len(Lut(reuse="rows").channels(w, Array(rows=1, cols=1))) == 1
    scale = w.scale.copy()
    scale[3, 1] += 1
    other = dataclasses.replace(w, scale=scale)
    assert len(Lut(reuse="rows").channels(other, Array(rows=1, cols=1))) == 2
