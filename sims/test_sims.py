"""Simulator against RTL on the quick part of the catalogue, and benches that must notice faults."""

import dataclasses
import itertools

import numpy as np
import pytest
from cocotb_tools.check_results import get_results

from hwsim import digits
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.lut import Lut
from hwsim.datapaths.lut_buckets import LutBuckets
from hwsim.datapaths.lut_products import LutProducts
from hwsim.datapaths.mac import Mac
from hwsim.datapaths.rram import Rram
from hwsim.design import Design, Override
from hwsim.errors import FormatError
from hwsim.simulation import simulate
from hwsim.workload import MatmulLayer, OneBit, Workload
from rtl import harness, rram_stimuli, stimuli, verilog
from rtl.array import stream_layouts
from rtl.generator import generate
from rtl.harness import Job
from rtl.stimuli import RESULTS
from sims import amaranth_engine, crossbars, networks, runner, verilator_engine
from sims.catalogue import catalogue, chosen, find
from sims.configuration import ROUNDS, Configuration
from sims.faults import FAULTS, Faulty
from sims.workloads import random_matmul

QUICK = [each for each in catalogue() if each.quick]
ENGINES = [find(name) for name in ("mac-saturating", "mac-drawn-00", "mac-stationary-drawn-00")]
"""One configuration per engine, and one of the other dataflow."""
PLANES = {"binary", "wide", "split128", "split64", "ternary", "int4", "plum", "tbn"}
"""What the digits networks whose weights are planes of bits are called after their kind (mlp or cnn)."""


def names(configuration: Configuration) -> str:
    return configuration.name


def crossbar(configuration: Configuration) -> bool:
    return isinstance(configuration.datapath, Rram)


@pytest.mark.parametrize("configuration", QUICK, ids=names)
def test_simulator_and_rtl_agree(configuration, tmp_path):
    named = list(configuration.workloads())
    outcomes = runner.replay(configuration, [job for _, job in named], tmp_path)
    for (workload, job), outcome in zip(named, outcomes, strict=True):
        row = runner.row(configuration, workload, job, outcome)
        assert row.agrees, row


@pytest.mark.parametrize("network", digits.NAMES)
@pytest.mark.parametrize("configuration", [each for each in QUICK if each.network and not crossbar(each)], ids=names)
def test_jobs_are_the_layers_that_simulate_counts(configuration, network):
    design = Design(datapath=configuration.datapath, array=configuration.array)
    if network not in networks.runnable(design):
        with pytest.raises(FormatError, match=r"its values|accumulator_bits|planes|buckets|group scales"):
            simulate(digits.load(network), design)
        return
    result = simulate(digits.load(network), design, batch=networks.BATCH)
    counted = {each.name: each.compute_cycles for each in result.layers if each.kind == "matmul"}
    replayed = dict.fromkeys(counted, 0)
    for layer, job in networks.layer_jobs(network, design):
        replayed[layer] += job.stimuli.cycles
    assert replayed == counted


def test_catalogue_is_wide_enough():
    for datapath in ("mac", "bit_serial", "lut", "lut_buckets", "lut_products"):
        designs = [each for each in catalogue() if each.datapath.name() == datapath]
        assert sum(each.engine == "verilator" for each in designs) >= 8
        assert sum(each.quick for each in designs) >= 5
        for stationary in (False,) if datapath.startswith("lut") else (False, True):
            same = [each for each in designs if each.array.weight_stationary == stationary]
            assert len({(each.datapath, each.array) for each in same}) >= (12 if stationary else 25)
            assert {each.engine for each in same if each.quick} == {"verilator", "amaranth"}
            whole = [each for each in same if each.network]
            assert whole or datapath == "lut_products"  # no network has activations of 4 bits
            for each in whole:
                assert each.quick
                assert (each.array.rows, each.array.cols, each.datapath.lanes) == (8, 8, 8)


@pytest.mark.parametrize("datapath", ["lmul", "fp_mac"])
def test_catalogue_of_floating_point_is_wide_enough(datapath):
    chosen = [each for each in catalogue() if each.datapath.name() == datapath]
    assert sum(each.engine == "verilator" for each in chosen) >= 8
    assert {each.datapath.accumulation for each in chosen if each.quick} == {"float32", "fixed"}
    for each in (each for each in chosen if each.network):
        assert (each.array.rows, each.array.cols, each.datapath.lanes) == (8, 8, 8)
        design = Design(datapath=each.datapath, array=each.array)
        assert "cnn_fp8" in networks.runnable(design)


