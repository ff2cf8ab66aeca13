"""The testbench for a user's own flow: it passes, and it fails when a golden value is wrong."""

import dataclasses
import os
import shutil
import subprocess

import numpy as np
import pytest

from hwsim import Adc, digits
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.rram import Rram
from hwsim.design import Design, Override
from hwsim.errors import DesignError, FormatError, NetworkError
from rtl.testbench import write_matmuls, write_vectors
from sims import toolchain
from sims.workloads import random_matmul
from tests.split_networks import linear_network

DATAPATH = BitSerial(lanes=2, skip="zero")
ARRAY = Array(rows=2, cols=3)
STATIONARY = Array(rows=2, cols=3, dataflow="weight_stationary", accumulator_rows=4)


CROSSBARS = Rram(rows=8, cols=3, columns_per_sense=2)


def write_crossbars(out, layer="hidden", datapath=CROSSBARS):
    """A layer of 12 outputs on crossbars for four of them."""
    array = Array(rows=24, cols=4, dataflow="weight_stationary")
    design = Design(overrides=(Override(layers=layer, datapath=datapath, array=array),))
    network = linear_network(np.random.default_rng(0), inputs=24, hidden=12, splits=3)
    return write_vectors(out, network, layer, design, np.random.default_rng(1).integers(-9, 10, (5, 7)))


@pytest.fixture(scope="module", params=[ARRAY, STATIONARY, CROSSBARS], ids=["output", "weight", "crossbars"])
def folder(request, tmp_path_factory):
    out = tmp_path_factory.mktemp("vectors")
    if request.param == CROSSBARS:
        write_crossbars(out)
        return out
    matmuls = [random_matmul(kind, DATAPATH, request.param, seed=1) for kind in ("ragged", "one_step", "long")]
    files = write_matmuls(out, DATAPATH, request.param, matmuls)
    assert all(file.stat().st_size for file in files)
    return out


def with_verilator(folder):
    environment = {**os.environ, **toolchain.environment()}
    command = (
        "verilator --binary --timing -CFLAGS -fcoroutines -Wno-lint -Wno-style --top-module testbench"
        " testbench.v harness.v pe_array.v"
    )
    built = subprocess.run(command.split(), cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    return ["obj_dir/Vtestbench"]


def with_iverilog(folder):
    command = "iverilog -o testbench testbench.v harness.v pe_array.v"
    subprocess.run(command.split(), cwd=folder, check=True)
    return ["vvp", "testbench"]


@pytest.mark.parametrize("array", [ARRAY, STATIONARY], ids=lambda array: array.dataflow)
def test_vectors_of_a_network_layer(array, tmp_path):
    network = digits.load("mlp_int8")
    images, _ = digits.held_out(network)
    design = Design(datapath=DATAPATH, array=array)
    files = write_vectors(tmp_path, network, "head", design, images[:3])
    written = {file.name: file.read_text() for file in files}
    assert set(written) >= {"pe_array.v", "harness.v", "testbench.v", "jobs.hex", "cycles.hex", "o_results.hex"}
    channels = network.shapes["head"][-1]
    assert len(written["o_results.hex"].split()) == 3 * -(-channels // array.cols)
    with pytest.raises(NetworkError, match="did you mean 'head'"):
        write_vectors(tmp_path, network, "heat", design, images[:3])


def test_layers_that_crossbars_have_no_vectors_of(tmp_path):
    with pytest.raises(FormatError, match="layer 'first': rram: word lines carry"):
        write_crossbars(tmp_path, layer="first")
    with pytest.raises(DesignError, match="computes no values"):
        write_crossbars(tmp_path, datapath=dataclasses.replace(CROSSBARS, adc=Adc()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compiled", [with_verilator, *([with_iverilog] if shutil.which("iverilog") else [])])
def test_testbench_judges(folder, compiled, tmp_path):
    command = compiled(folder)

    def verdict() -> str:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout

    assert "PASS: 3 matmuls" in verdict()
    for name in ("o_results.hex", "cycles.hex"):
        right = (folder / name).read_text()
        digit = "1" if right[-2] == "0" else "0"
        (folder / name).write_text(right[:-2] + digit + "\n")
        assert "FAIL" in verdict()
        (folder / name).write_text(right)
    assert "PASS" in verdict()
