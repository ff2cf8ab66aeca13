"""Costs of a layer against counts by hand and by brute force over tiles."""

import dataclasses

import numpy as np
import pytest

import hwsim
from hwsim import Array, BitSerial, Design, Dram, HwsimError, Mac, Override, Sram, Workload, simulate
from hwsim.mapping import tiles
from hwsim.result import CATEGORIES
from hwsim.technology import load

M, N, K = 40, 24, 60
GEMM = Workload.from_shapes("gemm", [(M, N, K)])
DESIGN = Design(datapath=Mac(lanes=8), array=Array(rows=16, cols=8), clock_mhz=1000.0)


def counts(result):
    frame = result.events().groupby(["component", "action"])["count"].sum()
    return {key: int(value) for key, value in frame.items()}


def test_compute_cycles_follow_the_tiles():
    layer = simulate(GEMM, DESIGN).layers[0]
    steps = -(-K // 8)
    sequence = [tile.m1 - tile.m0 for tile in tiles(M, N, DESIGN.array)]
    moved = steps + 2
    for rows in sequence[:-1]:
        moved += max(steps, rows)
    assert layer.compute_cycles == moved + sequence[-1] + 3 + 1


def test_events_are_counted_by_hand():
    result = simulate(GEMM, DESIGN)
    found = counts(result)
    steps, m_tiles, n_tiles = 8, 3, 3
    cycles = result.layers[0].compute_cycles
    assert found["mac.pe", "multiply"] == M * N * K
    assert found["mac.pe", "accumulate"] == M * N * steps
    assert found["mac.pe", "scale"] == M * N
    assert found["mac.pe", "clock"] == 16 * 8 * cycles
    assert found["requantizer", "requantize"] == M * N
    assert found["operand_register", "clock"] == cycles
    weight_bits = 8 * N * K + 32 * N
    assert found["activation_buffer", "read"] == -(-n_tiles * M * K * 8 // 128)
    assert found["weight_buffer", "read"] == -(-m_tiles * weight_bits // 128)
    assert found["dram", "read bit"] == 8 * M * K + weight_bits
    assert found["dram", "write bit"] == 8 * M * N


def test_bit_serial_events_count_the_terms_of_the_actual_weights():
    design = dataclasses.replace(DESIGN, datapath=BitSerial(lanes=8, skip="zero"))
    found = counts(simulate(GEMM, design))
    w = GEMM.layers[0].weights[0].tensor().integers
    digits = sum(
        sum(((int(v) >> 2 * i & 1) + (int(v) >> 2 * i - 1 & 1 if i else 0) - 2 * (int(v) >> 2 * i + 1 & 1)) != 0
            for i in range(4)) for v in w.ravel()
    )  # fmt: skip
    assert found["bit_serial.pe", "term_add"] == M * digits
    assert found["bit_serial.encoder", "encode"] == 3 * N * K


def test_energy_is_counts_times_the_technology_rows():
    result = simulate(GEMM, DESIGN)
    tech = load(DESIGN.technology)
    found = counts(result)
    (event,) = (each for each in result.layers[0].events if each.action == "multiply")
    row = tech.energy("mac.pe", "multiply", DESIGN.datapath.pe_parameters(DESIGN.array), tuple(event.features))
    multiply = row.per_action_pj(event.features)
    assert multiply > 0
    events = result.events().set_index(["component", "action"])
    assert events.loc[("mac.pe", "multiply"), "energy_pj"] == pytest.approx(found["mac.pe", "multiply"] * multiply)
    assert events["energy_pj"].sum() == pytest.approx(result.energy_pj)
    assert sum(result.energy_by_component().values()) == pytest.approx(result.energy_pj)
    assert result.energy_by_component()["dram"] == pytest.approx(
        8 * (found["dram", "read bit"] + found["dram", "write bit"])
    )


def test_leakage_is_power_times_time():
    result = simulate(GEMM, DESIGN)
    power_w = result.area()["leakage_uw"].sum() * 1e-6
    assert result.energy_by_component()["leakage"] == pytest.approx(power_w * result.latency_s * 1e12)


def test_totals_agree_with_each_other():
    totals = simulate(GEMM, DESIGN).totals()
    assert totals["latency_s"] == totals["cycles"] / 1e9
    assert totals["edp_js"] == pytest.approx(totals["energy_pj"] * 1e-12 * totals["latency_s"])
    assert totals["tops"] == pytest.approx(2 * M * N * K / totals["latency_s"] * 1e-12)
    assert totals["tops_per_w"] == pytest.approx(2 * M * N * K / totals["energy_pj"])
    assert totals["verified"] == "rtl"


def test_slow_memory_bounds_a_layer_and_says_so():
    assert simulate(GEMM, dataclasses.replace(DESIGN, dram=Dram(bandwidth_gb_s=1000.0))).layers[0].bound == "compute"
    slow = simulate(GEMM, dataclasses.replace(DESIGN, dram=Dram(bandwidth_gb_s=0.01))).layers[0]
    assert slow.bound == "dram"
    assert slow.cycles >= slow.memory_cycles > slow.compute_cycles
    narrow = dataclasses.replace(DESIGN, activation_buffer=Sram(kib=64, banks=1, width_bits=32))
    assert simulate(GEMM, narrow).layers[0].bound == "activation_buffer"


@pytest.mark.parametrize("overlap", ["tile", "layer"])
def test_a_layer_takes_at_least_its_compute_and_its_memory(overlap):
    layer = simulate(GEMM, dataclasses.replace(DESIGN, overlap=overlap)).layers[0]
    assert layer.cycles >= max(layer.compute_cycles, layer.memory_cycles)
    if overlap == "layer":
        assert layer.cycles == max(layer.compute_cycles, layer.memory_cycles)


def test_utilization_reaches_one_on_a_perfect_fit():
    big = Workload.from_shapes("fit", [(64, 32, 4096)])
    design = dataclasses.replace(DESIGN, overlap="layer", dram=Dram(bandwidth_gb_s=1e5))
    assert 0.99 < simulate(big, design).layers[0].utilization <= 1.0
    serial = dataclasses.replace(design, datapath=BitSerial(lanes=8))
    assert 0.99 < simulate(big, serial).layers[0].utilization <= 1.0


def test_overrides_put_layers_on_their_own_array_and_add_its_area():
    two = Workload.from_shapes("two", [(M, N, K), (M, N, K)])
    override = Override(layers="matmul1", datapath=BitSerial(), array=Array(rows=4, cols=4))
    design = dataclasses.replace(DESIGN, overrides=(override,))
    result = simulate(two, design)
    alone = simulate(two, DESIGN)
    assert result.layers[0].compute_cycles == alone.layers[0].compute_cycles
    assert result.layers[1].compute_cycles != alone.layers[1].compute_cycles
    assert {"mac.pe", "bit_serial.pe"} <= set(result.area()["component"])
    assert result.area_um2 > alone.area_um2


def test_assumed_distributions_are_named_and_seeded():
    result = simulate(GEMM, DESIGN)
    assert any("assumed normal weights" in note for note in result.assumptions())
    same = Workload.from_shapes("gemm", [(M, N, K)])
    other = Workload.from_shapes("gemm", [(M, N, K)], seed=1)
    assert same.hash == GEMM.hash != other.hash


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Workload.from_shapes("w", [(1, 0, 3)]), "not positive"),
        (lambda: Workload.from_shapes("w", []), "no shapes"),
        (lambda: Workload.from_shapes("w", [(1, 1, 1)], distribution="gausian"), "did you mean 'gaussian'"),
        (lambda: simulate(GEMM, Design(technology="tsmc28")), "unknown technology 'tsmc28'"),
        (lambda: simulate(GEMM, Design(datapath=Mac(weight_bits=4))), "layer 'matmul0': mac cannot take"),
        (lambda: simulate(GEMM, Design(datapath=Mac(activation_bits=4))), "activation_bits=8"),
        (lambda: simulate(GEMM, Design(activation_buffer=Sram(kib=1, banks=64))), "no SRAM bank"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(HwsimError, match=message):
        make()


def test_grouped_matmuls_run_one_after_the_other():
    w = hwsim.lower(hwsim.quantize(np.random.default_rng(0).normal(size=(N, K)), "int8"))
    single = GEMM.layers[0]
    layer = dataclasses.replace(single, weights=(w, w, w), input_elements=3 * M * K)
    one = simulate(Workload(name="one", layers=(dataclasses.replace(single, weights=(w,)),)), DESIGN).layers[0]
    three = simulate(Workload(name="three", layers=(layer,)), DESIGN).layers[0]
    assert three.compute_cycles == 3 * one.compute_cycles
    assert three.macs == 3 * one.macs
    assert three.dram_bits == 3 * one.dram_bits


def test_frames_have_units_and_one_row_per_layer():
    result = simulate(GEMM, DESIGN)
    assert len(result.frame()) == 1
    assert {f"{name}_energy_pj" for name in CATEGORIES} <= set(result.frame().columns)


def test_an_override_that_matches_no_layer_is_named():
    design = dataclasses.replace(DESIGN, overrides=(Override(layers="matmul9", array=Array(rows=2)),))
    with pytest.raises(HwsimError, match=r"override 'matmul9' matches no layer of 'gemm'; .*matmul0"):
        simulate(GEMM, design)
