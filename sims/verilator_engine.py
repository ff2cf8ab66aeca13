"""Builds the harness around one array with Verilator, and replays jobs in it through cocotb.

A build is kept under ``build/verilator/<hash of Verilog, flags and tool versions>``: it takes
tens of seconds, a job milliseconds.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from amaranth.lib import data
from amaranth.lib.wiring import Component
from cocotb_tools.runner import get_runner

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from rtl import harness, stimuli, verilog
from rtl.array import stream_layouts
from rtl.generator import generate
from sims import toolchain
from sims.outcome import Outcome

ROOT = Path(__file__).parent.parent
BUILDS = ROOT / "build" / "verilator"
DEPTH = 1 << 16
"""Beats per stream that one process replays."""
MAX_JOBS = 1023
FLAGS = ("--no-public-flat-rw", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-initial", "unique")
RANDOM_STATE = ("+verilator+rand+reset+2", "+verilator+seed+1")
"""Whatever has no initial value starts at random."""
RESULTS = ("jobs_done", "mismatches", "first_mismatch", "violations", "cycles", "hung", "finished")
"""Outputs of the harness that the bench reads."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Build:
    """A compiled harness: ``top`` in ``folder``."""

    folder: Path
    top: str
    waves: bool


def build(datapath: ArrayDatapath, array: Array, waves: bool = False) -> Build:
    """The harness around the array of ``datapath``, compiled unless it already was."""
    return build_harness(generate(datapath, array), stream_layouts(datapath, array), waves)


def build_harness(component: Component, layouts: Mapping[str, data.StructLayout], waves: bool = False) -> Build:
    """The harness around any component with streams of these layouts."""
    top = harness.modules() + harness.top(layouts, "array", dict.fromkeys(layouts, DEPTH), MAX_JOBS + 1)
    sources = {"harness.v": top, "array.v": verilog.emit(component, "array")}
    return compile_verilog(sources, "harness", ("clk", "rst", *RESULTS), waves)


def compile_verilog(sources: Mapping[str, str], top: str, public: Sequence[str], waves: bool = False) -> Build:
    """``sources`` by file name, compiled with only the ports ``public`` of ``top`` visible to cocotb."""
    os.environ.update(toolchain.environment())
    control = "".join(f'public_flat_rw -module "{top}" -var "{name}"\n' for name in public)
    texts = {"public.vlt": "`verilator_config\n" + control, **sources}
    key = hashlib.sha256(json.dumps([texts, top, FLAGS, waves, _versions()]).encode()).hexdigest()[:16]
    folder = BUILDS / key
    with _locked(BUILDS / f"{key}.lock"):
        if not folder.exists():
            partial = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=BUILDS))
            try:
                _compile(partial, texts, top, waves)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return Build(folder=folder, top=top, waves=waves)


def _compile(folder: Path, texts: dict[str, str], top: str, waves: bool) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text)
    try:
        get_runner("verilator").build(
            sources=[folder / name for name in texts], hdl_toplevel=top, build_dir=folder,
            build_args=list(FLAGS), waves=waves, timescale=("1ns", "1ps"), log_file=folder / "build.log",
        )  # fmt: skip
    except RuntimeError as error:
        log = (folder / "build.log").read_text()[-4000:]
        raise RuntimeError(f"Verilator could not build {top}: {error}\n{log}") from None


def _versions() -> list[str]:
    return [toolchain.version(), importlib.metadata.version("cocotb")]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two processes that need the same build make it once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_bench(build: Build, bench: str, folder: Path, test: str, variables: dict[str, str]) -> Path:
    """Runs cocotb test ``test`` of module ``sims.<bench>`` in ``folder``; returns its results file."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        get_runner("verilator").test(
            test_module=f"sims.{bench}", hdl_toplevel=build.top, build_dir=build.folder, test_dir=folder,
            testcase=test, extra_env=variables, waves=build.waves, plusargs=[f"+vectors={folder}", *RANDOM_STATE],
            hdl_toplevel_lang="verilog", results_xml=str(folder / "results.xml"),
            log_file=folder / "run.log", seed=1,
        )  # fmt: skip
    except RuntimeError as error:
        raise RuntimeError(f"sims.{bench} did not run: {error}; see {folder / 'run.log'}") from None
    return folder / "results.xml"


def replay(
    build: Build, datapath: ArrayDatapath, array: Array, jobs: Sequence[harness.Job], folder: Path
) -> list[Outcome]:
    """One outcome per job, replayed in as many processes as their beats need."""
    return replay_streams(build, stream_layouts(datapath, array), f"bench_{datapath.name()}", jobs, folder)


def replay_streams(
    build: Build, layouts: Mapping[str, data.StructLayout], bench: str, jobs: Sequence[harness.Job], folder: Path
) -> list[Outcome]:
    """Like `replay`, of a component with streams of these layouts, by the cocotb module ``bench``."""
    outcomes: list[Outcome] = []
    for number, part in enumerate(_parts(jobs)):
        where = folder / str(number)
        harness.write_jobs(where, layouts, part)
        answer = where / "outcomes.json"
        answer.unlink(missing_ok=True)
        run_bench(build, bench, where, "replays_jobs", {"OUTCOMES": str(answer)})
        if not answer.exists():
            raise RuntimeError(f"the bench did not finish; see {where / 'run.log'}")
        done = [Outcome(**each) for each in json.loads(answer.read_text())]
        outcomes += done + [_lost(job) for job in part[len(done) :]]
    return outcomes


def _lost(job: harness.Job) -> Outcome:
    """A job that never ended, or did not get its turn."""
    return Outcome(mismatches=len(job.stimuli.streams[stimuli.RESULTS]), violations=0, cycles=0)


def _parts(jobs: Sequence[harness.Job]) -> Iterator[list[harness.Job]]:
    """``jobs`` in order, cut so that the beats of each part fit the harness."""
    part: list[harness.Job] = []
    used = 0
    for job in jobs:
        beats = max(len(packed) for packed in job.stimuli.streams.values())
        if beats > DEPTH:
            raise ValueError(f"a job of {beats} beats does not fit the harness (DEPTH = {DEPTH})")
        if part and (used + beats > DEPTH or len(part) == MAX_JOBS):
            yield part
            part, used = [], 0
        part.append(job)
        used += beats
    if part:
        yield part
