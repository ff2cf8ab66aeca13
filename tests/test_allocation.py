"""Bits per layer, against looking at every allocation, and against scipy's general solver."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from hwsim import allocation
from hwsim.errors import HwsimError


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 3), st.booleans(), st.integers(-12, 12))
def test_an_allocation_is_the_best_of_all(seed, layers, choices, together, exponent):
    rng = np.random.default_rng(seed)
    sensitivity = rng.random((layers, choices)) * 10.0**-exponent
    costs = {name: rng.integers(1, 9, (layers, choices)) * 10.0**exponent for name in ("latency", "size")}
    limits = {name: allocation.between(table, rng.random()) for name, table in costs.items()}
    tied = ((0, layers - 1),) if together and layers > 1 else ()
    allowed = [
        every
        for every in itertools.product(range(choices), repeat=layers)
        if all(sum(table[i, c] for i, c in enumerate(every)) <= limits[name] for name, table in costs.items())
        and all(every[a] == every[b] for a, b in tied)
    ]
    if not allowed:
        with pytest.raises(HwsimError, match=r"no precisions keep latency <= .* and size <= "):
            allocation.allocate(sensitivity, costs, limits, tied)
        return
    best = min(sum(sensitivity[i, c] for i, c in enumerate(every)) for every in allowed)
    chosen = tuple(allocation.allocate(sensitivity, costs, limits, tied).tolist())
    assert chosen in allowed
    assert sum(sensitivity[i, c] for i, c in enumerate(chosen)) == pytest.approx(best)


@settings(max_examples=25)
@given(st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=6), st.floats(0, 6))
def test_water_filling_is_what_a_general_solver_finds(c, mean_bits):
    bits = allocation.optimal_bits(np.array(c), mean_bits)
    assert bits.min() >= 0
    assert bits.mean() == pytest.approx(mean_bits, abs=1e-9)
    found = optimize.minimize(
        lambda r: np.log(np.sum(c * 4.0**-r)), np.full(len(c), mean_bits), bounds=[(0, None)] * len(c),
        constraints={"type": "eq", "fun": lambda r: r.mean() - mean_bits}, method="SLSQP",
    )  # fmt: skip
    assert np.log(np.sum(c * 4.0**-bits)) <= found.fun + 1e-6


def test_a_limit_below_the_cheapest_is_named():
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(HwsimError, match=r"no precisions keep size <= 3\.9: the least is 4"):
        allocation.allocate(table, {"size": table}, {"size": 3.9})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: allocation.allocate(np.ones(3), {}, {}), r"sensitivity of shape \[3\]"),
        (lambda: allocation.allocate(np.ones((2, 2)), {"a": np.ones((2, 3))}, {}), r"a of shape \[2, 3\]"),
        (lambda: allocation.allocate(np.full((1, 1), np.nan), {}, {}), "finite"),
        (lambda: allocation.allocate(np.ones((2, 2)), {}, {"latency": 1}), "limit of 'latency'"),
        (lambda: allocation.optimal_bits(np.array([0.0]), 1), "must be positive"),
        (lambda: allocation.allocated_levels(np.array([-1.0]), 1), "must be positive"),
        (lambda: allocation.input_modification(np.ones(2), np.ones(3)), "of one size"),
    ],
)
def test_bad_tables_are_refused(call, message):
    with pytest.raises(HwsimError, match=message):
        call()


def test_equal_weights_do_not_stand_out():
    assert allocation.outstanding_share(np.ones(5)) == 0
