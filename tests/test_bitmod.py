"""BitMoD's published comparison: against its figures, and against its description run naively."""

import dataclasses
import functools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import digits, presets, workloads
from hwsim.cli import main
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.datapaths.published_array import PublishedArray
from hwsim.errors import FormatError, HwsimError
from hwsim.kernels import mapping as kernels
from hwsim.reproductions import bitmod
from hwsim.weight_shape import WeightShape
from tests.naive_bitmod import ARRAYS, MODELS, run

SPEED_UPS_OVER_ANT = {  # BitMoD-LY, version 2024, published per model in the order of MODELS
    "prefill": (1.892, 1.646, 1.832, 1.621, 1.567, 1.780),
    "decode": (1.626, 1.627, 1.713, 1.629, 1.630, 1.469),
}
DRAM_PERCENT = {"FP16": 94, "BitMoD-LL": 91, "BitMoD-LY": 88, "ANT": 85, "OliVe": 80}
"""Of the energy to decode with Llama-2-7B, published."""
ARRAY_MM2 = {"FP16": 1.512, "ANT": 1.350, "OliVe": 1.519, "BitMoD-LL": 1.544, "BitMoD-LY": 1.544}


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    return bitmod.points()


@pytest.fixture(scope="module")
def ratios(points: pd.DataFrame) -> pd.DataFrame:
    return bitmod.ratios(pd.concat([points, bitmod.equal_area()]))


def test_every_published_figure_is_met(points):
    known = points.dropna(subset=["published_cycles"])
    assert known.groupby("version").size().to_dict() == {2024: 30, 2025: 30}
    assert known["cycles"].tolist() == known["published_cycles"].tolist()
    assert known["onchip_uj"].to_numpy() == pytest.approx(known["published_onchip_uj"].to_numpy(), rel=0.001)
    assert known["energy_uj"].to_numpy() == pytest.approx(known["published_energy_uj"].to_numpy(), rel=0.0003)


def test_every_point_is_what_the_description_says(points):
    """Buffer writes are padded to words of 64 bits there, which is all that differs."""
    assert points.groupby("version").size().to_dict() == {2024: 60, 2025: 60}
    for point in points.itertuples():
        cycles, uj = run(point.accelerator, point.workload, point.stage, point.version, point.weight_bits)
        assert point.cycles == cycles, point
        onchip = uj["pe"] + uj["sram_read"] + uj["sram_write"]
        assert onchip - 0.003 * uj["sram_write"] <= point.onchip_uj * (1 + 1e-9)
        assert point.onchip_uj == pytest.approx(onchip, rel=1e-3)
        assert point.energy_uj == pytest.approx(onchip + uj["dram"], rel=1e-4)
    assert set(points["verified"]) == {"model only"}


def test_the_averages_are_those_published(ratios):
    known = ratios.dropna(subset=["published"])
    assert len(known) == 27
    rounding = np.where(known["base"] == bitmod.EQUAL_AREA, 0.005, 0.00051)  # as many digits as are published
    rounding[(known["quantity"] == "energy").to_numpy()] = 0.0011  # energies are met within 0.03 %
    assert (np.abs(known["mean"] - known["published"]) <= rounding).all()
    assert (known["geometric_mean"] <= known["mean"]).all()


def test_generative_is_a_prefill_and_twenty_tokens_and_means_are_over_models_and_tasks(points, ratios):
    chosen = points[points["version"] == 2025]
    cycles = {(p.accelerator, p.workload, p.stage): p.cycles for p in chosen.itertuples()}
    factors = []
    for model in MODELS:
        ours, other = ([cycles[name, model, stage] for stage in ARRAYS[name]] for name in ("BitMoD-LY", "OliVe"))
        factors += [other[0] / ours[0], (other[0] + 20 * other[1]) / (ours[0] + 20 * ours[1])]
    row = ratios.query("version == 2025 and quantity == 'cycles' and base == 'OliVe' and task == 'all'").iloc[0]
    assert row["mean"] == pytest.approx(np.mean(factors))
    assert row["geometric_mean"] == pytest.approx(np.prod(factors) ** (1 / len(factors)))


@pytest.mark.parametrize("stage", SPEED_UPS_OVER_ANT)
def test_speed_ups_of_each_model_are_those_published(points, stage):
    chosen = points.query("version == 2024 and stage == @stage").pivot(
        index="workload", columns="accelerator", values="cycles"
    )
    found = (chosen["ANT"] / chosen["BitMoD-LY"])[list(MODELS)]
    assert found.tolist() == pytest.approx(SPEED_UPS_OVER_ANT[stage], abs=0.00051)


