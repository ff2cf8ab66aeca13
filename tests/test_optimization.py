"""Searches: what they find, how they say how far from exhaustive they are, and what they refuse."""

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwsim import Design, Workload, candidates, digits, evaluation, optimization, pareto, search, sweep
from hwsim.errors import DesignError, HwsimError, MissingExtraError, NetworkError
from hwsim.exploration import fill
from hwsim.hypervolume import hypervolume
from hwsim.store import Store

GEMM = Workload.from_shapes("gemm", [(20, 12, 30)])
SPACE = {
    "datapath.name": ["mac", "bit_serial"],
    "datapath.skip": ["none", "zero"],
    "datapath.lanes": [2, 4, 8],
    "array.rows": [4, 8, 16],
    "array.cols": [4, 8, 16],
    "clock_mhz": [100.0, 200.0, 400.0],
    "technology": ["horowitz45"],
}
SIZE = 3 * 3 * 3 * 3 * 3
NETWORKS = [digits.load("mlp_int8"), digits.load("mlp_int4")]
DATA = {network.name: tuple(each[:50] for each in digits.held_out(network)) for network in NETWORKS}
OBJECTIVES = ("latency_s", "energy_pj", "area_um2")


def keys(frame):
    return set(zip(frame["workload"], frame["design_hash"], strict=True))


def test_an_enumeration_is_the_front_of_the_sweep(monkeypatch):
    found = search(GEMM, SPACE)
    expected = pareto(sweep(GEMM, SPACE))
    assert (found.method, found.size, found.evaluated, found.exhaustive) == ("enumerate", SIZE, SIZE, True)
    assert str(found).endswith(f"exact, all {SIZE} points enumerated")
    assert list(found.front.columns) == list(expected.columns)
    order = ["latency_s", "design_hash"]
    pd.testing.assert_frame_equal(
        found.front.sort_values(order).reset_index(drop=True), expected.sort_values(order).reset_index(drop=True)
    )
    monkeypatch.setattr(optimization, "AT_ONCE", 7)
    pd.testing.assert_frame_equal(search(GEMM, SPACE).front, found.front)


def test_limits_leave_out_what_misses_them_and_a_number_is_the_worst_allowed():
    frame = sweep(GEMM, SPACE)
    area, tops = frame["area_um2"].median(), frame["tops"].quantile(0.3)
    found = search(GEMM, SPACE, objectives=["energy_pj", "tops"], constraints={"area_um2": area, "tops": tops})
    allowed = frame[(frame["area_um2"] <= area) & (frame["tops"] >= tops)].assign(slowness=lambda rows: -rows["tops"])
    assert keys(found.front) == keys(pareto(allowed, ["energy_pj", "slowness"]))
    within = search(GEMM, SPACE, constraints={"area_um2": (area, None)})
    assert within.front["area_um2"].min() >= area


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_a_small_space_is_searched_to_its_end(method):
    small = SPACE | {"clock_mhz": [100.0], "array.rows": [4], "datapath.lanes": [2]}
    found = search(GEMM, small, method=method, evaluations=100)
    exact = search(GEMM, small)
    assert found.exhaustive
    assert found.evaluated == len(found.frame) == found.size == exact.size == 9
    assert f"exact, all 9 points looked at ({method})" in str(found)
    pd.testing.assert_frame_equal(found.front, exact.front)


def test_gaussian_processes_propose_points_and_keep_limits():
    limits = {"area_um2": sweep(GEMM, SPACE)["area_um2"].median()}
    found, again = (
        search(GEMM, SPACE, objectives=["energy_pj"], constraints=limits, method="gp", evaluations=20) for _ in range(2)
    )
    assert found.evaluated == 20
    assert (found.front["area_um2"] <= limits["area_um2"]).all()
    exact = search(GEMM, SPACE, objectives=["energy_pj"], constraints=limits).front["energy_pj"].iloc[0]
    assert exact <= found.front["energy_pj"].iloc[0] < found.frame["energy_pj"].median()
    pd.testing.assert_frame_equal(again.frame, found.frame)


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_a_sample_is_what_simulation_says_of_its_points_and_says_how_much_it_saw(method):
    found = search(GEMM, SPACE, method=method, evaluations=60, seed=3)
    assert found.evaluated == len(found.frame) == len(keys(found.frame)) == 60
    assert not found.exhaustive
    assert f"60 of {SIZE} points looked at" in str(found)
    swept = sweep(GEMM, SPACE).set_index("design_hash")
    for row in found.frame.to_dict("records"):
        assert row["energy_pj"] == swept.loc[row["design_hash"], "energy_pj"]
    assert keys(found.front) == keys(pareto(found.frame))
    again = search(GEMM, SPACE, method=method, evaluations=60, seed=3)
    pd.testing.assert_frame_equal(again.frame, found.frame)
    assert keys(search(GEMM, SPACE, method=method, evaluations=60, seed=4).frame) != keys(found.frame)


def test_networks_compete_and_wrong_answers_are_an_objective():
    found = search(NETWORKS, SPACE, objectives=["energy_pj", "error"], data=DATA)
    assert found.size == 2 * SIZE
    frame = sweep(NETWORKS, SPACE)
    for network in NETWORKS:
        right = evaluation.evaluate(network, Design(), *DATA[network.name])
        frame.loc[frame["workload"] == network.name, "wrong"] = 1 - right
    assert keys(found.front) == keys(pareto(frame, ["energy_pj", "wrong"]))
    sampled = search(NETWORKS, SPACE, objectives=["energy_pj", "accuracy"], data=DATA, method="nsga2", evaluations=40)
    assert set(sampled.frame["workload"]) == {"mlp_int8", "mlp_int4"}
    assert sampled.frame["accuracy"].between(0, 1).all()


