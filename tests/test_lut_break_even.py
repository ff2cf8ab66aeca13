"""Where a table pays: the rule of counts, measured energies, and published ones (notebooks/3_lut_or_mac.ipynb)."""

import base64
import gzip
import json

import numpy as np
import pytest

from hwsim import Array, BitSerial, Design, Lut, Mac, Workload, digits, presets, quantize, repetition, report, simulate
from hwsim.errors import TechnologyError
from hwsim.reporting.detail import packed

ARRAY = Array(rows=8, cols=64)


def run(datapath, bits: int, technology: str = "nangate45"):
    real = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    workload = Workload.from_tensors("", {"w": quantize(real, "binary" if bits == 1 else f"int{bits}")}, m=64)
    return simulate(workload, Design(datapath=datapath, array=ARRAY, technology=technology)).layers[0]


def count(layer, component: str, action: str) -> int:
    """``component`` may name several."""
    return sum(each.count for each in layer.events if each.component in component.split() and each.action == action)


def array_pj(datapath, bits: int, technology: str = "nangate45") -> float:
    return sum(event.energy_pj for event in run(datapath, bits, technology).events if event.category == "pe")


@pytest.mark.parametrize(("readers", "per_look_up"), [(64, 14 / 64), (16, 14 / 16), (1, 14)])
def test_a_build_is_shared_by_its_readers(readers, per_look_up):
    layer = run(Lut(weight_bits=1, readers=readers, build="two_level"), 1)
    # 14 additions for 64 readers are 0.22 per look-up, and a look-up stands for 4 MACs.
    assert count(layer, "lut.table", "add") / count(layer, "lut.pe", "look_up") == per_look_up
    assert count(layer, "lut.pe", "look_up") * 4 == layer.macs


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_look_ups_grow_with_the_planes_and_the_build_does_not(bits):
    layer = run(Lut(weight_bits=bits, readers=64, build="two_level"), bits, "horowitz45")
    assert count(layer, "lut.pe", "look_up") * 4 == bits * layer.macs
    assert count(layer, "lut.table", "add") * 64 * 4 == 14 * layer.macs


@pytest.mark.parametrize(
    ("bits", "mu", "readers", "planes", "pays"),
    [
        (1, 2, 64, "parallel", True), (1, 2, 2, "parallel", True), (1, 2, 1, "parallel", False),
        (1, 2, 64, "serial", True), (1, 2, 1, "serial", False),
        (1, 4, 64, "parallel", True), (1, 4, 16, "parallel", True), (1, 4, 4, "parallel", False),
        (2, 2, 64, "parallel", False), (2, 4, 64, "serial", False), (2, 4, 64, "parallel", False),
        (4, 2, 64, "parallel", False), (4, 4, 64, "serial", False), (4, 4, 64, "parallel", False),
    ],
)  # fmt: skip
def test_measured_break_even_against_multipliers(bits, mu, readers, planes, pays):
    table = Lut(weight_bits=bits, mu=mu, readers=readers, planes=planes, build="two_level")
    assert (array_pj(table, bits) < array_pj(Mac(weight_bits=max(2, bits)), bits)) == pays


@pytest.mark.parametrize(
    ("scheme", "skip", "bits", "pays"),
    [
        ("twos_complement", "none", 1, True), ("twos_complement", "none", 2, False),
        ("twos_complement", "none", 4, False),
        ("naf", "zero", 1, True), ("naf", "zero", 2, False), ("naf", "zero", 4, False),
    ],
)  # fmt: skip
def test_measured_break_even_against_bit_serial(scheme, skip, bits, pays):
    table = Lut(weight_bits=bits, mu=2, planes="parallel", build="two_level")
    assert (
        array_pj(table, bits) < array_pj(BitSerial(weight_bits=max(2, bits), scheme=scheme, skip=skip), bits)
    ) == pays


@pytest.mark.parametrize(
    ("bits", "readers", "planes", "pays"),
    [
        (1, 64, "serial", True), (2, 64, "serial", False), (1, 4, "serial", False),
        (2, 64, "parallel", True), (8, 64, "parallel", True), (2, 4, "parallel", False),
    ],
)  # fmt: skip
def test_published_break_even_against_multipliers(bits, readers, planes, pays):
    table = Lut(weight_bits=bits, readers=readers, planes=planes, build="two_level")
    lookup, multiply = (array_pj(each, bits, "horowitz45") for each in (table, Mac(weight_bits=max(2, bits))))
    assert (lookup < multiply) == pays


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_most_of_a_measured_look_up_is_glitches(bits):
    for mu in (2, 4):
        read = [each for each in run(Lut(weight_bits=bits, mu=mu), bits).events if each.action == "look_up"]
        assert sum(each.zero_delay_pj for each in read) < 0.5 * sum(each.energy_pj for each in read)


