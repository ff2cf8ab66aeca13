"""Stimuli: packing, and the simulator's answers against slow references, on the catalogue's workloads."""

from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from hwsim import mapping
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.floating import FloatDatapath
from hwsim.requantization import requantize
from rtl import beats, stimuli
from rtl.array import stream_layouts
from sims.catalogue import catalogue
from sims.workloads import KINDS, random_matmul
from tests import naive, naive_floating, naive_weight_stationary

MATMULS = [each for each in catalogue() if isinstance(each.datapath, Mac | BitSerial | FloatDatapath)]
"""Those that the slow references describe: arrays whose beats are operands of products."""
AMARANTH = [each for each in MATMULS if each.engine == "amaranth"]
SMALL = [each for each in AMARANTH if not each.array.weight_stationary]
INTEGER = [each for each in SMALL if not isinstance(each.datapath, FloatDatapath)]
STATIONARY = [each for each in AMARANTH if each.array.weight_stationary]
LAYOUT = data.StructLayout(
    {
        "grid": data.ArrayLayout(data.ArrayLayout(signed(5), 3), 2),
        "columns": data.ArrayLayout(data.StructLayout({"bias": signed(32), "flag": 1}), 4),
        "last": 1,
    }
)


def test_packing_follows_the_layout():
    rng = np.random.default_rng(0)
    fields = {
        "grid": rng.integers(-16, 16, (7, 2, 3)),
        "columns": {"bias": rng.integers(-(1 << 31), 1 << 31, (7, 4)), "flag": rng.integers(0, 2, (7, 4))},
        "last": rng.integers(0, 2, 7),
        "unused": None,
    }
    packed = beats.pack(LAYOUT, fields)
    for i, bits in enumerate(beats.to_ints(packed)):
        beat = LAYOUT.from_bits(bits)
        assert [[beat.grid[r][c] for c in range(3)] for r in range(2)] == fields["grid"][i].tolist()
        assert [beat.columns[c].bias for c in range(4)] == fields["columns"]["bias"][i].tolist()
        assert [beat.columns[c].flag for c in range(4)] == fields["columns"]["flag"][i].tolist()
        assert beat.last == fields["last"][i]


