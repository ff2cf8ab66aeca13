"""Changing bits against slow models that go cycle by cycle, bit by bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import digits, layer_sample, terms
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.requantization import Quantizer
from hwsim.switching import bits, features
from hwsim.switching.measurement import switching
from hwsim.weight_source import Drawn
from hwsim.workload import Workload

STATIONARY = Array(rows=3, cols=2, dataflow="weight_stationary", accumulator_rows=4)


class Wires:
    """Named wires: how many bits changed since reset, by name."""

    def __init__(self):
        self.held, self.changed = {}, {}

    def drive(self, name, place, value, width):
        """``value`` is on wire ``place`` of the group ``name`` from now on."""
        before = self.held.get((name, place), 0)
        self.held[name, place] = value
        self.changed[name] = self.changed.get(name, 0) + ((before ^ value) & ((1 << width) - 1)).bit_count()


def operands(n=3, k=13, m=4, group_size=6, name="int8", seed=0):
    rng = np.random.default_rng(seed)
    w = hwsim.lower(hwsim.quantize(rng.normal(size=(n, k)), name, group_size=group_size, pad=True))
    return rng.integers(-128, 128, (m, w.k)) * (rng.random((m, w.k)) > 0.3), w


def lanes_of(k, group_size, lanes):
    """Lists of the k that lanes take, None where a lane has none; and whether a group ends."""
    for start in range(0, k, group_size):
        stop = min(start + group_size, k)
        for first in range(start, stop, lanes):
            yield [i if i < stop else None for i in range(first, first + lanes)], first + lanes >= stop


def naive_mac(datapath, x, w):
    wires = Wires()
    wide, narrow = datapath.activation_bits, datapath.weight_bits
    opposite = 0
    for m in range(len(x)):
        for n in range(w.n):
            group = tile = 0
            for index, ends in lanes_of(w.k, w.group_size, datapath.lanes):
                total = 0
                for lane, k in enumerate(index):
                    a, b = (0, 0) if k is None else (int(x[m, k]), int(w.integers[n, k]))
                    total += a * b
                    wires.drive("weight_sign_toggles", (m, lane), int(b < 0), 1)
                    wires.drive("activation_sign_toggles", (m, lane), int(a < 0), 1)
                    wires.drive("product_sign_toggles", (m, lane), int(a * b < 0), 1)
                    wires.drive("result_toggles", (m, lane), a * b, wide + narrow)
                    wires.drive("result_magnitude_toggles", (m, lane), abs(a * b), wide + narrow)
                    for i in range(wide):
                        row = b if a >> i & 1 else 0
                        wires.drive("row_toggles", (m, lane, i), row, wide + narrow - i)
                        for j in range(narrow):
                            wires.drive("product_toggles", (m, lane, i, j), (row >> j) & 1, 1)
                            both = (abs(a) >> i) & (abs(b) >> j) & 1
                            wires.drive("magnitude_product_toggles", (m, lane, i, j), both, 1)
                wires.drive("sum_toggles", m, total, datapath.step_bits)
                opposite += (total < 0) != (group < 0)
                wires.drive("addend_toggles", m, total, 32)
                wires.drive("addend_magnitude_toggles", m, abs(total), 32)
                group += total
                wires.drive("accumulator_toggles", m, group, 32)
                if datapath.scale_bits:
                    scale = int(np.broadcast_to(w.scale, (w.n, w.groups))[n, (index[0]) // w.group_size])
                    for i in range(datapath.scale_bits):
                        row = group if scale >> i & 1 else 0
                        wires.drive("scale_toggles", (m, i), row, 32 + datapath.scale_bits - i)
                    wires.drive("group_scale_toggles", m, scale, datapath.scale_bits)
                    wires.drive("scaled_toggles", m, group * scale, 32 + datapath.scale_bits)
                    tile += group * scale if ends else 0
                    wires.drive("total_toggles", m, tile, 32)
                    group = 0 if ends else group
    return wires.changed | {"opposite_signs": opposite}


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_mac_arrays_wires(lanes, seed):
    x, w = operands(seed=seed)
    datapath = Mac(lanes=lanes)
    assert dict(datapath.toggles(x, w, Array(rows=4, cols=1))) == naive_mac(datapath, x, w)


def naive_bit_serial(datapath, x, w, cols, rows):
    """Of schemes with positions of their own: lanes take their next terms, columns in lock-step."""
    wires, carries, changes, encoder_cycles = Wires(), 0, Wires(), 0

    def steps_of(n):
        for index, _ in lanes_of(w.k, w.group_size, datapath.lanes):
            weights = [0 if k is None else int(w.integers[n, k]) for k in index]
            yield index, [[t for t in terms.decompose(v, w.integer_bits, datapath.scheme) if t] for v in weights]

    columns = [list(steps_of(n)) for n in range(w.n)]
    for n in range(w.n):
        beside = range(n // cols * cols, min(n // cols * cols + cols, w.n))
        for s, (index, taken) in enumerate(columns[n]):
            cycles = max(1, *(len(each) for other in beside for each in columns[other][s][1]))
            so_far = [0] * len(x)
            for cycle in range(cycles):
                now = [each[cycle] if cycle < len(each) else 0 for each in taken]
                changes.drive("step_end_toggles", 0, int(cycle == cycles - 1), 1)
                encoder_cycles += 1
                for lane, term in enumerate(now):
                    before = min(cycle, len(taken[lane]))
                    changes.drive("retired_toggles", lane, (1 << before) - 1, 32)
                    shift = max(abs(term).bit_length() - 1, 0)
                    code = int(term != 0) + 4 * int(term < 0) + 8 * shift
                    changes.drive("term_changes", lane, code, 8)
                for m in range(len(x)):
                    total = inverted = 0
                    for lane, (k, term) in enumerate(zip(index, now, strict=True)):
                        a = int(x[m, k]) if k is not None and term else 0
                        shifted = a << max(abs(term).bit_length() - 1, 0)
                        total += -shifted if term < 0 else shifted
                        inverted += ~shifted if term < 0 else shifted
                        wires.drive(
                            "inverted_toggles", (m, lane), ~shifted if term < 0 else shifted, datapath.step_bits
                        )
                        shift = max(abs(term).bit_length() - 1, 0)
                        wires.drive("shift_toggles", (m, lane), shift, 8)
                        width = datapath.activation_bits + datapath.weight_bits - 1
                        wires.drive("shifted_toggles", (m, lane), shifted, width)
                        wires.drive("shifted_magnitude_toggles", (m, lane), abs(shifted), width)
                        wires.drive("sign_toggles", (m, lane), int(term < 0), 1)
                    wires.drive("inverted_sum_toggles", m, inverted, datapath.step_bits)
                    wires.drive("last_toggles", m, int(cycle == cycles - 1), 1)
                    carries += so_far[m] != 0
                    wires.drive("carry_toggles", m, so_far[m], datapath.step_bits)
                    wires.drive("sum_toggles", m, total, datapath.step_bits)
                    so_far[m] += total
    for lane in range(datapath.lanes):  # the last step ends, too
        changes.drive("retired_toggles", lane, 0, 32)
    row_tiles = -(-len(x) // rows)
    changed = {name: count * row_tiles for name, count in changes.changed.items()}
    return wires.changed | changed | {"carries": carries, "encoder_cycles": encoder_cycles * row_tiles}


@pytest.mark.parametrize("scheme", ["booth", "twos_complement", "naf"])
@pytest.mark.parametrize("cols", [1, 2])
def test_a_bit_serial_arrays_wires(scheme, cols):
    x, w = operands(name="int4", n=4)
    datapath = BitSerial(lanes=4, weight_bits=6, scheme=scheme, skip="zero")
    found = dict(datapath.toggles(x, w, Array(rows=2, cols=cols)))
    expected = naive_bit_serial(datapath, x, w, cols, 2)
    assert {name: found[name] for name in expected} == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_partial_products_bit_by_bit(seed, wide, narrow):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-(1 << wide - 1), 1 << wide - 1, 5), rng.integers(-(1 << narrow - 1), 1 << narrow - 1, 5)
    wires = Wires()
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        for i in range(wide):
            for j in range(narrow):
                wires.drive("and", (i, j), (x >> i & 1) & (y >> j & 1), 1)
    assert bits.product_toggles(a, b, wide, narrow) == wires.changed["and"]


def test_nothing_changes_nothing():
    x, w = operands()
    found = Mac().toggles(np.zeros_like(x), w, Array(rows=4, cols=1))
    assert found["product_toggles"] == found["accumulator_toggles"] == 0
    assert found["weight_sign_toggles"] > 0  # they are there, though nothing multiplies them


def test_offsets_meet_the_sums_of_activations():
    w = hwsim.lower(hwsim.quantize(operands()[1].dequantize(), "int4", symmetric=False, group_size=6, pad=True))
    x, datapath, wires = operands()[0], Mac(lanes=4, offset_bits=8), Wires()
    for m in range(len(x)):
        for n in range(w.n):
            so_far = 0
            for index, ends in lanes_of(w.k, w.group_size, 4):
                values = [0 if k is None else int(x[m, k]) for k in index]
                so_far += sum(values)
                offset = int(np.broadcast_to(w.offset, (w.n, w.groups))[n, index[0] // w.group_size])
                for lane, value in enumerate(values):
                    wires.drive("lane_toggles", (m, lane), value, 8)
                wires.drive("lane_sum_toggles", m, sum(values), 32)
                wires.drive("group_sum_toggles", m, so_far, 32)
                for i in range(8):
                    wires.drive("offset_toggles", (m, i), so_far if offset >> i & 1 else 0, 40 - i)
                so_far = 0 if ends else so_far
    found = datapath.toggles(x, w, Array(rows=4, cols=1))
    assert w.offset.any()
    assert {name: found[name] for name in wires.changed} == wires.changed


@pytest.mark.parametrize("datapath", [Mac(lanes=2), BitSerial(lanes=2, skip="zero")])
def test_a_weight_stationary_columns_wires(datapath):
    x, w = operands()
    array, wires = dataclasses.replace(STATIONARY, cols=1), Wires()
    size, bits = array.rows * datapath.lanes, datapath.weight_bits
    for n in range(w.n):
        kept = [0] * len(x)
        for g in range(w.groups):
            scale = int(np.broadcast_to(w.scale, (w.n, w.groups))[n, g])
            stop = min((g + 1) * w.group_size, w.k)
            for low in range(g * w.group_size, stop, array.rows * datapath.lanes):
                weights = [int(w.integers[n, k]) if k < stop else 0 for k in range(low, low + size)]
                for i, weight in enumerate(weights):
                    if i >= datapath.lanes:  # the first row is loaded, the others become 0
                        wires.drive("bank_toggles", i, 0, bits)
                    wires.drive("bank_toggles", i, weight, bits)
                    wires.drive("load_toggles", i, weight, bits)
                for r in range(array.rows):
                    for swap in (1, 0):
                        wires.drive("swap_toggles", r, swap, 1)
                for m in range(len(x)):
                    sums = []
                    for r in range(array.rows):
                        ks = range(low + r * datapath.lanes, min(low + (r + 1) * datapath.lanes, stop))
                        sums.append(sum(int(x[m, k]) * int(w.integers[n, k]) for k in ks))
                        wires.drive("partial_toggles", r, sums[-1], datapath.step_bits)
                    total = sum(sums)
                    wires.drive("partial_toggles", "tree", total, datapath.step_bits + 2)
                    wires.drive("partial_magnitude_toggles", 0, abs(total), datapath.step_bits + 2)
                    for i in range(datapath.step_bits + 2):
                        for j in range(datapath.scale_bits):
                            wires.drive("slice_product_toggles", (i, j), (total >> i) & (scale >> j) & 1, 1)
                    wires.drive("earlier_toggles", 0, kept[m], datapath.accumulator_bits)
                    kept[m] += total * scale
                    wires.drive("address_toggles", 0, m, 8)
                    wires.drive("total_toggles", 0, kept[m], datapath.accumulator_bits)
    found = datapath.toggles(x, w, array)
    assert {name: found[name] for name in wires.changed} == wires.changed


@pytest.mark.parametrize("datapath", [Mac(offset_bits=8), BitSerial(skip="zero", offset_bits=8)])
@pytest.mark.parametrize("array", [Array(rows=4, cols=2), STATIONARY])
def test_every_feature_is_counted(datapath, array):
    x, w = operands(group_size=13)
    found = features.totals(datapath, array, x, w, identity(w.n))
    parts = {part.name for part in datapath.components(array)}
    for event in datapath.EVENTS:
        elsewhere = array.weight_stationary and event.action == "accumulate"  # in the column
        if event.component in parts and not elsewhere:
            assert set(event.features) <= set(found)


def identity(n):
    return Quantizer.dyadic(np.full(n, 0.01), np.zeros(n), -127, 127)


def test_features_of_a_layer_are_those_of_its_sample():
    layer = wide_layer()
    datapath, array = Mac(), Array(rows=layer_sample.ROWS, cols=layer_sample.COLUMNS)
    x, w, quantizer = layer.operands.part(layer.weights[0])
    expected = features.per_event(datapath, array, x, w, quantizer)
    assert (switching([layer], datapath, array)[0] == expected).all()


def wide_layer():
    """Of 16 rows and 24 output channels."""
    return next(each for each in Workload.from_network(digits.load("cnn_int4")).layers if each.name == "wide")


def test_registers_of_a_larger_array_change_as_far_as_a_layer_fills_it():
    layer = wide_layer()
    clock = [event.component for event in Mac.EVENTS].index("operand_register")
    small = switching([layer], Mac(), Array(rows=16, cols=8))[0, clock]
    large = switching([layer], Mac(), Array(rows=32, cols=32))[0, clock]
    assert large[:2] == pytest.approx(small[:2] * [1, 3])


def test_registers_change_in_all_rows_and_columns_though_a_sample_has_fewer():
    (layer,) = Workload.from_shapes("one", [(64, 64, 4096)]).layers
    x, w, quantizer = layer.operands.part(layer.weights[0].sample())
    assert (len(x), w.n) == (4, 2)
    clock = [event.component for event in Mac.EVENTS].index("operand_register")
    filled = features.per_event(Mac(), Array(rows=4, cols=2), x, w, quantizer)[clock]
    assert switching([layer], Mac(), Array(rows=8, cols=8))[0, clock][:2] == pytest.approx(filled[:2] * [2, 4])


def test_zeros_cost_less():
    """The same layer with sparser activations spends less, by the shipped table."""
    shapes = Workload.from_shapes("one", [(64, 32, 128)])
    x = np.random.default_rng(0).integers(-100, 100, (16, 128)).astype(np.int32)
    energy = []
    for share in (0.0, 0.5, 0.9):
        kept = np.where(np.random.default_rng(1).random(x.shape) < share, 0, x).astype(np.int32)
        sample = layer_sample.LayerSample(activations=kept, quantizer=identity(32))
        layer = dataclasses.replace(shapes.layers[0], sample=sample)
        result = hwsim.simulate(Workload(name="one", layers=(layer,)), hwsim.Design())
        energy.append(result.energy_pj)
    assert energy[0] > energy[1] > energy[2]


def test_uncalibrated_layers_say_so():
    (layer,) = Workload.from_shapes("one", [(4, 4, 8)]).layers
    assert layer.sample is None
    assert "half of the activations zero" in layer.assumed
    assert (layer.operands.activations == 0).mean() == pytest.approx(0.5, abs=0.2)


def test_drawn_weights_are_sampled_without_making_all():
    source = Drawn(n=4096, k=64, format="int8")
    assert source.sample().shape == (64, 64)