def test_tables_beyond_the_measured_ones_are_refused():
    with pytest.raises(TechnologyError, match=r"no row for lut\.pe .* selected_bits=1524"):
        run(Lut(weight_bits=1, mu=8), 1)


@pytest.mark.parametrize(("name", "weights"), [("lut_tensor_core", "int4"), ("figlut", "bcq")])
def test_published_arrays_have_measured_energies(name, weights):
    real = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    workload = Workload.from_tensors("", {"w": quantize(real, weights, group_size=64)}, m=32)
    result = simulate(workload, presets.load(name))
    assert result.design.technology == "nangate45"
    assert result.energy_pj > result.zero_delay_pj > 0


@pytest.mark.parametrize(
    ("network", "fields"), [("mlp_tbn", {"reuse": "rows"}), ("cnn_plum", {"reuse": "patterns", "sum_units": 16})]
)
def test_reuse_saves_look_ups_and_never_costs_cycles(network, fields):
    def layers(**more):
        design = Design(datapath=Lut(lanes=4, **more), array=Array(rows=8, cols=32), technology="horowitz45")
        return [each for each in simulate(digits.load(network), design, batch=16).layers if each.kind == "matmul"]

    plain, reusing = layers(), layers(**fields)
    for before, after in zip(plain, reusing, strict=True):
        assert count(after, "lut.pe lut.unit", "look_up") <= count(before, "lut.pe lut.unit", "look_up")
        assert after.compute_cycles <= before.compute_cycles
    saved = sum(count(each, "lut.pe lut.unit", "look_up") for each in reusing)
    assert saved < 0.5 * sum(count(each, "lut.pe lut.unit", "look_up") for each in plain)


def test_patterns_are_counted_by_hand():
    w = Workload.from_network(digits.load("cnn_plum")).layers
    w = next(layer for layer in w if getattr(layer, "name", "") == "first").weights[0]
    select, distinct = repetition.step_patterns(w, w.codes, lanes=4, cols=8)
    for tile in range(distinct.shape[0]):
        for step in range(distinct.shape[1]):
            rows = [tuple(w.codes[n, 4 * step : 4 * step + 4]) for n in range(8 * tile, min(8 * tile + 8, w.n))]
            assert distinct[tile, step] == len({row for row in rows if any(row)})
            assert [number > 0 for number in select[8 * tile : 8 * tile + 8, step]] == [any(row) for row in rows]
    found = repetition.repetition(w, w.codes, lanes=4, cols=8)
    assert found.density == (w.integers != 0).mean()
    assert 0 < found.distinct_patterns < 1


def test_results_and_reports_tell_what_repeats(tmp_path):
    design = Design(datapath=Lut(lanes=4, reuse="patterns"), array=ARRAY, technology="horowitz45")
    result = simulate(digits.load("cnn_plum"), design)
    frame = result.repetition().set_index("layer")
    layer = next(each for each in result.workload.layers if each.name == "second")
    (w,) = layer.weights
    assert frame.loc["second", "density"] == (w.integers != 0).mean()
    assert frame.loc["second", "distinct_rows"] == len(np.unique(w.integers, axis=0)) / w.n
    assert result.to_plain()["repetition"][0]["layer"] == frame.index[0]
    page = report(result, tmp_path / "report.html").read_text()
    held = packed(result)
    assert held in page
    (table,) = (
        each
        for each in json.loads(gzip.decompress(base64.b64decode(held)))["tables"]
        if each["title"] == "Weights that repeat"
    )
    assert any(f"{frame.loc['second', 'density']:.1%}" in row for row in table["rows"])
    tbn = simulate(digits.load("mlp_tbn"), Design(datapath=Lut(reuse="rows"), array=ARRAY, technology="horowitz45"))
    assert (tbn.repetition()["distinct_rows"] < 1).any()
    assert (
        simulate(digits.load("cnn_plum"), Design(datapath=Lut(), array=ARRAY, technology="horowitz45"))
        .repetition()
        .empty
    )
