"""Runs configurations: builds or elaborates the RTL, replays the jobs, compares, keeps a table."""

import csv
import dataclasses
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from rtl.generator import generate
from rtl.harness import Job
from rtl.stimuli import RESULTS
from sims import amaranth_engine, verilator_engine
from sims.configuration import Configuration
from sims.outcome import Outcome

RUNS = verilator_engine.ROOT / "build" / "sims"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One job: a matmul through simulator and RTL."""

    design: str
    datapath: str
    dataflow: str
    engine: str
    workload: str
    vectors: int
    mismatches: int
    rule_violations: int
    rtl_cycles: int
    sim_cycles: int
    stalled: bool
    seed: int

    @property
    def agrees(self) -> bool:
        """Values and stream rules exact; cycles too, when nothing was stalled."""
        exact = self.mismatches == 0 and self.rule_violations == 0
        return exact and (self.stalled or self.rtl_cycles == self.sim_cycles)


def run(configuration: Configuration, waves: bool = False) -> list[Row]:
    """Every workload of one configuration; with ``waves`` a waveform stays in its `folder`."""
    named = list(configuration.workloads())
    outcomes = replay(configuration, [job for _, job in named], folder(configuration), waves)
    return [
        row(configuration, workload, job, outcome) for (workload, job), outcome in zip(named, outcomes, strict=True)
    ]


def replay(configuration: Configuration, jobs: Sequence[Job], where: Path, waves: bool = False) -> list[Outcome]:
    """One outcome per job, on the configuration's engine; beats, logs and waveforms are left in ``where``."""
    datapath, array = configuration.datapath, configuration.array
    where.mkdir(parents=True, exist_ok=True)
    if configuration.engine == "amaranth":
        waveform = str(where / "dump.vcd") if waves else None
        return amaranth_engine.replay(generate(datapath, array), jobs, waveform)
    build = verilator_engine.build(datapath, array, waves)
    return verilator_engine.replay(build, datapath, array, jobs, where)


def folder(configuration: Configuration) -> Path:
    """Where `run` leaves the configuration's beats, logs and waveforms."""
    return RUNS / configuration.name


def row(configuration: Configuration, workload: str, job: Job, outcome: Outcome) -> Row:
    """The table's row of one job."""
    return Row(
        design=configuration.name, datapath=configuration.datapath.name(), dataflow=configuration.array.dataflow,
        engine=configuration.engine, workload=workload, vectors=len(job.stimuli.streams[RESULTS]),
        mismatches=outcome.mismatches, rule_violations=outcome.violations, rtl_cycles=outcome.cycles,
        sim_cycles=job.stimuli.cycles, stalled=job.stall > 0, seed=job.seed,
    )  # fmt: skip


def run_all(
    configurations: Sequence[Configuration], workers: int, waves: bool = False
) -> Iterator[tuple[Configuration, list[Row]]]:
    """Each configuration with its rows, in the order in which they finish."""
    if workers == 1:
        yield from ((each, run(each, waves)) for each in configurations)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending = {pool.submit(run, each, waves): each for each in configurations}
        for future in as_completed(pending):
            yield pending[future], future.result()


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Writes the table; readers never see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Row)])
        writer.writeheader()
        writer.writerows(dataclasses.asdict(each) for each in rows)
    os.replace(partial, path)
