"""Studies: what a killed, interrupted or crowded sweep leaves, and what is refused."""

import contextlib
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from hwsim import (
    Design,
    Workload,
    execution,
    exploration,
    exporting,
    filling,
    measurement,
    optimization,
    search,
    study_tables,
    sweep,
)
from hwsim.errors import HwsimError
from hwsim.reporting import gathering
from hwsim.reporting.study import read_results
from hwsim.store import Store

GEMM = Workload.from_shapes("gemm", [(20, 12, 30)])
GRID = {
    "datapath.name": ["mac", "bit_serial"],
    "datapath.weight_bits": [4, 8],
    "array.rows": [4, 8, 16],
    "clock_mhz": [float(clock) for clock in range(100, 1100, 10)],
}
POINTS = 2 * 2 * 3 * 100
KILLS = 12
FRAME_BYTES = 900
"""Of a point in a sweep's frame."""

SCRIPT = """
import sys
from hwsim import exploration
from tests.test_store import GEMM, GRID
exploration.AT_ONCE = 10
print("ready", flush=True)
print(exploration.fill(sys.argv[1], GEMM, GRID), flush=True)
"""


def start(place):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, place], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def count(place):
    with Store(place) as found:
        return len(found)


def contents(place):
    """Every row's columns by its hash, as they are in the database."""
    with Store(place) as found, found.database.engine.connect() as connection:
        return {row.design_hash: tuple(row) for row in connection.execute(sa.select(study_tables.POINTS))}


def test_a_study_holds_what_a_sweep_in_memory_finds(place):
    plain = sweep(GEMM, GRID)
    pd.testing.assert_frame_equal(sweep(GEMM, GRID, study=place), plain)


def test_an_exported_study_holds_every_row(place, tmp_path, monkeypatch):
    plain = sweep(GEMM, GRID, study=place)
    read = Store.read
    monkeypatch.setattr(Store, "read", lambda self: read(self, 100))
    assert exporting.export(place, tmp_path / "out" / "points.parquet") == POINTS
    stored = read_results(tmp_path / "out" / "points.parquet").set_index("design_hash").loc[plain["design_hash"]]
    pd.testing.assert_frame_equal(stored.reset_index()[plain.columns], plain)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["points.parquet"]


def test_an_empty_study_exports_nothing(tmp_path):
    with pytest.raises(HwsimError, match="no study"):
        exporting.export(tmp_path / "study.sqlite", tmp_path / "points.parquet")
    Store(tmp_path / "study.sqlite").close()
    with pytest.raises(HwsimError, match="holds no points"):
        exporting.export(tmp_path / "study.sqlite", tmp_path / "points.parquet")
    assert not (tmp_path / "points.parquet").exists()


def test_what_an_earlier_sweep_found_is_not_computed_again(place, monkeypatch):
    assert exploration.fill(place, GEMM, GRID | {"clock_mhz": [100.0, 110.0, 55.0]}) == 2 * 2 * 3 * 3
    assert exploration.fill(place, GEMM, GRID) == POINTS - 2 * 2 * 3 * 2
    monkeypatch.setattr(filling, "price_all", lambda workload, tasks, *_: [task for task in tasks if 1 / 0])
    assert exploration.fill(place, GEMM, GRID) == 0


def test_killed_at_any_moment_it_goes_on_where_it_was(place):
    rng = random.Random(0)
    begin = time.perf_counter()
    clean = start(f"{place}.clean" if "://" not in place else place)
    assert int(clean.communicate()[0]) == POINTS
    seconds = time.perf_counter() - begin
    if "://" in place:
        with Store(place) as found, found.database.engine.begin() as connection:
            connection.execute(sa.delete(study_tables.POINTS))
    before, rows = 0, dict[str, tuple]()
    for _ in range(KILLS):
        process = start(place)
        time.sleep(rng.uniform(0, seconds / 3))
        process.kill()
        process.communicate()
        now = count(place)
        assert now >= before
        assert now % 10 == 0, "a transaction was torn"
        found = contents(place)
        assert rows.items() <= found.items()
        before, rows = now, found
    last = start(place)
    assert int(last.communicate()[0]) == POINTS - before
    assert count(place) == POINTS
    plain = sweep(GEMM, GRID)
    pd.testing.assert_frame_equal(sweep(GEMM, GRID, study=place), plain)


def test_two_processes_fill_one_study(place):
    both = [start(place), start(place)]
    written = [int(process.communicate()[0]) for process in both]
    assert sum(written) == POINTS == count(place)
    pd.testing.assert_frame_equal(sweep(GEMM, GRID, study=place), sweep(GEMM, GRID))


def test_many_make_a_study_at_once(place):
    def subject(_):
        with Store(place) as made:
            return made.subject(GEMM, "horowitz45")

    with ThreadPoolExecutor(8) as many:
        assert len(set(many.map(subject, range(32)))) == 1


def test_two_sweeps_in_opposite_orders_do_not_wait_for_each_other(place):
    backwards = {key: values[::-1] for key, values in GRID.items()}
    for _ in range(5):
        with ThreadPoolExecutor(2) as both:
            written = list(both.map(lambda space: exploration.fill(place, GEMM, space), [GRID, backwards]))
        assert sum(written) == POINTS == count(place)
        with Store(place) as found, found.database.engine.begin() as connection:
            connection.execute(sa.delete(study_tables.POINTS))
            connection.execute(sa.delete(study_tables.VALUES))


def test_ctrl_c_leaves_a_study_that_goes_on(place):
    process = start(place)
    while process.poll() is None and count(place) == 0:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate()
    there = count(place)
    assert there
    assert exploration.fill(place, GEMM, GRID) == POINTS - there


