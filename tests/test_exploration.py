import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import Design, Space, Workload, pareto, simulate, sweep
from hwsim.errors import DesignError

GEMM = Workload.from_shapes("gemm", [(20, 12, 30)])
GRID = {"datapath.name": ["mac", "bit_serial"], "datapath.skip": ["none", "zero"], "array.rows": [4, 8]}


def test_a_datapath_parameter_is_left_out_where_it_does_not_exist():
    designs = Space(GRID).designs()
    assert len(designs) == 2 * 1 + 2 * 2  # mac has no skip
    assert len({design.hash for design in designs}) == len(designs)


def test_sweep_and_simulate_give_identical_numbers():
    frame = sweep(GEMM, GRID)
    for row in frame.to_dict("records"):
        design = Design.from_plain(json.loads(row["design"]))
        totals = simulate(GEMM, design).totals()
        assert {key: row[key] for key in totals} == totals
        assert row["design_hash"] == design.hash
        assert row["array.rows"] == design.array.rows


def test_several_workloads_are_swept_together():
    other = Workload.from_shapes("other", [(1, 2, 3)])
    frame = sweep([GEMM, other], [Design()])
    assert frame["workload"].tolist() == ["gemm", "other"]


def test_infeasible_points_are_marked_not_dropped():
    frame = sweep(GEMM, {"datapath.weight_bits": [4, 8]})
    assert frame["error"].str.contains("use weight_bits=8").tolist() == [True, False]
    assert frame["energy_pj"].isna().tolist() == [True, False]
    assert len(pareto(frame)) == 1


def test_a_sweep_without_a_feasible_point_still_has_its_columns():
    frame = sweep(GEMM, {"datapath.weight_bits": [2, 4]})
    assert frame["energy_pj"].isna().all()
    assert pareto(frame).empty


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_pareto_keeps_exactly_the_points_that_nothing_dominates(points):
    frame = pd.DataFrame(points, columns=["latency_s", "energy_pj", "area_um2"])
    brute = [
        p for p in points
        if not any(all(a <= b for a, b in zip(q, p, strict=True)) and q != p for q in points)
    ]  # fmt: skip
    kept = [tuple(map(int, row)) for row in pareto(frame).to_numpy()]
    assert sorted(kept) == sorted(brute)
    assert (np.diff([row[0] for row in kept]) >= 0).all()


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "the space is empty"),
        ({"array.rows": []}, "expected a list of values"),
        ({"array.rows": "8"}, "expected a list of values"),
        ({"array.row": [8]}, "did you mean 'array.rows'"),
        ({"datapath.name": ["mack"]}, "did you mean 'mac'"),
        ({"array.rows": [0]}, "Array.rows = 0"),
        ({"datapath.scheme": ["booth"]}, "it is a parameter of bit_serial, not of mac"),
        ({"datapath.skipp": ["zero"], "datapath.name": ["bit_serial"]}, "did you mean 'datapath.skip'"),
        ([], "no design points"),
    ],
)
def test_a_wrong_space_is_refused_before_anything_runs(space, message):
    with pytest.raises(DesignError, match=message):
        sweep(GEMM, space)


def test_an_unknown_objective_suggests_the_nearest():
    with pytest.raises(DesignError, match="did you mean 'energy_pj'"):
        pareto(sweep(GEMM, [Design()]), ["energy"])