def test_energy_splits_as_published(points):
    decode = points.query("version == 2024 and workload == 'llama-2-7b' and stage == 'decode'").set_index("accelerator")
    share = 100 * (1 - decode["onchip_uj"] / decode["energy_uj"])
    assert share.round().to_dict() == DRAM_PERCENT
    design = bitmod.design("BitMoD-LY", "prefill", 2024, 4.0625)
    result = hwsim.simulate(bitmod.workload("llama-2-7b", "prefill", 2024), design)
    events = result.events().groupby(["category", "action"])["energy_pj"].sum() * 1e-9
    found = (events["pe"].sum(), events["buffers", "read"], events["buffers", "write"], events["dram"].sum())
    assert found == pytest.approx((833, 112, 37, 4407), rel=0.02)


@pytest.mark.parametrize("accelerator", ARRAYS)
@pytest.mark.parametrize("stage", ["prefill", "decode"])
def test_a_shipped_design_is_the_published_array_transposed(accelerator, stage):
    design = presets.load(f"published_{accelerator.lower().replace('-', '_')}_{stage}")
    assert (design.array.cols, design.array.rows) == ARRAYS[accelerator][stage]
    assert design.overlap == "layer"
    (part, *buffers) = hwsim.simulate(workloads.load("opt-1.3b", stage=stage), design).parts
    assert part.count * part.area_um2 * 1e-6 == pytest.approx(ARRAY_MM2[accelerator], abs=0.0006)
    assert [buffer.name for buffer in buffers] == ["activation_buffer", "weight_buffer"]


def test_simulate_alone_gives_the_figures_of_2025(points, capsys):
    arguments = ["llama-2-7b", "--stage", "decode", "--design", "published_bitmod_ly_decode", "--json"]
    assert main(["simulate", *arguments]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["totals"]["cycles"] == 81_344_464  # published
    assert data["totals"]["verified"] == "model only"
    words = "left out: leakage, host operators, partial dram cycles, fill and drain, term encoder, selector bits"
    assert words in data["assumptions"]


sizes = st.integers(1, 1 << 20)


@given(bits=st.tuples(*[sizes] * 5))
def test_refetches_per_buffer_stream_the_operand_that_moves_less(bits):
    inputs, weights, _, activation_buffer, weight_buffer = bits
    found = kernels.loop_order(np.array([3, 5, *bits], dtype=np.int64), True)
    expected = inputs + weights
    if inputs > activation_buffer and weights > weight_buffer:
        again = weights * -(-inputs // activation_buffer) + inputs, inputs * -(-weights // weight_buffer) + weights
        expected = min(again)
    assert found[1] * inputs + found[2] * weights == expected
    assert 1 in found[1:]


def cycles(datapath, w, m, array):
    shape = np.array([m, w.n, w.k, w.group_size, False], dtype=np.int64)
    return datapath.cycles(shape, datapath.stats(w, array).values, datapath.params(array))


@settings(max_examples=30)
@given(
    m=st.integers(1, 70), n=st.integers(1, 40), k=st.integers(1, 60), rows=st.integers(1, 9), cols=st.integers(1, 9),
    lanes=st.integers(1, 5), bits=st.integers(2, 8),
)  # fmt: skip
def test_with_fill_and_drain_it_is_our_verified_arrays_without_scales(m, n, k, rows, cols, lanes, bits):
    w = hwsim.lower(hwsim.quantize(np.random.default_rng(k).standard_normal((n, k)), f"int{bits}"))
    array, known = Array(rows=rows, cols=cols), WeightShape(n=n, k=k, stored_bits=bits, bits=bits)
    for serial, ours in (
        (True, BitSerial(lanes=lanes, scale_bits=0, skip="none")), (False, Mac(lanes=lanes, scale_bits=0)),
    ):  # fmt: skip
        published = PublishedArray(serial=serial, lanes=lanes)
        expected = cycles(ours, w, m, array)
        assert cycles(published, known, m, array) == cycles(published, w, m, array) == expected
        bare = dataclasses.replace(published, fill_drain=False)
        step = -(-bits // 2) if serial else 1
        assert cycles(bare, known, m, array) == step * -(-k // lanes) * -(-n // cols) * -(-m // rows) <= expected


def test_every_switch_counts_something():
    """In 2024's attention the 40 heads of Llama-2-13B leave a last DRAM cycle half used; compute bounds a prefill."""
    points = [("llama-2-13b", "decode", 3.0625), ("opt-1.3b", "prefill", 4.0625)]

    def cost(switch):
        found = []
        for model, stage, bits in points:
            design = switch(bitmod.design("BitMoD-LY", stage, 2024, bits))
            found.append(hwsim.simulate(bitmod.workload(model, stage, 2024), design))
        return sum(result.cycles for result in found), sum(result.energy_pj for result in found), design.left_out

    base = cost(lambda design: design)
    for words in bitmod._LEFT_OUT:
        cycles, energy_pj, left_out = cost(bitmod.SWITCHES[words])
        assert len(left_out) == len(base[2]) - 1
        assert (cycles > base[0]) == (words not in ("leakage", "term encoder")), words
        assert (energy_pj > base[1]) == (words != "partial DRAM cycles"), words
    assert cost(bitmod.SWITCHES["all of these"])[2] == ()


def test_a_verified_datapath_of_which_something_is_left_out_is_a_model_only():
    gemm = hwsim.Workload.from_shapes("gemm", [(8, 8, 8)])
    whole = hwsim.simulate(gemm, hwsim.Design())
    part = hwsim.simulate(gemm, hwsim.Design.from_plain({"counted": {"leakage": False}}))
    assert (whole.verified, part.verified) == ("rtl", "model only")
    assert whole.energy_pj - part.energy_pj == pytest.approx(whole.energy_by_component()["leakage"])
    assert "left out: leakage" in part.assumptions()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"refetch": "layer"}, "refetch 'layer' needs overlap 'layer'"),
        ({"weight_buffer": {"kib": 64, "width_bits": None}}, "banks = 8, accepted is 1"),
        ({"output_buffer": {"kib": 64, "banks": 1, "width_bits": None}}, "output_buffer.width_bits"),
        ({"datapath": {"name": "published_array", "weight_bits": 0.5}}, "weight_bits = 0.5"),
        ({"counted": {"leakages": False}}, "did you mean 'leakage'"),
    ],
)
def test_a_wrong_design_is_refused(changes, message):
    with pytest.raises(HwsimError, match=message):
        hwsim.Design.from_plain(changes)


