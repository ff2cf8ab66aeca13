"""Sweeps on a Dask cluster of worker processes."""

import os
import signal
from concurrent.futures import Executor

import pandas as pd
import pytest

from hwsim import exploration, measurement, search, sweep
from hwsim.cluster import dask_executor
from hwsim.errors import HwsimError
from tests.test_store import GEMM, GRID, POINTS

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as found:
        yield found


class Killing(Executor):
    """Kills a process when the tenth task is handed over."""

    def __init__(self, executor, pid):
        self.executor, self.pid, self.tasks = executor, pid, 0

    def submit(self, *arguments):
        self.tasks += 1
        if self.tasks == 10:
            os.kill(self.pid, signal.SIGKILL)
        return self.executor.submit(*arguments)


def test_a_worker_that_is_killed_loses_no_row(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(exploration, "AT_ONCE", 40)
    pids = [worker.pid for worker in cluster.workers.values()]
    plain = sweep(GEMM, GRID)
    with dask_executor(cluster.scheduler_address) as executor:
        killing = Killing(executor, pids[0])
        found = sweep(GEMM, GRID, executor=killing, study=tmp_path / "study.sqlite")
        assert killing.tasks == POINTS // 40
        pd.testing.assert_frame_equal(found, plain)
        pd.testing.assert_frame_equal(sweep(GEMM, GRID, executor=executor), plain)
        best = search(GEMM, GRID, executor=executor)
    assert pids[0] not in [worker.pid for worker in cluster.workers.values()]
    pd.testing.assert_frame_equal(best.front, search(GEMM, GRID).front)


def test_a_worker_with_another_hwsim_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(measurement, "code_hash", lambda: "0123456789abcdef")
    with (
        dask_executor(cluster.scheduler_address) as executor,
        pytest.raises(HwsimError, match=r"a worker has hwsim .*, this is .*01234567"),
    ):
        sweep(GEMM, GRID, executor=executor)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere", "ftp://127.0.0.1:1"])
def test_a_scheduler_that_does_not_answer_is_said(address, monkeypatch):
    monkeypatch.setattr("hwsim.cluster.WAIT_S", 1)
    with pytest.raises(HwsimError, match="no Dask scheduler answers at "), dask_executor(address):
        pass
