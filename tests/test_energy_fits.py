"""Energies of events from samples: fitted, held out by network, told between measured points."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from hwsim.errors import TechnologyError
from hwsim.technology import Technology, energy_between, energy_fits, samples
from hwsim.technology.least_squares import Normal
from hwsim.technology.samples import Sample

ORIGIN = energy_fits.Origin(node="45", voltage_v=1.1)
TERMS = {"a.pe": ("lanes", "lanes*bits")}
NETWORKS = ("first", "second", "third", "random")


def law(lanes: float, bits: float, count: float, toggles: float) -> float:
    """A constant and a price per bit that both depend on the design."""
    return (0.5 + 0.1 * lanes * bits) * count + (0.02 + 0.003 * bits) * toggles


def point(lanes: int, bits: int, seed: int = 0, noise: float = 0.0, action: str = "add") -> list[Sample]:
    rng = np.random.default_rng([seed, lanes, bits])
    found = []
    for network in NETWORKS:
        for layer in range(4):
            count, toggles = int(rng.integers(100, 1000)), int(rng.integers(500, 20_000))
            pj = law(lanes, bits, count, toggles) * (1 + noise * rng.normal())
            found.append(
                Sample(
                    design=f"{lanes} {bits}", datapath="a", dataflow="output_stationary", rtl="0" * 16,
                    stimulus=f"{network}/{layer}", component="a.pe", action=action,
                    parameters={"lanes": lanes, "bits": bits, "scheme": "x"}, clocked=True, count=count, pj=pj,
                    zero_delay_pj=pj / 2, features={"toggles": toggles},
                )
            )  # fmt: skip
    return found


GRID = [each for lanes in (1, 4, 16) for bits in (4, 8) for each in point(lanes, bits)]


def test_constant_and_price_of_a_bit_are_found():
    (row,) = energy_fits.rows(point(4, 8), ORIGIN)
    assert (row.e0_pj, row.coefficients["toggles"]) == pytest.approx((0.5 + 3.2, 0.044), rel=1e-4)
    assert row.error_pct == pytest.approx(0.0, abs=0.1)
    assert row.zero_delay_fraction == pytest.approx(0.5)


def test_held_out_networks_are_predicted_without_their_samples():
    """Against a fit made here, of the other networks."""
    known = point(4, 8, noise=0.2)
    frame = energy_fits.held_out(known).set_index("stimulus")
    assert sorted(frame.index) == sorted(each.stimulus for each in known if each.network != "random")
    for sample in known:
        if sample.network != "random":
            rest = [each for each in known if each.network != sample.network]
            matrix = np.array([[each.count, each.features["toggles"]] for each in rest]) / np.array(
                [[each.pj] for each in rest]
            )
            e0, price = nnls(matrix, np.ones(len(rest)))[0]
            guess = e0 * sample.count + price * sample.features["toggles"]
            assert frame.loc[sample.stimulus, "predicted_pj"] == pytest.approx(guess, rel=1e-4)
            assert frame.loc[sample.stimulus, "error_pct"] == pytest.approx((guess / sample.pj - 1) * 100, abs=0.01)


def test_energy_of_an_array_is_the_sum_of_its_actions():
    both = [*point(4, 8), *point(4, 8, action="clock")]
    frame = energy_fits.held_out(both)
    assert frame["pj"].sum() == pytest.approx(sum(each.pj for each in both if each.network != "random"))


def test_between_measured_points_both_depend_on_parameters():
    fitted = energy_between.rows(GRID, TERMS, ORIGIN)
    tech = Technology("t", [*energy_fits.rows(GRID, ORIGIN), *fitted], [])
    found = tech.energy("a.pe", "add", {"lanes": 7, "bits": 5, "scheme": "x"}, ("toggles",))
    assert found.row.status == "scaled"
    assert found.per_action_pj({"toggles": 10.0}) == pytest.approx(law(7, 5, 1, 10) - 0.0, rel=0.03)


def test_designs_between_others_are_left_out_of_the_fit_that_predicts_them():
    odd = [dataclasses.replace(each, pj=each.pj * 2) for each in point(4, 4)]  # only the rest knows the law
    rest = [each for each in GRID if each.design != "4 4"]
    frame = energy_between.left_out([*odd, *rest], TERMS).set_index("design")
    assert frame.loc["4 4", "error_pct"] == pytest.approx(-50, abs=3)
    assert frame.loc["4 4", "pj"] == pytest.approx(sum(each.pj for each in odd))


def test_designs_at_an_edge_are_not_predicted():
    points = [each for lanes in (1, 2, 4, 16) for each in point(lanes, 8)]
    assert set(energy_between.left_out(points, TERMS)["design"]) == {"2 8", "4 8"}
    few = [each for lanes in (1, 2) for each in point(lanes, 8)]
    assert energy_between.left_out(few, TERMS).empty


@pytest.mark.parametrize("outside", [{"lanes": 17, "bits": 4}, {"lanes": 4, "bits": 2}])
def test_nothing_is_extrapolated(outside):
    tech = Technology("t", energy_between.rows(GRID, TERMS, ORIGIN), [])
    with pytest.raises(TechnologyError, match="hwsim characterize"):
        tech.energy("a.pe", "add", {"scheme": "x", **outside}, ("toggles",))


def test_an_action_without_energy_has_a_row_that_says_so():
    nothing = [dataclasses.replace(each, pj=0.0, zero_delay_pj=0.0, action="scale") for each in point(4, 8)]
    row = energy_fits.rows([*point(4, 8), *nothing], ORIGIN)[1]
    assert (row.e0_pj, dict(row.coefficients), row.zero_delay_fraction) == (0.0, {}, None)


def test_without_a_clock_nothing_that_does_not_change_costs():
    still = [dataclasses.replace(each, clocked=False) for each in point(4, 8)]
    (row,) = energy_fits.rows(still, ORIGIN)
    assert row.e0_pj == 0
    assert row.coefficients["toggles"] > 0.044


def test_samples_are_read_as_they_were_written(tmp_path):
    samples.write(tmp_path, GRID)
    before = (tmp_path / samples.SAMPLES).read_bytes()
    found = samples.read(tmp_path)
    assert [each.point for each in found] == [each.point for each in GRID]
    assert [each.pj for each in found] == pytest.approx([each.pj for each in GRID], rel=1e-4)
    samples.write(tmp_path, found)
    assert (tmp_path / samples.SAMPLES).read_bytes() == before


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_normal_equations_give_what_least_squares_give(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 1, (12, 4)), rng.uniform(0, 1, 12)
    part = Normal.of(a[:5], b[:5])
    found = (Normal.of(a, b) - part).solve()
    assert found == pytest.approx(nnls(a[5:], b[5:])[0], abs=1e-5)
