"""Two results side by side."""

import dataclasses
import json

import pytest

from hwsim import Array, BitSerial, Design, Mac, Override, Workload, digits, simulate
from hwsim.comparison import compare, compare_designs
from hwsim.errors import DesignError

NETWORK = digits.load("cnn_int4")
A = Design(datapath=Mac(), clock_mhz=400.0)
B = Design(datapath=BitSerial(skip="zero"), array=Array(rows=8, cols=32), clock_mhz=250.0)


def test_differences_add_up_to_those_of_the_totals():
    found = compare(simulate(NETWORK, A), simulate(NETWORK, B))
    totals = found.totals().set_index("measure")
    more = totals["b"] - totals["a"]
    assert found.energy()["more_pj"].sum() == pytest.approx(more["energy_pj"])
    assert found.layers()["more_s"].sum() == pytest.approx(more["latency_s"])
    assert found.area()["more_um2"].sum() == pytest.approx(more["area_um2"])
    assert (totals["ratio"] == totals["b"] / totals["a"]).all()
    for frame, column in ((found.energy(), "more_pj"), (found.layers(), "more_s"), (found.area(), "more_um2")):
        assert frame[column].abs().is_monotonic_decreasing
    energy = found.energy()
    for side in "ab":
        known = energy[energy[f"count_{side}"] > 0]
        assert (known[f"count_{side}"] * known[f"per_action_pj_{side}"]).tolist() == pytest.approx(
            known[f"energy_pj_{side}"].tolist()
        )
    json.dumps(found.to_plain(), allow_nan=False)


def test_designs_differ_where_their_keys_do():
    rows = compare(simulate(NETWORK, A), simulate(NETWORK, B)).designs().set_index("key")
    assert set(rows.index) >= {"datapath.name", "datapath.skip", "array.rows", "array.cols", "clock_mhz"}
    assert "weight_buffer.kib" not in rows.index
    assert tuple(rows.loc["array.cols"]) == (16, 32)
    other = dataclasses.replace(A, overrides=(Override(layers="*d", array=Array(rows=2)),))
    rows = compare(simulate(NETWORK, A), simulate(NETWORK, other)).designs()
    assert rows.to_dict("records") == [{"key": "overrides", "a": "none", "b": "*d"}]


def test_a_design_does_not_differ_from_itself():
    found = compare(simulate(NETWORK, A), simulate(NETWORK, A))
    assert found.designs().empty
    assert found.reasons() == []
    assert (found.totals()["ratio"] == 1).all()


def test_reasons_name_what_changed_most():
    slow = dataclasses.replace(A, dram=dataclasses.replace(A.dram, bandwidth_gb_s=0.01))
    reasons = compare(simulate(NETWORK, A), simulate(NETWORK, slow)).reasons()
    assert any("times as long; bound by " in reason and "by dram in b" in reason for reason in reasons)
    reasons = compare(simulate(NETWORK, A), simulate(NETWORK, B)).reasons()
    assert any(reason.endswith("only b has it") for reason in reasons)


def test_at_an_equal_clock():
    found = compare_designs((NETWORK, NETWORK), (A, B), equal="clock")
    assert found.a.design.clock_mhz == found.b.design.clock_mhz == 250.0
    assert found.b.totals() == simulate(NETWORK, B).totals()


def test_in_an_equal_area_no_larger_array_would_fit():
    found = compare_designs((NETWORK, NETWORK), (A, B), equal="area")
    array = found.b.design.array
    assert found.b.area_um2 <= found.a.area_um2
    assert array.cols / array.rows == pytest.approx(4, rel=0.3)
    larger = dataclasses.replace(array, rows=max(round((array.cols + 1) / 4), 1), cols=array.cols + 1)
    assert simulate(NETWORK, dataclasses.replace(B, array=larger)).area_um2 > found.a.area_um2
    tiny = dataclasses.replace(A, array=Array(rows=1, cols=1))
    large = dataclasses.replace(B, weight_buffer=dataclasses.replace(B.weight_buffer, kib=128))
    with pytest.raises(DesignError, match="no array of bit_serial goes into"):
        compare_designs((NETWORK, NETWORK), (tiny, large), equal="area")


def test_layers_of_other_networks_stand_beside_each_other():
    networks = Workload.from_shapes("one", [(4, 4, 4)]), Workload.from_shapes("two", [(4, 4, 4), (8, 8, 8)])
    found = compare_designs(networks, (A, A))
    assert found.layers()["layer"].tolist() == ["matmul1", "matmul0"]
    assert "layer matmul1: only in b" in found.reasons()