@pytest.mark.parametrize("width", [1, 4, 5, 8, 9, 13])
def test_hexadecimal_text_holds_each_beat(width):
    values = [0, 1, (1 << width) - 1, (1 << width) // 3]
    packed = np.array([list(v.to_bytes(-(-width // 8), "little")) for v in values], dtype=np.uint8)
    lines = beats.to_hex(packed, width).decode().splitlines()
    assert [int(line, 16) for line in lines] == values == beats.to_ints(packed)
    assert {len(line) for line in lines} == {-(-width // 4)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("configuration", SMALL[::3], ids=lambda each: each.name)
def test_simulator_agrees_with_slow_references(configuration, kind):
    datapath, array = configuration.datapath, configuration.array
    matmul = random_matmul(kind, datapath, array, seed=1)
    x, w, quantizer = matmul.x[:5], matmul.w, matmul.quantizer
    if isinstance(datapath, FloatDatapath):
        check_floating(datapath, x, w, quantizer)
        return
    sums = datapath.matmul(x, w)
    np.testing.assert_array_equal(sums, naive.matmul(x, w, datapath))
    expected = [
        [naive.requantize(int(acc), quantizer, n, datapath.overflow) for n, acc in enumerate(row)] for row in sums
    ]
    np.testing.assert_array_equal(requantize(sums, quantizer, datapath.overflow), expected)


def check_floating(datapath, x, w, quantizer) -> None:
    """Codes, products and sums number by number; the array's integers; the requantizer."""
    codes, exponent = datapath.encode(x), datapath.sum_exponent(w, quantizer.sum_shift)
    sums = naive_floating.matmul(datapath, codes, datapath.codes(w), w, datapath.division(w))
    exact = [[Fraction(each.item()) for each in row] for row in datapath.matmul(codes, w)]
    np.testing.assert_array_equal(np.array(exact), sums)
    whole = [[naive_floating.integer(each, exponent) for each in row] for row in sums]
    ours = datapath.layer_sums(x, w, quantizer.sum_shift)
    np.testing.assert_array_equal(ours, whole)
    expected = [[naive.requantize(acc, quantizer, n, "saturate") for n, acc in enumerate(row)] for row in whole]
    np.testing.assert_array_equal(datapath.requantize(ours, quantizer), expected)


@pytest.mark.parametrize("configuration", MATMULS, ids=lambda each: each.name)
def test_closed_cycle_formula_agrees_with_stepping(configuration):
    datapath, array = configuration.datapath, configuration.array
    for kind in KINDS:
        matmul = random_matmul(kind, datapath, array, seed=2)
        assert stimuli.stimuli(datapath, array, matmul).cycles == stepped_cycles(datapath, array, matmul), kind


def stepped_cycles(datapath, array, matmul) -> int:
    sequence = []
    for tile in mapping.tiles(len(matmul.x), matmul.w.n, array, matmul.m_outer):
        if array.weight_stationary:
            sequence += naive_weight_stationary.tile_passes(
                matmul.w, datapath, array, tile.n0, tile.n1, tile.m1 - tile.m0
            )
        else:
            sequence += naive.tile_steps(matmul.w, datapath, array, tile.n0, tile.n1, tile.m1 - tile.m0)
    if array.weight_stationary:
        return naive_weight_stationary.array_cycles(sequence)
    if isinstance(datapath, FloatDatapath):  # every sum is as much later as the pipeline is long
        return naive.array_cycles(sequence, datapath.operand_depth, datapath.scale_stage) + datapath.pipeline_stages
    return naive.array_cycles(sequence, datapath.operand_depth, datapath.scale_latency)


@pytest.mark.parametrize("configuration", INTEGER[::3], ids=lambda each: each.name)
def test_golden_rows_follow_from_the_input_beats(configuration):
    """Recomputes every result from the packed beats, by docs/hardware.md."""
    datapath, array = configuration.datapath, configuration.array
    matmul = random_matmul("ragged", datapath, array, seed=3)
    answer = stimuli.stimuli(datapath, array, matmul)
    layouts = stream_layouts(datapath, array)

    def decoded(name):
        return [layouts[name].from_bits(bits) for bits in beats.to_ints(answer.streams[name])]

    results = iter(decoded("o_results"))
    scales = iter(decoded("i_scales") if datapath.scale_stage else [])
    quantizers = iter(decoded("i_quantizers"))
    shape = (array.rows, array.cols)
    acc, gacc, gsum = np.zeros(shape, object), np.zeros(shape, object), np.zeros(shape, object)
    bound = np.vectorize(naive.overflow, otypes=[object])
    for a, w in zip(decoded("i_activations"), decoded("i_weights"), strict=True):
        x = np.array([[int(v) for v in row] for row in a["values"]], dtype=object)
        step = x @ np.array([[int(v) for v in column] for column in w["values"]], dtype=object).T
        gsum += x.sum(axis=1)[:, None]
        if not datapath.scale_stage:
            acc = bound(acc + step, datapath.accumulator_bits, datapath.overflow)
        else:
            gacc = bound(gacc + step, datapath.group_accumulator_bits, datapath.overflow)
            if w["last_in_group"]:
                beat = next(scales)
                s = np.array([int(beat["scale"][c]) if datapath.scale_bits else 1 for c in range(array.cols)])
                z = np.array([int(beat["offset"][c]) if datapath.offset_bits else 0 for c in range(array.cols)])
                acc = bound(acc + s * gacc + z * gsum, datapath.accumulator_bits, datapath.overflow)
                gacc, gsum = np.zeros(shape, object), np.zeros(shape, object)
        if w["last_in_tile"]:
            _drain(acc, next(quantizers), results, datapath.overflow)
            acc = np.zeros(shape, object)
    assert next(results, None) is None


@pytest.mark.parametrize("configuration", STATIONARY[::3], ids=lambda each: each.name)
def test_weight_stationary_golden_rows_follow_from_the_input_beats(configuration):
    """Recomputes every result from the packed beats, by docs/hardware.md."""
    datapath, array = configuration.datapath, configuration.array
    matmul = random_matmul("ragged", datapath, array, seed=3)
    answer = stimuli.stimuli(datapath, array, matmul)
    layouts = stream_layouts(datapath, array)
    waiting = {
        name: [layouts[name].from_bits(bits) for bits in beats.to_ints(packed)]
        for name, packed in answer.streams.items()
    }

    def take(name):
        return waiting[name].pop(0)

    buffer: dict[int, np.ndarray] = {}
    while waiting["i_activations"]:
        bank = np.zeros((array.rows, datapath.lanes, array.cols), object)
        for row in range(array.rows):
            beat = take("i_weights")
            bank[row] = np.array([[int(v) for v in column] for column in beat["values"]], object).T
            if beat["last_in_slice"]:
                break
        scales = take("i_scales") if datapath.scale_stage else None
        s = np.array([int(scales["scale"][c]) if datapath.scale_bits else 1 for c in range(array.cols)], object)
        z = np.array([int(scales["offset"][c]) if datapath.offset_bits else 0 for c in range(array.cols)], object)
        constants, m, last = None, 0, False
        while not last:
            beat = take("i_activations")
            x = np.array([[int(v) for v in row] for row in beat["values"]], object)
            total = s * (x[:, :, None] * bank).sum(axis=(0, 1)) + z * x.sum()
            buffer[m] = total + (0 if beat["first_slice"] else buffer[m])
            last = bool(beat["last_in_pass"])
            if beat["last_slice"]:
                constants = take("i_quantizers") if constants is None else constants
                row = take("o_results")
                assert bool(row["last"]) == last
                for c in range(array.cols):
                    assert row["values"][c] == _result(int(buffer[m][c]), constants, c, "wrap")
            m += 1
        assert m <= array.accumulator_rows
    assert not any(waiting.values())


def _drain(acc, constants, results, mode):
    for r in range(int(constants["rows"])):
        row = next(results)
        assert row["last"] == (r + 1 == constants["rows"])
        for c, total in enumerate(acc[r]):
            assert row["values"][c] == _result(int(total), constants, c, mode)


def _result(total, constants, c, mode):
    column = constants["columns"][c]
    low, high = int(constants["low"]), int(constants["high"])
    total = naive.overflow(total + int(column["bias"]), 32, mode)
    if constants["threshold"]:
        return high if (total >= 0) != bool(column["invert"]) else low
    shift = int(column["shift"])
    return min(max((total * int(column["multiplier"]) + (1 << (shift - 1))) >> shift, low), high)