def test_a_datapath_without_steps_needs_the_width_of_its_buffers():
    design = hwsim.Design.from_plain({"weight_buffer": {"kib": 64, "banks": 1, "width_bits": None}})
    with pytest.raises(HwsimError, match="buffers need width_bits"):
        hwsim.simulate(hwsim.Workload.from_shapes("gemm", [(8, 8, 8)]), design)


def test_results_without_an_output_buffer_go_to_the_activation_buffer():
    gemm = hwsim.Workload.from_shapes("gemm", [(16, 32, 8)])
    events = hwsim.simulate(gemm, hwsim.Design(output_buffer=None)).events()
    writes = events.query("component == 'activation_buffer' and action == 'write'")["count"].sum()
    assert writes == -(-(16 * 8 + 16 * 32) * 8 // 128)
    assert "output_buffer" not in set(events["component"])


def test_shapes_alone_have_no_values():
    with pytest.raises(FormatError, match="only the shape"):
        WeightShape(n=2, k=3, stored_bits=4, bits=4).tensor()


def test_published_arrays_compute_no_values():
    network = digits.load("mlp_int8")
    images = digits.held_out(network)[0][:1]
    with pytest.raises(HwsimError, match="computes no values"):
        hwsim.run(network, presets.load("published_fp16_decode"), images)


def test_a_row_of_weights_fills_whole_bytes():
    assert WeightShape(n=3, k=5, stored_bits=3.0625, bits=3).storage_bits == 3 * 16


def test_our_array_needs_more_cycles_than_the_published_model():
    (row,) = bitmod.counterpart(["opt-1.3b"]).query("stage == 'decode'").itertuples()
    published = 16_558_070  # BitMoD-LY, 2025
    assert row.verified == "rtl"
    assert published < row.array_cycles < 1.02 * published
    assert row.array_cycles < row.cycles
    assert row.array_energy_uj < row.energy_uj


@pytest.fixture
def few(monkeypatch, points):
    """The command, with our own array on one model and without simulating the points anew."""
    monkeypatch.setattr(bitmod, "counterpart", functools.partial(bitmod.counterpart, ["opt-1.3b"]))
    monkeypatch.setattr(bitmod, "points", lambda versions, progress: points[points["version"].isin(versions)])


def test_the_command_prints_what_is_published_beside_what_is_found(few, capsys, tmp_path):
    assert main(["reproduce", "bitmod", "--version", "2024", "--csv", str(tmp_path / "points.csv")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for part in ("3,156,574,208", "1.691", "1.474", "1.60", "Geometric mean", "model only", "leakage", "rtl", "wrote"):
        assert part in out
    written = pd.read_csv(tmp_path / "points.csv")
    assert list(written) == ["version", "accelerator", "model", "stage", "cycles", "energy_uj"]
    assert written["version"].tolist() == [2024] * 60
    row = written.query("accelerator == 'FP16' and model == 'meta-llama/Llama-2-7b-hf' and stage == 'prefill'").iloc[0]
    assert row["cycles"] == 3_156_574_208
    assert row["energy_uj"] == pytest.approx(15_511_220, rel=1e-4)


def test_the_command_as_json_has_both_versions(few, capsys):
    assert main(["reproduce", "bitmod", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert sorted(data) == ["counterpart", "left_out", "points", "ratios"]
    assert {row["version"] for row in data["points"]} == {2024, 2025}


def test_an_unknown_version_is_refused(capsys):
    assert main(["reproduce", "bitmod", "--version", "2023"]) == 2
    assert "2024" in capsys.readouterr().err
    with pytest.raises(HwsimError, match="2023"):
        bitmod.points([2023])