def test_crossbars_are_compared_widely():
    chosen = [each for each in catalogue() if crossbar(each)]
    assert len({(each.datapath, each.array) for each in chosen}) >= 25
    assert sum(each.engine == "verilator" for each in chosen) >= 8
    assert {each.engine for each in chosen if each.quick} == {"verilator", "amaranth"}
    drawn = sum(ROUNDS[each.engine] * len(crossbars.KINDS) for each in chosen)
    assert drawn >= 300


def test_every_layer_of_signs_runs_on_crossbars():
    def weights(layer):
        (w,) = layer.weights
        return set(np.unique(w.integers * w.scale[:, :1]))

    whole = [each for each in catalogue() if crossbar(each) and each.network]
    assert any(each.quick for each in whole)
    for name in digits.NAMES:
        network = digits.load(name)
        found = {layer for each in whole for layer in crossbars.fitting(network, each.datapath, each.array)}
        layers = [layer for layer in Workload.from_network(network).layers if isinstance(layer, MatmulLayer)]
        split = {layer.name for layer in layers if layer.one_bit and layer.one_bit.groups > 1}
        unsplit = {layer.name for layer in layers if layer.one_bit == OneBit() and weights(layer) == {-1, 1}}
        assert found == split | unsplit


@pytest.mark.parametrize("network", [name for name in digits.NAMES if "binary" in name or "split" in name])
def test_crossbar_jobs_are_the_layers_that_simulate_counts(network):
    loaded = digits.load(network)
    for each in catalogue():
        if not (crossbar(each) and each.network):
            continue
        for layer in crossbars.fitting(loaded, each.datapath, each.array):
            part = next(crossbars.layer_parts(loaded, layer, each.array))
            job = rram_stimuli.stimuli(each.datapath, each.array, part)
            programming = max(len(job.streams[name]) for name in ("i_cells", "i_references"))
            wide = dataclasses.replace(each.array, cols=1024)
            design = Design(overrides=(Override(layers=layer, datapath=each.datapath, array=wide),))
            result = simulate(loaded, design, batch=crossbars.BATCH)
            counted = next(one.compute_cycles for one in result.layers if one.name == layer)
            assert job.cycles - programming == counted


def test_a_datapath_names_all_of_its_configurations():
    assert chosen("lut") == [each for each in catalogue() if each.datapath.name() == "lut"]
    assert chosen("lut-network") == [find("lut-network")]
    with pytest.raises(KeyError, match="no design 'lut-missing'"):
        chosen("lut-missing")


def test_tables_of_every_size_are_compared():
    designs = [each for each in catalogue() if each.datapath.name() == "lut"]
    assert len(designs) >= 30
    assert {each.datapath.mu for each in designs} >= {1, 2, 3, 4, 5}
    assert {each.datapath.weight_bits for each in designs} >= {1, 2, 3, 4}
    readers = {each.datapath.sharing(each.array) for each in designs}
    assert {min(readers), max(readers)} == {1, 16}
    for field, values in (
        ("build", {"naive", "two_level", "shared", "incremental"}), ("reuse", {"none", "rows", "patterns"}),
        ("table", {"full", "half"}), ("planes", {"serial", "parallel"}), ("entries", {"exact", "int8"}),
        ("plane_scales", {False, True}), ("overflow", {"wrap", "saturate"}),
    ):  # fmt: skip
        assert {getattr(each.datapath, field) for each in designs} == values


@pytest.mark.parametrize(
    ("name", "networks_of"),
    [
        ("lut-network", PLANES),
        ("lut-patterns-network", PLANES),
        ("lut_buckets-network", PLANES | {"bitmod", "denseshift"}),
    ],
)
def test_tables_run_these_networks_whole(name, networks_of):
    configuration = find(name)
    design = Design(datapath=configuration.datapath, array=configuration.array)
    expected = {each for each in digits.NAMES if each.partition("_")[2] in networks_of}
    assert set(networks.runnable(design)) == expected
    assert configuration.network


def test_every_network_runs_bit_serially():
    whole = [each for each in catalogue() if each.network and each.datapath.name() == "bit_serial"]
    designs = [Design(datapath=each.datapath, array=each.array) for each in whole]
    assert {name for design in designs for name in networks.runnable(design)} == set(digits.NAMES)


def a_job(configuration: Configuration, stall: int = 0) -> Job:
    matmul = random_matmul("ragged", configuration.datapath, configuration.array, seed=4)
    answer = stimuli.stimuli(configuration.datapath, configuration.array, matmul)
    return Job(stimuli=answer, stall=stall)


