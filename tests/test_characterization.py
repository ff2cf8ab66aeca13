"""From RTL to rows of a technology table, in the cells of a library of our own."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from hwsim import Design, digits
from hwsim.characterization_grid import measured_array
from hwsim.cli import main
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.lut import Lut
from hwsim.datapaths.mac import Mac
from hwsim.errors import PowerError
from hwsim.power import liberty, netlist, synthesis
from hwsim.power.synthesis import Recipe
from hwsim.technology import load, samples, writing
from rtl import characterization, tiles, verilog
from rtl.generator import generate

TINY = Path(__file__).parent / "data" / "tiny.lib"
RECIPE = Recipe(liberty=(TINY,))
SMALL = Mac(lanes=1, weight_bits=4, accumulator_bits=24, group_accumulator_bits=20)
ARRAY = Array(rows=1, cols=1)


@pytest.fixture(scope="module")
def measured() -> characterization.Characterization:
    sets = tiles.of_networks(SMALL, ARRAY, ["mlp_int4"], 0)
    sets |= tiles.random(next(iter(sets.values())), SMALL, 0)
    return characterization.characterize(SMALL, ARRAY, RECIPE, sets, show_progress=False)


def test_every_part_and_event_of_the_array_is_measured(measured):
    found = samples.by_point(measured.samples)
    assert [(component, action) for component, action, _ in found] == [
        ("mac.pe", "multiply"), ("mac.pe", "accumulate"), ("mac.pe", "scale"), ("mac.pe", "clock"),
        ("operand_register", "clock"), ("requantizer", "requantize"),
    ]  # fmt: skip
    for (_, action, _), point in found.items():
        assert all((each.zero_delay_pj > 0) == (action != "scale") for each in point)
    assert {part.component for part in measured.parts} == {"mac.pe", "operand_register", "requantizer", "array_control"}


def test_every_layer_is_a_stimulus_and_random_tiles_are(measured):
    stimuli = {each.stimulus for each in measured.samples}
    layers = {f"mlp_int4/{node.name}" for node in digits.load("mlp_int4").matmuls()}
    assert layers < stimuli
    assert {name.partition("/")[0] for name in stimuli - layers} == {"random"}


def test_features_are_those_of_the_datapaths_events(measured):
    expected = {(event.component, event.action): set(event.features) for event in Mac.EVENTS}
    for each in measured.samples:
        more = {"register_bits"} if each.component == "operand_register" else set()
        assert set(each.features) == expected[each.component, each.action] | more


def test_parts_add_up_to_the_netlist(measured):
    """What the shares say of cells is all there is: nothing is left out, nothing counts twice."""
    counted = {part.name: part.count for part in SMALL.components(ARRAY)}
    total = sum(part.area_um2 * counted.get(part.component, 1) for part in measured.parts)
    path = synthesis.synthesize(verilog.emit(generate(SMALL, ARRAY), "pe_array"), "pe_array", RECIPE)
    cells = netlist.read(path, liberty.read(TINY))
    assert total == pytest.approx(sum(cells.cells[number].area_um2 for number in cells.cell_of))


STATIONARY = Array(rows=2, cols=1, dataflow="weight_stationary", accumulator_rows=4)


@pytest.mark.parametrize(
    ("datapath", "array", "parts"),
    [
        (Mac(lanes=1, weight_bits=4), STATIONARY, {"mac.pe", "weight_register", "column", "requantizer"}),
        (BitSerial(lanes=1, weight_bits=4, skip="zero"), ARRAY,
         {"bit_serial.pe", "bit_serial.encoder", "operand_register", "requantizer", "array_control"}),
        (BitSerial(lanes=1, weight_bits=4, activation_bits=4), STATIONARY,
         {"bit_serial.pe", "bit_serial.encoder", "weight_register", "column", "requantizer"}),
    ],
)  # fmt: skip
def test_both_dataflows_of_every_integer_datapath_are_measured(datapath, array, parts):
    sets = tiles.of_networks(datapath, array, ["mlp_int4"], 0)
    found = characterization.characterize(datapath, array, RECIPE, sets, show_progress=False)
    assert {part.component for part in found.parts} == parts
    assert all(part.area_um2 > 0 and part.leakage_uw > 0 for part in found.parts)
    nothing = {"scale", "accumulate"} if array.weight_stationary else {"scale"}
    assert {each.action for each in found.samples if each.pj == 0} == nothing
    clocks = [each for each in found.samples if each.action == "clock"]
    assert clocks
    assert all(each.zero_delay_pj == pytest.approx(each.pj, rel=0.1) for each in clocks)


def test_units_that_columns_share_are_measured_with_a_column_for_each():
    datapath = Lut(lanes=2, mu=2, weight_bits=1, activation_bits=4, reuse="patterns", sum_units=2)
    array = measured_array(Design(datapath=datapath))
    assert array == Array(rows=2, cols=2)
    sets = tiles.of_networks(datapath, array, ["mlp_binary"], 0)
    found = characterization.characterize(datapath, array, RECIPE, sets, show_progress=False)
    (unit,) = (part for part in found.parts if part.component == "lut.unit")
    assert unit.area_um2 > 0
    pj = {key[:2]: [each.pj for each in point] for key, point in samples.by_point(found.samples).items()}
    assert min(pj["lut.unit", "clock"]) > 0
    assert max(pj["lut.pe", "look_up"]) == 0  # units read
    assert min(pj["lut.pe", "accumulate"]) > 0


def test_random_weights_are_of_the_layer_with_the_most_values():
    sets = tiles.of_networks(SMALL, ARRAY, ["mlp_binary", "cnn_ternary"], 0)
    assert tiles.varied(sets) is sets["cnn_ternary/first"]  # the stem has fewer inputs than mlp_binary
    assert tiles.varied(tiles.of_networks(SMALL, ARRAY, ["mlp_int4", "cnn_ternary"], 0))[0].w.format == "int4"


def test_glitches_add_to_logic_and_not_to_clocks(measured):
    for each in measured.samples:
        if (each.component, each.action) == ("mac.pe", "multiply"):
            assert each.pj > each.zero_delay_pj
        if (each.component, each.action) == ("mac.pe", "clock"):
            assert each.pj == pytest.approx(each.zero_delay_pj, rel=1e-6)


def test_results_that_are_not_the_simulators_are_refused(monkeypatch):
    sets = tiles.of_networks(SMALL, ARRAY, ["mlp_int4"], 0)

    original = characterization.stimuli

    def flipped(*arguments):
        good = original(*arguments)
        good.streams[characterization.RESULTS][0, 0] ^= 1
        return good

    monkeypatch.setattr(characterization, "stimuli", flipped)
    with pytest.raises(PowerError, match="results are not the simulator's on tiles 0 of 'mlp_int4/first'"):
        characterization.characterize(SMALL, ARRAY, RECIPE, sets, show_progress=False)


@pytest.fixture
def design(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(
        "datapath: {name: mac, lanes: 1, weight_bits: 4, accumulator_bits: 24, group_accumulator_bits: 20}\n"
        "array: {rows: 4, cols: 4}\n"
    )
    return path


def characterize(design: Path, out: Path, *options: str) -> int:
    common = ["--liberty", str(TINY), "--node", "1000", "--out", str(out), "--network", "mlp_int4"]
    return main(["characterize", str(design), *common, *options])


def test_the_command_writes_a_table_that_simulate_takes_and_continues_it(design, tmp_path, capsys):
    out = tmp_path / "table"
    assert characterize(design, out, "--json") == 0
    found = json.loads(capsys.readouterr().out)["samples"]
    table = load(str(out))
    parameters = SMALL.pe_parameters(Array(rows=4, cols=4))
    energy = table.energy("mac.pe", "multiply", parameters, Mac.EVENTS[0].features)
    multiplied = [each for each in found if (each["component"], each["action"]) == ("mac.pe", "multiply")]
    assert energy.row.status == "measured"
    assert energy.row.zero_delay_fraction == pytest.approx(
        sum(each["zero_delay_pj"] for each in multiplied) / sum(each["pj"] for each in multiplied), rel=1e-3
    )
    told = sum(
        each["count"] * energy.per_action_pj({name: bits / each["count"] for name, bits in each["features"].items()})
        for each in multiplied
    )
    assert told == pytest.approx(sum(each["pj"] for each in multiplied), rel=0.1)
    assert "tiny" in table.conditions["library"]
    assert set(table.conditions) == {"library", "synthesis", "glitches", "clock", "wires"}
    before = (out / "energy.csv").read_bytes()
    assert characterize(design, out) == 0
    assert "already in" in capsys.readouterr().err
    assert (out / "energy.csv").read_bytes() == before
    plan = Design.load(design).to_plain() | {"technology": str(out)}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    capsys.readouterr()
    assert main(["simulate", "mlp_int4", "--design", str(tmp_path / "plan.yaml"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["assumptions"]
    assert any("glitches: included" in note for note in said)
    assert any("clock: clock pins" in note for note in said)
    assert any("wires: " in note for note in said)


def test_a_grid_is_for_its_own_datapaths(tmp_path, capsys):
    common = ["--liberty", str(TINY), "--node", "1000", "--out", str(tmp_path / "table")]
    assert main(["characterize", *common]) == 2
    assert "--grid" in capsys.readouterr().err
    assert main(["characterize", "--grid", "full", "--datapath", "stripes", *common]) == 2
    assert "the grid has no points of datapath stripes" in capsys.readouterr().err


def test_tables_keep_what_they_have_unless_told(tmp_path):
    energy, area = list(load("horowitz45").energy_rows), list(load("horowitz45").area_rows)
    writing.write(tmp_path, energy, area, {"library": "none"})
    again = writing.read(tmp_path)
    assert [row.component for row in again[0]] == [row.component for row in energy]
    np.testing.assert_allclose([row.e0_pj for row in again[0]], [row.e0_pj for row in energy], rtol=1e-4)
    other = [energy[0].__class__(**{**vars(energy[0]), "e0_pj": 7.0})]
    assert writing.merge(energy, other, replace=False)[0].e0_pj == energy[0].e0_pj
    assert writing.merge(energy, other, replace=True)[0].e0_pj == 7.0
    assert len(writing.merge(again[0], energy, replace=False)) == len(energy)  # as read and as made, 4.0 and 4


def test_broken_verilog_is_one_line_with_yosyss_reason():
    with pytest.raises(PowerError, match="synthesis of 'm' failed: ") as caught:
        synthesis.synthesize("module m (a);\n  input a;\n  wire = ;\nendmodule", "m", RECIPE, show_progress=False)
    assert "\n" not in str(caught.value)


def test_a_design_with_latches_is_refused():
    latch = "module m (e, d, q);\n  input e, d;\n  output reg q;\n  always @* if (e) q = d;\nendmodule"
    path = synthesis.synthesize(latch, "m", RECIPE, show_progress=False)
    with pytest.raises(PowerError, match=r"cell 'LATCH' is a latch"):
        netlist.read(path, liberty.read(TINY))


def test_a_missing_module_is_named():
    with pytest.raises(PowerError, match=r"no module 'top'; its modules: m"):
        synthesis.synthesize("module m (a);\n  input a;\nendmodule", "top", RECIPE)


def test_missing_yosys_is_one_line(design, tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if "yosys" in name else find(name, *rest))
    assert characterize(design, tmp_path / "table") == 2
    assert "hwsim[rtl]" in capsys.readouterr().err
    assert not (tmp_path / "table").exists()
