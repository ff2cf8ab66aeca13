"""Dot products of bits against sums of products."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hwsim import bit_dots
from hwsim.formats import quantize

lengths = st.integers(1, 40)


@st.composite
def vectors(draw, low, high):
    n = draw(lengths)
    return tuple(draw(hnp.arrays(np.int64, n, elements=st.integers(low, high))) for _ in range(2))


@given(pair=vectors(0, 1))
def test_counts_are_dot_products(pair):
    x, w = pair
    assert bit_dots.xnor_count(x, w) == sum(a == b for a, b in zip(x, w, strict=True))
    assert bit_dots.xnor_dot(x, w) == (2 * x - 1) @ (2 * w - 1)
    assert bit_dots.and_count(x, w) == x @ w
    assert bit_dots.and_dot(x, w) == x @ (2 * w - 1)


@given(pair=vectors(0, 1), x_grid=st.tuples(st.floats(-4, 4), st.floats(-4, 4)))
def test_adabin_needs_two_sums_beside_the_count(pair, x_grid):
    x, w = pair
    q = quantize(np.where(w, 1.5, -0.5)[None], "adabin")
    signs = np.where(q.codes[0], 1, -1)
    w_grid = (float(q.scale[0, 0]), float(q.offset[0, 0]))
    got = bit_dots.adabin_dot(
        len(x), bit_dots.xnor_dot(x, q.codes[0]), int((2 * x - 1).sum()), int(signs.sum()), x_grid, w_grid
    )
    expected = (x_grid[1] + x_grid[0] * (2 * x - 1)) @ (w_grid[1] + w_grid[0] * signs)
    assert np.isclose(got, expected, atol=1e-9)


@given(pair=vectors(-8, 7), signed=st.booleans())
def test_planes_multiply_like_the_numbers(pair, signed):
    x, w = pair if signed else tuple(np.abs(v) for v in pair)
    grids = [bit_dots.bit_planes(values, 4, signed) for values in (x, w)]
    assert bit_dots.plane_dot(*grids[0], *grids[1]) == x @ w


@given(pair=vectors(-9, 9), mu=st.integers(1, 5))
def test_tables_of_sums_hold_every_partial_dot_product(pair, mu):
    x, w = pair
    bits = (w > 0).astype(np.uint8)
    tables, keys = bit_dots.sum_tables(x, mu), bit_dots.table_keys(bits, mu)
    assert tables.shape == (-(-len(x) // mu), 1 << mu)
    assert tables[np.arange(len(keys)), keys].sum() == x @ np.where(bits, 1, -1)