def changed(job: Job, name: str, beats: np.ndarray) -> Job:
    """``job`` with other beats on stream ``name``."""
    streams = {**job.stimuli.streams, name: beats}
    return dataclasses.replace(job, stimuli=dataclasses.replace(job.stimuli, streams=streams))


@pytest.mark.parametrize("configuration", ENGINES, ids=names)
def test_one_wrong_golden_value_is_noticed(configuration, tmp_path):
    good = a_job(configuration)
    beats = good.stimuli.streams[RESULTS].copy()
    beats[5, 0] ^= 1
    first, second = runner.replay(configuration, [changed(good, RESULTS, beats), good], tmp_path)
    assert (first.mismatches, first.first_mismatch) == (1, 5)
    assert not runner.row(configuration, "ragged", good, first).agrees
    assert runner.row(configuration, "ragged", good, second).agrees


@pytest.mark.parametrize("configuration", ENGINES, ids=names)
@pytest.mark.parametrize("error", [-1, 1])
def test_one_wrong_cycle_is_noticed(configuration, error, tmp_path):
    job = a_job(configuration)
    (outcome,) = runner.replay(configuration, [job], tmp_path)
    wrong = dataclasses.replace(job.stimuli, cycles=job.stimuli.cycles + error)
    assert runner.row(configuration, "ragged", job, outcome).agrees
    assert not runner.row(configuration, "ragged", dataclasses.replace(job, stimuli=wrong), outcome).agrees


@pytest.mark.parametrize("configuration", ENGINES, ids=names)
def test_results_that_never_come_are_mismatches(configuration, tmp_path):
    job = a_job(configuration)
    short = changed(job, "i_weights", job.stimuli.streams["i_weights"][:-1])
    assert runner.replay(configuration, [short], tmp_path)[0].mismatches > 0


@pytest.mark.parametrize("configuration", ENGINES, ids=names)
def test_beats_left_over_break_a_rule(configuration, tmp_path):
    job = a_job(configuration)
    beats = job.stimuli.streams["i_quantizers"]
    outcome = runner.replay(configuration, [changed(job, "i_quantizers", beats[[*range(len(beats)), -1]])], tmp_path)
    assert outcome[0].violations > 0


SMALL = Array(rows=2, cols=2)
STATIONARY = Array(rows=2, cols=2, dataflow="weight_stationary", accumulator_rows=3)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("engine", "array"), [("verilator", SMALL), ("amaranth", SMALL), ("amaranth", STATIONARY)],
    ids=lambda value: getattr(value, "dataflow", value),
)  # fmt: skip
def test_broken_stream_rules_are_noticed(engine, array, fault, tmp_path):
    datapath = Mac(lanes=2, weight_bits=4, scale_bits=0)
    matmul = random_matmul("ragged", datapath, array, seed=5)
    job = Job(stimuli=stimuli.stimuli(datapath, array, matmul), stall=128)
    broken = Faulty(generate(datapath, array), fault)
    if engine == "amaranth":
        (outcome,) = amaranth_engine.replay(broken, [job])
    else:
        build = verilator_engine.build_harness(broken, stream_layouts(datapath, array))
        (outcome,) = verilator_engine.replay(build, datapath, array, [job], tmp_path)
    assert outcome.violations > 0


BARE = [
    *itertools.product([Mac(lanes=2), BitSerial(lanes=2, skip="zero")], [SMALL, STATIONARY]),
    (Lut(lanes=4, mu=2, build="incremental"), SMALL),
    (LutBuckets(lanes=2, weight_bits=2), SMALL),
    (LutProducts(lanes=2, weight_bits=2), SMALL),
]


@pytest.mark.parametrize(("datapath", "array"), BARE, ids=[f"{each[0].name()}-{each[1].dataflow}" for each in BARE])
def test_stream_rules_cycle_by_cycle(datapath, array, tmp_path):
    layouts = stream_layouts(datapath, array)
    matmul = random_matmul("ragged", datapath, array, seed=6)
    harness.write_jobs(tmp_path, layouts, [Job(stimuli=stimuli.stimuli(datapath, array, matmul))])
    ports = ["clk", "rst", *(f"{name}__{part}" for name in layouts for part in ("payload", "valid", "ready"))]
    rtl = verilog.emit(generate(datapath, array), "array")
    build = verilator_engine.compile_verilog({"array.v": rtl}, "array", ports)
    results = verilator_engine.run_bench(
        build, f"bench_{datapath.name()}", tmp_path, "keeps_stream_rules", {"VECTORS": str(tmp_path)}
    )
    assert get_results(results) == (1, 0)