def test_a_datapath_that_cannot_compute_the_network_is_infeasible_if_accuracy_counts(monkeypatch):
    def evaluate(network, design, x, y):
        if design.datapath.name() == "bit_serial":
            raise DesignError("bit_serial computes no values")
        return evaluation.evaluate(network, design, x, y)

    monkeypatch.setattr(candidates, "evaluate", evaluate)
    data = DATA["mlp_int8"]
    found = search(NETWORKS[0], SPACE, objectives=["energy_pj", "error"], data=data, method="nsga2", evaluations=50)
    refused = found.frame["datapath.name"] == "bit_serial"
    assert refused.any()
    assert (found.frame.loc[refused, "error"] == "bit_serial computes no values").all()
    assert found.frame.loc[refused, ["energy_pj", "accuracy"]].isna().all(axis=None)
    assert not (found.front["datapath.name"] == "bit_serial").any()


def test_an_equal_search_goes_on_where_it_was_killed(place, tmp_path):
    script = (
        "import sys; from hwsim import search; from tests.test_optimization import GEMM, SPACE;"
        "print('ready', flush=True);"
        "found = search(GEMM, SPACE, method='nsga2', evaluations=150, study=sys.argv[1]);"
        "found.frame.to_parquet(sys.argv[2])"
    )
    out, rng = tmp_path / "out.parquet", random.Random(1)

    def start():
        root = Path(__file__).parents[1]
        process = subprocess.Popen(
            [sys.executable, "-c", script, place, str(out)], stdout=subprocess.PIPE, text=True, cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        return process

    known = 0
    for _ in range(3):
        process = start()
        while process.poll() is None and count(place) <= known:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.communicate()
        known = count(place)
    assert known
    process = start()
    process.communicate()
    assert process.returncode == 0
    expected = search(GEMM, SPACE, method="nsga2", evaluations=150).frame
    pd.testing.assert_frame_equal(pd.read_parquet(out)[expected.columns], expected, check_dtype=False)
    assert count(place) == 150  # every point once, and none that an undisturbed search does not look at


def count(place):
    if "://" not in place and not Path(place).exists():
        return 0
    try:
        with Store(place) as found:
            return len(found)
    except HwsimError:  # the process is making it
        return 0


def test_an_enumeration_takes_what_a_study_knows(tmp_path):
    fill(tmp_path / "study.sqlite", GEMM, SPACE)
    with Store(tmp_path / "study.sqlite") as store:
        found = search(GEMM, SPACE, study=store)
        assert len(store) == SIZE
    pd.testing.assert_frame_equal(found.front, search(GEMM, SPACE).front)


def test_hypervolume_is_the_share_of_a_fine_grid_that_is_beaten():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (5, 3)).astype(float)
    cells = itertools.product(np.arange(6) + 0.5, repeat=3)
    beaten = sum(any((point < cell).all() for point in values) for cell in map(np.array, cells))
    assert hypervolume(values, np.full(3, 6.0)) == pytest.approx(beaten)
    assert hypervolume(values[:, :1], np.array([6.0])) == 6 - values[:, 0].min()
    assert hypervolume(values[:0], np.full(3, 6.0)) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": ["energy"]}, "did you mean 'energy_pj'"),
        ({"objectives": []}, "expected a list of measures"),
        ({"objectives": "energy_pj"}, "expected a list of measures"),
        ({"objectives": ["energy_pj", "energy_pj"]}, "named twice"),
        ({"constraints": {"area": 1}}, "did you mean 'area_um2'"),
        ({"constraints": {"area_um2": "small"}}, "expected a number, or a pair"),
        ({"constraints": {"area_um2": (2, 1)}}, "the lowest value is above the highest"),
        ({"constraints": {"area_um2": (None, None)}}, "expected a number, or a pair"),
        ({"constraints": {"area_um2": float("nan")}}, "expected a number, or a pair"),
        ({"method": "nsga"}, "did you mean 'nsga2'"),
        ({"evaluations": 0}, "whole numbers from 1"),
        ({"objectives": ["error"]}, "needs data"),
    ],
)
def test_bad_criteria_are_refused_before_anything_runs(options, message):
    with pytest.raises(DesignError, match=message):
        search(GEMM, SPACE, **options)


@pytest.mark.parametrize("method", ["enumerate", "nsga2"])
def test_limits_that_nothing_keeps_are_named(method):
    least = sweep(GEMM, SPACE)[["area_um2", "latency_s"]].min()
    with pytest.raises(DesignError, match=r"keeps area_um2 <= 1 \(nearest: \d"):
        search(GEMM, SPACE, constraints={"area_um2": 1, "latency_s": 1}, method=method)
    both = dict(least * 1.01)
    with pytest.raises(DesignError, match=r"all of the limits at once, though each is kept by some: area_um2 .* and "):
        search(GEMM, SPACE, constraints=both, method=method, evaluations=SIZE)
    with pytest.raises(DesignError, match=r"no point of the space is feasible: .*weight_bits"):
        search(GEMM, SPACE | {"datapath.weight_bits": [2]}, method=method)


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(NetworkError, match="computes no values"):
        search(GEMM, SPACE, objectives=["error"], data=DATA["mlp_int8"])
    with pytest.raises(NetworkError, match="no data for network 'mlp_int4'"):
        search(NETWORKS, SPACE, objectives=["error"], data={"mlp_int8": DATA["mlp_int8"]})


@pytest.mark.parametrize(("method", "module"), [("nsga2", "optuna"), ("gp", "torch")])
def test_a_method_whose_library_is_missing_names_the_extra(method, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hwsim\["):
        search(GEMM, SPACE, method=method)
