"""Switching of look-up arrays against models that go through their cycles one by one, in Python integers."""

import collections
import itertools

import numpy as np
import pytest

from hwsim import Array, Lut, LutBuckets, LutProducts, lower, quantize
from hwsim.datapath import Datapath
from hwsim.qtensor import QTensor
from hwsim.table_build import Build, Term


class Wires:
    """Counts the bits that change on named wires, all of which carry 0 at first."""

    def __init__(self) -> None:
        self.value: dict = collections.defaultdict(int)
        self.changes: collections.Counter = collections.Counter()

    def carry(self, feature: str, wire: object, value: int, bits: int) -> None:
        mask = (1 << bits) - 1
        self.changes[feature] += ((self.value[feature, wire] ^ int(value)) & mask).bit_count()
        self.value[feature, wire] = int(value)

    def scale(self, m: int, value: int, scale: int, bits: int, scale_bits: int) -> None:
        """The rows of a multiplier."""
        for place in range(scale_bits):
            self.carry("scale_toggles", (m, place), value if scale >> place & 1 else 0, bits + scale_bits - place)


def weights(name: str, n: int, k: int, seed: int, **parameters: object) -> QTensor:
    real = np.random.default_rng(seed).standard_normal((n, k)).astype(np.float32)
    return lower(quantize(real, name, **parameters))


def steps_of(w: QTensor, lanes: int) -> list[tuple[int, list[int], bool]]:
    """(group, its k, last of the group) of each step."""
    found = []
    for g in range(w.groups):
        ks = list(range(g * w.group_size, min((g + 1) * w.group_size, w.k)))
        found += [(g, ks[low : low + lanes], low + lanes >= len(ks)) for low in range(0, len(ks), lanes)]
    return found


def accumulate(wires: Wires, datapath: Datapath, w: QTensor, m: int, cycles: list[tuple[int, int, int, bool]]) -> None:
    """The group accumulator and its scale, of (column, group, sum so far of the step, complete)."""
    register, place, tile = 0, (0, 0), 0
    for i, (n, g, step, last) in enumerate(cycles):
        if n != place[0]:
            tile = 0
        if (n, g) != place:
            register, place = 0, (n, g)
        wires.carry("addend_toggles", m, step, datapath.group_accumulator_bits)
        wires.carry("addend_magnitude_toggles", m, abs(step), datapath.group_accumulator_bits)
        wires.changes["opposite_signs"] += (step < 0) != (register < 0)
        wires.carry("accumulator_toggles", m, register + step, datapath.group_accumulator_bits)
        register += step if last else 0
        scale = int(np.broadcast_to(w.scale, (w.n, w.groups))[n, g])
        wires.scale(m, register, scale, datapath.group_accumulator_bits, datapath.scale_bits)
        wires.carry("group_scale_toggles", m, scale, datapath.scale_bits)
        wires.carry("scaled_toggles", m, register * scale, datapath.group_accumulator_bits + datapath.scale_bits)
        if [each[:2] for each in cycles[i + 1 : i + 2]] != [(n, g)]:  # the group ends
            tile += register * scale
        wires.carry("total_toggles", m, tile, datapath.accumulator_bits)


def turn(wires: Wires, datapath: Datapath, m: int, total: int, scale: int) -> None:
    """A sum and its scale come to the multiplier."""
    wires.carry("turn_toggles", m, total, datapath.group_accumulator_bits)
    wires.carry("turn_scale_toggles", m, scale, datapath.scale_bits)
    wires.scale(m, total, scale, datapath.group_accumulator_bits, datapath.scale_bits)


def activations(datapath: Datapath, rows: int, k: int, seed: int) -> np.ndarray:
    limit = 1 << (datapath.activation_bits - 1)
    return np.random.default_rng(seed).integers(-limit, limit, (rows, k))


def assert_counts(datapath: Datapath, x: np.ndarray, w: QTensor, array: Array, wires: Wires) -> None:
    found = datapath.toggles(x, w, array)
    features = {feature for event in datapath.EVENTS for feature in event.features if feature in found}
    assert features
    assert {each: found[each] for each in features} == {each: wires.changes[each] for each in features}


def entry_of(build: Build, lanes: list[int], entry: Term) -> int:
    """The signed sum of a table's lanes that an entry is."""
    nodes = list(lanes)
    for a, b in build.additions:
        nodes.append(sum(term.sign * (nodes[term.node] << term.shift) for term in (a, b)))
    return entry.sign * (nodes[entry.node] << entry.shift)


