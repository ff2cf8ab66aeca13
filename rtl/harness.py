"""HDL that replays stimuli into an array and judges what comes out: top module and files.

The modules it is made of are in ``harness.v``. A job is one matmul, fed back to back.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from rtl import beats
from rtl.stimuli import RESULTS, Stimuli

GOLDEN_RATIO = 0x9E3779B9
"""Spreads one seed over the streams."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Stimuli and how to replay them: every stream waits ``stall`` of 256 times."""

    stimuli: Stimuli
    stall: int = 0
    seed: int = 1


def width(layout: data.StructLayout) -> int:
    """Bits of one beat."""
    return Shape.cast(layout).width


def modules() -> str:
    """The Verilog modules that `top` instantiates."""
    return (resources.files("rtl") / "harness.v").read_text()


def top(layouts: Mapping[str, data.StructLayout], array: str, depths: Mapping[str, int], jobs: int) -> str:
    """Module ``harness`` around module ``array``, for up to ``depths`` beats of each stream and ``jobs`` jobs."""
    names = list(layouts)
    inputs = [name for name in names if name != RESULTS]
    wires, instances, ports = [], [], []
    for i, name in enumerate(names):
        bits = width(layouts[name])
        wires.append(f"    wire [{bits - 1}:0] {name}_payload; wire {name}_valid, {name}_ready;")
        ports += [f".{name}__{part}({name}_{part})" for part in ("payload", "valid", "ready")]
        instances.append(_instance(i, name, bits, depths[name]))
    wires.append("    wire " + ", ".join(f"{name}_exhausted" for name in inputs) + ";")
    accepted = " || ".join(f"({name}_valid && {name}_ready)" for name in inputs)
    return TOP.format(
        streams=len(names), jobs=jobs, wires="\n".join(wires), instances="\n".join(instances),
        array=array, ports=",\n        ".join(ports), accepted=accepted, results=RESULTS,
        exhausted=" && ".join(f"{name}_exhausted" for name in inputs),
    )  # fmt: skip


def _instance(i: int, name: str, bits: int, depth: int) -> str:
    seed = (i + 1) * GOLDEN_RATIO & 0xFFFFFFFF
    sink = name == RESULTS
    return INSTANCE.format(
        kind="sink" if sink else "source", bits=bits, depth=depth, name=name, i=i, seed=seed,
        rest=SINK if sink else f".exhausted({name}_exhausted)",
    )  # fmt: skip


INSTANCE = """\
    stream_{kind} #(.WIDTH({bits}), .DEPTH({depth}), .NAME("{name}")) {name}_i (
        .clk(clk), .rst(rst), .start(start), .running(running),
        .stop(stops[32*{i} +: 32]), .stall(stall), .seed(seed ^ 32'd{seed}),
        .payload({name}_payload), .valid({name}_valid), .ready({name}_ready),
        {rest}
    );"""

SINK = """.exhausted(exhausted), .finishing(finishing),
        .mismatches(mismatches), .first_mismatch(first_mismatch), .violations(violations)"""

TOP = """\
module harness (
    input clk, input rst,
    output [31:0] jobs_done, output [31:0] mismatches, output [31:0] first_mismatch,
    output [31:0] violations, output [31:0] cycles, output hung, output finished
);
    wire start, running, finishing;
    wire [32*{streams}-1:0] stops;
    wire [7:0] stall;
    wire [31:0] seed;
{wires}
    wire exhausted = {exhausted};
    wire accepted = {accepted};
    wire moved = accepted || ({results}_valid && {results}_ready);

    job_control #(.STREAMS({streams}), .JOBS({jobs})) control_i (
        .clk(clk), .rst(rst), .accepted(accepted), .moved(moved), .finishing(finishing),
        .start(start), .running(running), .stops(stops), .stall(stall), .seed(seed),
        .cycles(cycles), .jobs_done(jobs_done), .hung(hung), .finished(finished)
    );
{instances}
    {array} array_i (
        .clk(clk), .rst(rst),
        {ports}
    );
endmodule
"""


def write_jobs(directory: Path, layouts: Mapping[str, data.StructLayout], jobs: Sequence[Job]) -> None:
    """Writes the files that module ``harness`` reads: all beats of each stream, and ``jobs.hex``.

    ``cycles.hex`` has the simulator's cycles of each job, for whoever judges.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, layout in layouts.items():
        packed = np.concatenate([job.stimuli.streams[name] for job in jobs])
        beats.write_hex(directory / f"{name}.hex", packed, width(layout))
    counts = np.array([[len(job.stimuli.streams[name]) for name in layouts] for job in jobs])
    lines = []
    for job, stops in zip(jobs, np.cumsum(counts, axis=0).tolist(), strict=True):
        words = "".join(f"{stop:08x}" for stop in reversed(stops))
        lines.append(f"{job.seed:08x}{job.stall:02x}{words}")
    lines.append("0" * len(lines[0]))
    (directory / "jobs.hex").write_text("\n".join(lines) + "\n")
    (directory / "cycles.hex").write_text("".join(f"{job.stimuli.cycles:08x}\n" for job in jobs))