def test_a_full_disk_is_said_and_what_was_written_stays(tmp_path, monkeypatch):
    place = str(tmp_path / "study.sqlite")
    monkeypatch.setattr(exploration, "AT_ONCE", 50)
    with Store(place) as full:

        @sa.event.listens_for(full.database.engine, "begin")
        def small(connection):
            connection.exec_driver_sql("PRAGMA max_page_count=40")

        with pytest.raises(HwsimError, match="full; what was written is whole: if the disk is full free some space"):
            exploration.fill(full, GEMM, GRID)
    there = count(place)
    assert 0 < there < POINTS
    assert there % 50 == 0
    assert exploration.fill(place, GEMM, GRID) == POINTS - there


@pytest.mark.parametrize("kind", ["threads", "processes", "jobs"])
def test_workers_find_what_one_process_does(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(exploration, "AT_ONCE", 100)
    plain = sweep(GEMM, GRID)
    if kind == "jobs":
        pd.testing.assert_frame_equal(sweep(GEMM, GRID, jobs=2, study=tmp_path / "study.sqlite"), plain)
        return
    executor = (
        ThreadPoolExecutor(3)
        if kind == "threads"
        else ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    )
    with executor:
        pd.testing.assert_frame_equal(sweep(GEMM, GRID, executor=executor), plain)
        pd.testing.assert_frame_equal(sweep(GEMM, GRID, executor=executor, study=tmp_path / "study.sqlite"), plain)


def peak_bytes(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["fill", "threads", "search", "export", "report"])
def test_memory_does_not_grow_with_points(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(exploration, "AT_ONCE", 500)
    monkeypatch.setattr(optimization, "AT_ONCE", 500)
    monkeypatch.setattr(execution, "IN_FLIGHT", 4)
    monkeypatch.setattr(gathering, "KEPT", 100)
    read = Store.read
    monkeypatch.setattr(Store, "read", lambda self: read(self, 500))
    after = {
        "export": lambda place: exporting.export(place, tmp_path / "points.parquet"),
        "report": lambda place: gathering.gather(gathering.parts_of(place)),
    }

    def work(rates):
        clocks = {"clock_mhz": [100.0 + each for each in range(100)]}
        space = clocks | {"dram.bandwidth_gb_s": [1.0 + each for each in range(rates)]}
        place = tmp_path / f"{rates}.sqlite"
        if kind == "search":
            return peak_bytes(lambda: search(GEMM, space))
        with ThreadPoolExecutor(2) if kind == "threads" else contextlib.nullcontext() as executor:
            peak = peak_bytes(lambda: exploration.fill(place, GEMM, space, executor=executor))
        return peak_bytes(lambda: after[kind](place)) if kind in after else peak

    work(5)  # what is remembered of every sweep
    few, many = work(30), work(110)
    assert many - few < 8_000 * FRAME_BYTES / 5


def test_a_worker_that_dies_is_said():
    class Dying(ThreadPoolExecutor):
        def submit(self, *_):
            from concurrent.futures.process import BrokenProcessPool

            raise BrokenProcessPool("gone")

    with Dying() as executor, pytest.raises(HwsimError, match="a worker ended before its work was done"):
        sweep(GEMM, GRID, executor=executor)


def test_technologies_are_kept_apart(place):
    found = sweep(GEMM, GRID | {"technology": ["horowitz45", "nangate45"]}, study=place)
    pd.testing.assert_frame_equal(found, sweep(GEMM, GRID | {"technology": ["horowitz45", "nangate45"]}))
    assert exploration.fill(place, GEMM, GRID) == 0


def test_a_study_of_another_version_or_network_is_refused_and_left_alone(place, monkeypatch, tmp_path):
    exploration.fill(place, GEMM, [Design()])
    other = Workload.from_shapes("gemm", [(20, 12, 30)], seed=1)
    with pytest.raises(HwsimError, match="holds results of another network 'gemm'"):
        exploration.fill(place, other, [Design()])
    with monkeypatch.context() as changed:
        changed.setattr(measurement, "code_hash", lambda: "0123456789abcdef")
        with pytest.raises(HwsimError, match=r"was made by hwsim .*, this is .*01234567"):
            Store(place)
        exporting.export(place, tmp_path / "points.parquet")
    assert list(pd.read_parquet(tmp_path / "points.parquet")["hwsim"]) == [measurement.version()]
    assert exploration.fill(place, GEMM, [Design()]) == 0


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nosuch://here", "cannot open study 'nosuch://here'"),
        ("nosuch://me:secret@here", r"cannot open study 'nosuch://me:\*\*\*@here'"),
        ("{folder}/text.txt", "file is not a database"),
        ("{folder}", "unable to open database file"),
        ("{folder}/text.txt/study.sqlite", "cannot open study"),
    ],
)
def test_what_is_no_study_is_refused(place, message, tmp_path):
    (tmp_path / "text.txt").write_text("not a database, but long enough to be looked at as one " * 20)
    with pytest.raises(HwsimError, match=message):
        Store(place.format(folder=tmp_path))
    assert (tmp_path / "text.txt").read_text().startswith("not a database")


def test_a_study_is_readable_with_plain_sqlite(tmp_path):
    exploration.fill(tmp_path / "study.sqlite", GEMM, [Design()])
    with contextlib.closing(sqlite3.connect(tmp_path / "study.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        (row,) = connection.execute("SELECT design_hash, energy_pj FROM hwsim_points").fetchall()
    assert row == (Design().hash, sweep(GEMM, [Design()])["energy_pj"].iloc[0])
