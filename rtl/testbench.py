"""A plain Verilog testbench with stimuli and golden results, for a user's own flow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from hwsim.design import Design
from hwsim.errors import DesignError, NetworkError, nearest
from hwsim.files import write_atomically
from hwsim.network import Network
from rtl import harness, layers, rram_stimuli, stimuli, verilog
from rtl.array import stream_layouts
from rtl.generator import generate
from rtl.stimuli import RESULTS, Matmul, Stimuli

ARRAY = "pe_array"
"""Name of the array's module and file."""


def write_vectors(out: Path, network: Network, layer: str, design: Design, x: np.ndarray) -> list[Path]:
    """Writes into ``out`` the array that ``layer`` runs on, its beats for inputs ``x`` and a testbench.

    Raises NetworkError if the network has no such layer on the array, DesignError if its
    datapath has no RTL.
    """
    names = [node.name for node in network.matmuls()]
    if layer not in names:
        raise NetworkError(f"no layer {layer!r} on the array; {nearest(layer, names)}")
    here = design.layer(layer)
    datapath, array = here.datapath, here.array
    if isinstance(datapath, Rram):
        parts = layers.crossbar_parts(network, design, layer, x, array)
        return _write(out, datapath, array, [rram_stimuli.stimuli(datapath, array, part) for part in parts])
    if not isinstance(datapath, ArrayDatapath):
        raise DesignError(f"{datapath.name()} is a cost-only rule: it has no RTL")
    operands = next(found for name, found in layers.matmuls(network, design, x) if name == layer)
    return write_matmuls(out, datapath, array, operands)


def write_matmuls(out: Path, datapath: ArrayDatapath, array: Array, matmuls: Sequence[Matmul]) -> list[Path]:
    """Like `write_vectors`, for matmuls given as they are; returns the files."""
    return _write(out, datapath, array, [stimuli.stimuli(datapath, array, each) for each in matmuls])


def _write(out: Path, datapath: ArrayDatapath | Rram, array: Array, answers: Sequence[Stimuli]) -> list[Path]:
    layouts = stream_layouts(datapath, array)
    jobs = [harness.Job(stimuli=each) for each in answers]
    depths = {name: sum(len(job.stimuli.streams[name]) for job in jobs) for name in layouts}
    harness.write_jobs(out, layouts, jobs)
    texts = {
        f"{ARRAY}.v": verilog.emit(generate(datapath, array), ARRAY),
        "harness.v": harness.modules() + "\n" + harness.top(layouts, ARRAY, depths, len(jobs) + 1),
        "testbench.v": TESTBENCH.format(array=ARRAY, jobs=len(jobs), rows=depths[RESULTS]),
    }
    for name, text in texts.items():
        write_atomically(out / name, text.encode())
    beats = [f"{name}.hex" for name in (*layouts, "jobs", "cycles")]
    return [out / name for name in (*texts, *beats)]


TESTBENCH = """\
// Replays the beats in *.hex into the array and compares results and cycles with the simulator's.
//
//   $ verilator --binary --timing -CFLAGS -fcoroutines -Wno-lint -Wno-style --top-module testbench \\
//       testbench.v harness.v {array}.v && obj_dir/Vtestbench
//   $ iverilog -o testbench testbench.v harness.v {array}.v && vvp testbench
//
// Run it in this folder, or name the folder: +vectors=DIR

`timescale 1ns / 1ps

module testbench;
    localparam JOBS = {jobs};

    reg clk = 0;
    reg rst = 1;
    wire [31:0] jobs_done, mismatches, first_mismatch, violations, cycles;
    wire hung, finished;
    reg [31:0] expected [0:JOBS-1];
    reg [31:0] judged = 0;
    reg [31:0] failures = 0;
    reg [8*1024-1:0] directory;

    harness harness_i (
        .clk(clk), .rst(rst), .jobs_done(jobs_done), .mismatches(mismatches),
        .first_mismatch(first_mismatch), .violations(violations), .cycles(cycles),
        .hung(hung), .finished(finished)
    );

    always #5 clk = ~clk;

    initial begin
        if (!$value$plusargs("vectors=%s", directory)) directory = ".";
        $readmemh({{directory, "/cycles.hex"}}, expected);
        repeat (4) @(negedge clk);
        rst = 0;
    end

    always @(posedge clk) if (!rst) begin
        if (jobs_done != judged) begin
            judged <= jobs_done;
            $display("matmul %0d: %0d mismatches, %0d broken stream rules, %0d cycles (simulator: %0d)",
                judged, mismatches, violations, cycles, expected[judged]);
            if (mismatches != 0) $display("first mismatch: line %0d of o_results.hex", first_mismatch + 1);
            if (mismatches != 0 || violations != 0 || cycles != expected[judged]) failures <= failures + 1;
        end else if (finished) begin
            if (hung) $display("no beat moved for too long");
            if (hung || failures != 0) $display("FAIL");
            else $display("PASS: {jobs} matmuls, {rows} result rows");
            $finish;
        end
    end
endmodule
"""
