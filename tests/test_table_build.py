"""How tables of signed sums are built: right in every order, at the published number of additions."""

import numpy as np
import pytest

from hwsim.table_build import LARGEST_MU, ORDERS, additions, build


def entries(values: list[int], half: bool, order: str) -> list[int]:
    """The table, one addition after the other."""
    program = build(len(values), half, order)
    nodes = list(values)

    def value(term):
        return term.sign * (nodes[term.node] << term.shift)

    for left, right in program.additions:
        nodes.append(value(left) + value(right))
    return [value(term) for term in program.entries]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mu", range(1, LARGEST_MU + 1))
def test_every_order_gives_all_signed_sums(mu, order):
    x = np.random.default_rng(mu).integers(-128, 128, mu)
    signs = 2 * ((np.arange(1 << mu)[:, None] >> np.arange(mu)) & 1) - 1
    sums = (signs @ x).tolist()
    assert entries(x.tolist(), False, order) == sums
    assert entries(x.tolist(), True, order) == sums[len(sums) // 2 :]


def test_published_additions_of_a_half_table_of_four():
    # 24 one by one, 14 in two levels (FIGLUT, arXiv 2503.06862), 12 with shared adders and subtractors, 10 step by step
    assert [additions(4, True, order) for order in ORDERS] == [24, 14, 12, 10]


@pytest.mark.parametrize("mu", range(1, LARGEST_MU + 1))
def test_additions_follow_from_the_number_of_entries(mu):
    half = 1 << (mu - 1)
    assert additions(mu, True, "naive") == half * (mu - 1)
    assert additions(mu, False, "naive") == 2 * half * (mu - 1)
    assert additions(mu, True, "incremental") == mu - 1 + half - 1
    assert additions(mu, False, "incremental") == mu - 1 + 2 * half - 1
    low, high = mu // 2, mu - mu // 2
    if low:
        expected = (low - 1 << low) + (high - 1 << (high - 1)) + half
        assert additions(mu, True, "two_level") == expected
        assert additions(mu, True, "shared") == expected - (low - 1 << (low - 1))
