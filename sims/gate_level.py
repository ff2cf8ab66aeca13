"""Mapped netlists in Verilator: behaviour of library cells, and switching activity as SAIF files.

An independent count of what `hwsim.power.activity` counts, on the same stimuli.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from hwsim.power import waveforms
from hwsim.power.cells import Cell
from hwsim.power.expression import Expression
from hwsim.power.netlist import Netlist
from rtl import beats
from sims import toolchain
from sims.verilator_engine import BUILDS

FLAGS = (
    "--cc", "--exe", "--build", "-O3", "-CFLAGS", "-O2", "--trace-saif", "--trace-underscore", "--x-initial", "0",
    "--x-assign", "0", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--top-module", "harness", "--timescale", "1ns/1ns",
)  # fmt: skip

_MAIN = """#include <cstdlib>
#include "verilated_saif_c.h"
#include "Vharness.h"
int main(int argc, char** argv) {
    // cycles, cycles before counting, SAIF file, +stimulus=
    VerilatedContext context;
    context.commandArgs(argc, argv);
    context.traceEverOn(true);
    Vharness top(&context);
    VerilatedSaifC saif;
    top.trace(&saif, 99);
    const uint64_t cycles = std::atol(argv[1]), before = std::atol(argv[2]);
    saif.open(argv[3]);
    for (uint64_t t = 0; t < cycles; ++t) {
        top.clk = t != 0;
        top.eval();
        if (t >= before - 1) saif.dump(2 * t);
        top.clk = 0;
        top.eval();
        if (t >= before - 1) saif.dump(2 * t + 1);
    }
    saif.dump(2 * cycles);
    saif.close();
    top.final();
    return 0;
}
"""


def cell_model(cell: Cell) -> str:
    """Behaviour of a cell as a Verilog module, flip-flops starting at 0; not traced."""
    pins = ", ".join(f"{pin.direction} {pin.name}" for pin in cell.pins.values())
    lines = [f"module {cell.name}({pins});"]
    flop = cell.flip_flop
    if flop is not None:
        edges, branches = [f"posedge {_text(flop.clocked_on)}"], []
        asynchronous = (("clear", flop.clear, 0), ("preset", flop.preset, 1))
        if flop.clear is not None and flop.preset is not None:
            both = f"({_text(flop.clear)}) && ({_text(flop.preset)})"
            branches.append(f"if ({both}) {flop.state} <= {max(0, flop.both or 0)};")
        for name, function, value in asynchronous:
            if function is not None:
                lines.append(f"  wire {name}_ = {_text(function)};")
                edges.append(f"posedge {name}_")
                branches.append(f"if ({name}_) {flop.state} <= {value};")
        branches.append(f"{flop.state} <= {_text(flop.next_state)};")
        lines += [f"  reg {flop.state} = 0;", f"  always @({' or '.join(edges)})", f"    {' else '.join(branches)}"]
    for pin in cell.outputs:
        if pin.function is not None:
            lines.append(f"  assign {pin.name} = {_text(pin.function)};")
    return "\n".join([*lines, "endmodule"])


def _text(function: Expression) -> str:
    """A Boolean function as Verilog: a sum of products."""
    if function.inputs == () or function.table in (0, (1 << (1 << len(function.inputs))) - 1):
        return f"1'b{function.table & 1}"
    if function == Expression(function.inputs, 0b10):
        return function.inputs[0]
    products = []
    for row, value in enumerate(function.bits()):
        if value:
            literals = [name if (row >> k) & 1 else f"~{name}" for k, name in enumerate(function.inputs)]
            products.append(f"({' & '.join(literals)})")
    return " | ".join(products)


def _harness(netlist: Netlist, clock: str | None) -> str:
    """Inputs from registers that a file fills, all on the rising edge of ``clk``."""
    ports = []
    names = [netlist.nets[net] for net in netlist.inputs]
    vectors = {port: bits for port, bits in netlist.vectors.items() if bits[0] in names}
    for port, bits in vectors.items():
        if port == clock:
            ports.append(f".\\{port} (clk)")
        else:
            place = [f"inputs[{names.index(name)}]" for name in bits]
            ports.append(f".\\{port} ({{{', '.join(place)}}})")
    width = len(names)
    return f"""module harness(input clk);
  reg [{width - 1}:0] memory [0:(1 << 20) - 1];
  reg [{width - 1}:0] inputs;
  reg [20:0] next = 1;
  string file;
  initial begin
    if ($value$plusargs("stimulus=%s", file)) $readmemh(file, memory);
    inputs = memory[0];
  end
  always @(posedge clk) begin
    inputs <= memory[next[19:0]];
    next <= next + 1;
  end
  {netlist.name} dut({", ".join(ports)});
endmodule
"""


def build(netlist: Netlist, verilog: str, clock: str | None) -> Path:
    """The compiled harness around a netlist whose text is ``verilog``; kept by content."""
    os.environ.update(toolchain.environment())
    models = "\n".join(cell_model(cell) for cell in netlist.cells)
    sources = {
        "harness.v": _harness(netlist, clock),
        "netlist.v": verilog,
        "cells.v": f"/* verilator tracing_off */\n{models}\n",
        "main.cpp": _MAIN,
    }
    key = hashlib.sha256(repr((sorted(sources.items()), FLAGS, toolchain.version())).encode()).hexdigest()[:16]
    folder = BUILDS / f"gates-{key}"
    if not folder.exists():
        BUILDS.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"gates-{key}.", dir=BUILDS))
        try:
            for name, text in sources.items():
                (partial / name).write_text(text)
            command = ["verilator", *FLAGS, "--Mdir", "obj", *sources]
            done = subprocess.run(command, cwd=partial, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"Verilator could not build {netlist.name}: {(done.stdout + done.stderr)[-2000:]}")
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder / "obj" / "Vharness"


def write_stimulus(path: Path, bits: np.ndarray) -> None:
    """Bits [cycles, inputs], in the order of ``netlist.inputs``, as the harness reads them."""
    beats.write_hex(path, np.packbits(bits, axis=1, bitorder="little"), bits.shape[1])


def run(binary: Path, stimulus: Path, cycles: int, saif: Path, warm_up: int = 1) -> None:
    """Runs a stimulus of so many cycles from the initial state; ``saif`` counts from cycle ``warm_up`` on."""
    command = [str(binary), str(cycles), str(warm_up), str(saif), f"+stimulus={stimulus}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{binary} failed: {(done.stdout + done.stderr)[-2000:]}")


def toggles(binary: Path, netlist: Netlist, bits: np.ndarray, warm_up: int = 1) -> np.ndarray:
    """Changes of every net in the SAIF file of one stream, float64[nets]; the clock's are not told."""
    with tempfile.TemporaryDirectory(prefix="hwsim-") as name:
        folder = Path(name)
        write_stimulus(folder / "stimulus.hex", bits)
        found = []
        # Verilator counts a first value of 1 as a change: a run that ends there says how many these are.
        for cycles in (len(bits), warm_up):
            run(binary, folder / "stimulus.hex", cycles, folder / "out.saif", warm_up)
            found.append(waveforms.read(folder / "out.saif", netlist, 1.0).toggles)
    return found[0] - found[1]
