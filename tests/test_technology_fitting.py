"""Areas between measured points: fitted sums of products, refused outside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from hwsim.errors import TechnologyError
from hwsim.technology import Technology, fitting
from hwsim.technology.rows import AreaRow

TERMS = {"a.pe": ("lanes*bits", "lanes", "bits")}


def area(value: float, **parameters: float | str) -> AreaRow:
    return AreaRow(
        node="45", voltage_v=1.1, component="a.pe", parameters=parameters, coefficients={}, area_um2=value,
        leakage_uw=value / 50, leakage_uw_per_um2=0.0, critical_path_ns=value / 100, source="own run",
        status="measured", error_pct=None,
    )  # fmt: skip


def law(lanes: float, bits: float) -> float:
    return 2 + 0.5 * lanes * bits + 3 * bits


GRID = [(lanes, bits) for lanes in (1, 4, 16) for bits in (4, 8)]
AREAS = [area(law(lanes, bits), lanes=lanes, bits=bits, scheme="x") for lanes, bits in GRID]


def test_a_law_of_the_terms_is_found_and_holds_between_the_points():
    (part,) = fitting.areas(AREAS, TERMS)
    assert part.error_pct == pytest.approx(0.0, abs=0.1)
    between = Technology("t", [], [*AREAS, part]).area("a.pe", {"lanes": 7, "bits": 5, "scheme": "x"})
    assert between.row.status == "scaled"
    assert (between.area_um2, between.leakage_uw) == pytest.approx((law(7, 5), law(7, 5) / 50))
    assert between.critical_path_ns == pytest.approx(law(16, 8) / 100)  # the longest of the points


@pytest.mark.parametrize(
    "outside",
    [{"lanes": 17, "bits": 4}, {"lanes": 4, "bits": 2}, {"lanes": 4, "bits": 4, "scheme": "y"}],
)
def test_nothing_is_extrapolated(outside):
    tech = Technology("t", [], [*AREAS, *fitting.areas(AREAS, TERMS)])
    with pytest.raises(TechnologyError, match="hwsim characterize"):
        tech.area("a.pe", {"scheme": "x", **outside})


def test_a_measured_point_is_itself():
    odd = [*AREAS[:-1], area(300.0, lanes=16, bits=8, scheme="x")]
    fitted = fitting.areas(odd, TERMS)
    assert fitted[0].error_pct > 10
    tech = Technology("t", [], [*fitted, *odd])
    assert tech.area("a.pe", {"lanes": 16, "bits": 8, "scheme": "x"}).area_um2 == 300.0


def test_few_points_and_other_options_have_no_fit():
    other = [area(1.0, lanes=lanes, bits=4, scheme="y") for lanes in (1, 2, 4)]
    assert len(fitting.areas([*AREAS, *other], TERMS)) == 1
    assert fitting.areas(AREAS, {}) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_errors_are_those_of_a_fit_without_the_point(seed):
    """Against scipy's bounded least squares, point by point."""
    rng = np.random.default_rng(seed)
    points = np.column_stack([np.ones(9), rng.uniform(1, 10, (9, 3))])
    values = points @ rng.uniform(0.1, 1, 4) * rng.uniform(0.9, 1.1, 9)
    found = fitting.fit(points, values)
    scaled = points / values[:, None]
    for i in range(9):
        rest = np.delete(scaled, i, axis=0)
        weights = lsq_linear(rest, np.ones(8), bounds=(0, np.inf), tol=1e-14).x
        assert found.held_out[i] == pytest.approx(scaled[i] @ weights - 1, abs=1e-5)
    assert found.error_pct == pytest.approx(100 * np.abs(found.held_out).max())