def lut_wires(datapath: Lut, x: np.ndarray, w: QTensor, array: Array) -> Wires:
    wires, signs = Wires(), datapath.sign_planes(w)
    codes, mu, tables = signs.codes(w), datapath.mu, datapath.lanes // datapath.mu
    steps, build = steps_of(w, datapath.lanes), datapath.table_build
    serial = datapath.planes == "serial"
    cycles = max(signs.count if serial else 1, datapath.build_cycles)
    for _, m, (_, ks, _) in itertools.product(range(-(-w.n // datapath.sharing(array))), range(len(x)), steps):
        lanes = [int(x[m, k]) for k in ks] + [0] * (datapath.lanes - len(ks))
        for lane, value in enumerate(lanes):
            wires.carry("activation_toggles", (m, lane), value, datapath.activation_bits)
        for t in range(tables):
            nodes = lanes[t * mu : (t + 1) * mu]
            for i, (a, b) in enumerate(build.additions):
                nodes.append(sum(term.sign * (nodes[term.node] << term.shift) for term in (a, b)))
                wire = (m, t) if datapath.build_cycles else (m, t, i)
                wires.carry("node_toggles", wire, nodes[-1], datapath.exact_entry_bits)
                wires.carry("node_sign_toggles", wire, nodes[-1] < 0, 1)
        bits = datapath.activation_bits + (datapath.lanes - 1).bit_length()
        for i, j in itertools.product(range(bits), range(10)):
            wires.carry("constant_toggles", (m, i, j), sum(lanes) >> i & signs.constant >> j & 1, 1)
        if cycles > 1:  # enabled, and no longer
            values = [
                entry_of(build, lanes[t * mu : (t + 1) * mu], entry) % (1 << datapath.entry_bits)
                for t, entry in itertools.product(range(tables), build.entries)
            ]
            ones = sum(value.bit_count() for value in values)
            wires.changes["enable_set_bits"] += 2 * ones
            wires.changes["enable_unset_bits"] += 2 * (len(values) * datapath.entry_bits - ones)

    for m in range(len(x)):
        sums = []
        for n, (g, ks, _) in itertools.product(range(w.n), steps):
            a = [int(x[m, k]) for k in ks]
            total = 0
            planes = list(range(signs.count if serial else datapath.weight_bits))[::-1]
            padded = a + [0] * (datapath.lanes - len(a))
            for plane in planes:
                bit = [int(codes[n, k]) >> plane & 1 for k in ks] + [0] * (datapath.lanes - len(ks))
                for lane in range(datapath.lanes):
                    top = lane // mu * mu + mu - 1
                    stored = bit[lane] ^ (datapath.table == "half" and lane != top and not bit[top])
                    wires.carry("code_toggles", (m, lane, 0 if serial else plane), stored, 1)
                for t in range(tables):
                    pairs = zip(padded[t * mu : (t + 1) * mu], bit[t * mu : (t + 1) * mu], strict=True)
                    read = sum(v if b else -v for v, b in pairs)
                    wires.carry("read_toggles", (m, t, 0 if serial else plane), read, datapath.exact_entry_bits)
                    negated = datapath.table == "half" and not bit[t * mu + mu - 1]
                    raw = -read if negated else read
                    wires.carry("raw_toggles", (m, t, 0 if serial else plane), raw, datapath.exact_entry_bits)
                found = sum(v if b else -v for v, b in zip(a, bit, strict=False)) if plane < signs.count else 0
                total = (total << (signs.doubles >> plane & 1)) + found
                wires.carry("sum_toggles", (m, 0 if serial else plane), total, datapath.step_bits)
                if serial or plane == 0:
                    sums.append((n, g, (total + signs.constant * sum(a)) >> signs.halve, plane == 0))
        accumulate(wires, datapath, w, m, sums)
    return wires


@pytest.mark.parametrize(
    ("name", "parameters", "fields"),
    [
        ("int4", {"group_size": 12, "pad": True}, {}),
        ("int4", {"group_size": 12, "pad": True}, {"planes": "parallel", "table": "full"}),
        ("bitnet158", {}, {"weight_bits": 3, "planes": "parallel"}),
        ("plum", {}, {"build": "incremental", "mu": 2}),
        ("binary", {}, {"mu": 1, "lanes": 3, "readers": 1}),
    ],
)
def test_tables_of_sums(name, parameters, fields):
    datapath, w = Lut(**fields), weights(name, 4, 20, 1, **parameters)
    x, array = activations(datapath, 3, w.k, 2), Array(rows=2, cols=2)
    assert_counts(datapath, x, w, array, lut_wires(datapath, x, w, array))


def rounds_of(datapath: Lut, w: QTensor, columns: list[int], ks: list[int]) -> list[list[list[int]]]:
    """Codes of the lanes of every unit, round by round: each pattern once, in order; 0 where there is none left."""
    codes, units = datapath.sign_planes(w).codes(w), datapath.sum_units
    nonzero = [n for n in columns if w.integers[n, ks].any()]
    patterns = [list(each) for each in dict.fromkeys(tuple(map(int, codes[n, ks])) for n in nonzero)]
    padded = [each + [0] * (datapath.lanes - len(ks)) for each in patterns]
    rounds = [padded[low : low + units] for low in range(0, len(padded), units)] or [[]]
    return [each + [None] * (units - len(each)) for each in rounds]


@pytest.mark.parametrize(("name", "fields"), [("plum", {"sum_units": 2}), ("int4", {"planes": "parallel"})])
def test_units_read_the_patterns_of_a_row(name, fields):
    datapath, array = Lut(reuse="patterns", **fields), Array(rows=2, cols=3)
    w = weights(name, 6, 20, 1, **({"group_size": 12, "pad": True} if name == "int4" else {}))
    x, wires, signs = activations(datapath, 2, w.k, 2), Wires(), datapath.sign_planes(w)
    serial, mu, build = datapath.planes == "serial", datapath.mu, datapath.table_build
    planes = list(range(signs.count if serial else datapath.weight_bits))[::-1]
    for m, first, (_, ks, _) in itertools.product(
        range(len(x)), range(0, w.n, array.cols), steps_of(w, datapath.lanes)
    ):
        lanes = [int(x[m, k]) for k in ks] + [0] * (datapath.lanes - len(ks))
        for rounds in rounds_of(datapath, w, list(range(first, first + array.cols)), ks):
            for unit, codes in enumerate(rounds):
                total = 0
                for plane in planes:
                    wire, found = (m, unit, 0 if serial else plane), 0
                    for t in range(datapath.lanes // mu):
                        stored = [0] * mu
                        if codes is not None:
                            bits = [code >> plane & 1 for code in codes[t * mu : (t + 1) * mu]]
                            stored = [bit ^ (not bits[-1]) for bit in bits[:-1]] + bits[-1:]
                        for j, bit in enumerate(stored):
                            wires.carry("unit_code_toggles", (*wire, t, j), bit, 1)
                        entry = build.entries[sum(bit << j for j, bit in enumerate(stored[:-1]))]
                        raw = entry_of(build, lanes[t * mu : (t + 1) * mu], entry)
                        read = raw if stored[-1] else -raw
                        wires.carry("unit_raw_toggles", (*wire, t), raw, datapath.exact_entry_bits)
                        wires.carry("unit_read_toggles", (*wire, t), read, datapath.exact_entry_bits)
                        found += read if plane < signs.count else 0
                    total = (total << (signs.doubles >> plane & 1)) + found
                    wires.carry("unit_sum_toggles", wire, total, datapath.step_bits)
    found = datapath.toggles(x, w, array)
    assert {each: found[each] for each in wires.changes} == wires.changes


def test_planes_with_scales_of_their_own():
    datapath, w = Lut(plane_scales=True), weights("bcq", 2, 20, 1, group_size=10)
    x, signs = activations(datapath, 2, w.k, 2), datapath.sign_planes(w)
    wires, codes, scales = Wires(), signs.codes(w), datapath.group_constants(w)["scale"]
    for m, n, g in itertools.product(range(len(x)), range(w.n), range(w.groups)):
        sums = [0] * signs.count
        for _, ks, _ in (step for step in steps_of(w, datapath.lanes) if step[0] == g):
            for number in range(signs.count):
                plane = signs.count - 1 - number
                read = sum(int(x[m, k]) * (1 if codes[n, k] >> plane & 1 else -1) for k in ks)
                each = (read + signs.constant * int(x[m, ks].sum())) >> signs.halve
                wires.carry("sum_toggles", m, each, datapath.step_bits)
                wires.carry("chosen_toggles", m, sums[number], datapath.group_accumulator_bits)
                sums[number] += each
                wires.carry("accumulator_toggles", m, sums[number], datapath.group_accumulator_bits)
        for number, total in enumerate(sums):
            turn(wires, datapath, m, total, int(scales[n, g, number]))
    found = datapath.toggles(x, w, Array())
    assert {each: found[each] for each in wires.changes} == wires.changes


def products_wires(datapath: LutProducts, x: np.ndarray, w: QTensor, array: Array) -> Wires:
    wires, bits = Wires(), datapath.product_bits
    tables = datapath.products(w).tolist()
    steps = steps_of(w, datapath.lanes)
    padded = [[*map(int, row), 0] for row in x]
    for n, m in itertools.product(range(0, w.n, datapath.sharing(array)), range(len(x))):
        for (g, ks, _), lane in itertools.product(steps, range(datapath.lanes)):
            table = tables[n][g]
            code = padded[m][(ks + [w.k] * datapath.lanes)[lane]]
            set_bits = sum((value % (1 << bits)).bit_count() for row in table for value in row)
            unset_bits = bits * len(table) * len(table[0]) - set_bits
            for place in range(datapath.activation_bits):
                if (wires.value["code", m, lane] ^ code) >> place & 1:
                    wires.changes[f"set_bits_at_{place}"] += set_bits
                    wires.changes[f"unset_bits_at_{place}"] += unset_bits
            wires.value["code", m, lane] = code
            for a, row in enumerate(table):
                for v, value in enumerate(row):
                    wires.carry("table_toggles", (m, lane, a, v), value, bits)
    loads = itertools.product(range(0, len(x), array.rows), range(0, w.n, datapath.sharing(array)), range(w.groups))
    for _, n, g in loads:
        for a, row in enumerate(tables[n][g]):
            for v, value in enumerate(row):
                ones = (value % (1 << bits)).bit_count()
                wires.changes["loaded_set_bits"] += ones
                wires.changes["loaded_unset_bits"] += bits - ones
                wires.carry("loaded_toggles", (a, v), value, bits)
    for m in range(len(x)):
        sums = []
        for n, (g, ks, _) in itertools.product(range(w.n), steps):
            each = [int(x[m, k]) * int(w.integers[n, k]) for k in ks]
            for lane in range(datapath.lanes):
                wires.carry("product_toggles", (m, lane), each[lane] if lane < len(each) else 0, bits)
                code = int(w.expanded_codes[n, ks[lane]]) if lane < len(ks) else 0
                wires.carry("code_toggles", (m, lane), code, datapath.weight_bits)
            sums.append((n, g, sum(each), True))
        accumulate(wires, datapath, w, m, sums)
    return wires


@pytest.mark.parametrize("readers", [0, 1])
def test_tables_of_products(readers):
    datapath, w = LutProducts(lanes=3, activation_bits=3, readers=readers), weights("int4", 4, 20, 1, group_size=10)
    x, array = activations(datapath, 4, w.k, 2), Array(rows=2, cols=2)
    assert_counts(datapath, x, w, array, products_wires(datapath, x, w, array))


@pytest.mark.parametrize("adders", ["serial", "parallel"])
def test_buckets(adders):
    datapath, w = LutBuckets(lanes=3, adders=adders), weights("int4", 3, 20, 1, group_size=10)
    x, wires = activations(datapath, 2, w.k, 2), Wires()
    entries = w.codebook.mantissas.shape[1]
    scales = np.broadcast_to(datapath.group_constants(w)["scale"], (w.n, w.groups, datapath.buckets))
    for m, n, g in itertools.product(range(len(x)), range(w.n), range(w.groups)):
        buckets = [0] * entries
        for _, ks, _ in (step for step in steps_of(w, datapath.lanes) if step[0] == g):
            for lane in range(datapath.lanes):
                there = lane < len(ks)
                code = int(w.expanded_codes[n, ks[lane]]) if there else 0
                value = int(x[m, ks[lane]]) if there else 0
                wires.carry("chosen_toggles", m, buckets[code], datapath.group_accumulator_bits)
                buckets[code] += value
                wires.carry("accumulator_toggles", m, buckets[code], datapath.group_accumulator_bits)
                serial = adders == "serial"
                wires.carry("code_toggles", (m, 0 if serial else lane), code, datapath.weight_bits)
                for number in [code] if serial else range(datapath.buckets):
                    wire = m if serial else (m, lane, number)
                    wires.carry("addend_toggles", wire, value if number == code else 0, datapath.activation_bits)
        for bucket, total in enumerate(buckets):
            turn(wires, datapath, m, total, int(scales[n, g, bucket]))
    assert_counts(datapath, x, w, Array(), wires)
