import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim import Array
from hwsim.kernels import mapping as kernels
from hwsim.kernels import tiles as tile_kernels
from hwsim.mapping import map_matmul, tiles

small = st.integers(1, 30)


@given(m=small, n=small, rows=st.integers(1, 9), cols=st.integers(1, 9), m_outer=st.booleans())
def test_tiles_cover_every_output_once_in_loop_order(m, n, rows, cols, m_outer):
    seen = np.zeros((m, n), int)
    corners = []
    for tile in tiles(m, n, Array(rows=rows, cols=cols), m_outer):
        seen[tile.m0 : tile.m1, tile.n0 : tile.n1] += 1
        assert tile.m1 - tile.m0 <= rows
        assert tile.n1 - tile.n0 <= cols
        corners.append((tile.m0, tile.n0) if m_outer else (tile.n0, tile.m0))
    assert (seen == 1).all()
    assert corners == sorted(corners)


@given(
    m=small, n=small, rows=st.integers(1, 9), cols=st.integers(1, 9), m_outer=st.booleans(),
    scale_stage=st.integers(0, 1),
    data=st.data(),
)  # fmt: skip
def test_matmul_cycles_are_the_recurrence_over_tiles(m, n, rows, cols, m_outer, scale_stage, data):
    n_tiles = -(-n // cols)
    compute = data.draw(st.lists(st.integers(1, 20), min_size=n_tiles, max_size=n_tiles))
    moved, previous_rows, first = 0, 0, True
    for tile in tiles(m, n, Array(rows=rows, cols=cols), m_outer):
        c = compute[tile.n0 // cols]
        moved = c + scale_stage + 1 if first else moved + max(c, previous_rows)
        previous_rows, first = tile.m1 - tile.m0, False
    expected = moved + previous_rows + tile_kernels.REQUANTIZER_STAGES + 1
    shape = np.array([m, n, 1, 1, m_outer], dtype=np.int64)
    assert expected == tile_kernels.matmul_cycles(shape, np.array(compute, dtype=np.int64), 1, rows, cols, scale_stage)


@given(k=st.integers(1, 200), group=st.integers(1, 50), lanes=st.integers(1, 20))
def test_steps_never_cross_a_group(k, group, lanes):
    brute = sum(-(-(min(start + group, k) - start) // lanes) for start in range(0, k, group))
    assert tile_kernels.steps(k, min(group, k), lanes) == brute


sizes = st.integers(1, 1 << 20)


@given(m_tiles=st.integers(1, 9), n_tiles=st.integers(1, 9), bits=st.tuples(*[sizes] * 5))
def test_the_loop_order_has_the_fewer_dram_bits_and_ties_go_to_n_outer(m_tiles, n_tiles, bits):
    vector = np.array([m_tiles, n_tiles, *bits], dtype=np.int64)

    def traffic(order):
        activations, weights = kernels.passes(vector, order)
        return activations * bits[0] + weights * bits[1]

    m_outer, activation_passes, weight_passes = kernels.loop_order(vector)
    assert bool(m_outer) == (traffic(True) < traffic(False))
    assert activation_passes * bits[0] + weight_passes * bits[1] == min(traffic(True), traffic(False))


def mapping(**changes):
    arguments = {
        "m": 64, "n": 64, "input_bits": 8000, "weight_bits": 4000, "output_bits": 2000,
        "activation_buffer_bits": 10**6, "weight_buffer_bits": 10**6,
    } | changes  # fmt: skip
    return map_matmul(arguments.pop("m"), arguments.pop("n"), Array(rows=16, cols=16), **arguments)


def test_operands_that_fit_are_read_once():
    fits = mapping()
    assert (fits.m_outer, fits.dram_read_bits, fits.dram_write_bits) == (False, 12000, 2000)


def test_an_operand_that_does_not_fit_is_read_again_for_every_outer_tile():
    assert mapping(activation_buffer_bits=100, weight_buffer_bits=100).dram_read_bits == 4 * 8000 + 4 * 4000
    streamed = mapping(activation_buffer_bits=100, weight_buffer_bits=2000)
    assert (streamed.m_outer, streamed.activation_passes, streamed.weight_passes) == (False, 4, 1)
    streamed = mapping(activation_buffer_bits=4000, weight_buffer_bits=100)
    assert (streamed.m_outer, streamed.activation_passes, streamed.weight_passes) == (True, 1, 4)


@pytest.mark.parametrize("per_tile", [False, True])
@given(
    m_tiles=st.integers(1, 6), n_tiles=st.integers(1, 6), bits=st.tuples(*[sizes] * 5), compute=st.integers(1, 10**6)
)
def test_memory_never_makes_a_layer_faster_and_per_tile_is_the_sum_over_tiles(
    per_tile, m_tiles, n_tiles, bits, compute
):
    vector = np.array([m_tiles, n_tiles, *bits], dtype=np.int64)
    _, activation_passes, weight_passes = kernels.loop_order(vector)
    total, dram = kernels.total_cycles(compute, 0, vector, activation_passes, weight_passes, 64.0, per_tile)
    assert total >= max(compute, dram)
    if not per_tile:
        assert total == max(compute, dram)
        return
    share = compute / (m_tiles * n_tiles)
    activation, weight, store = bits[0] / m_tiles / 64, bits[1] / n_tiles / 64, bits[2] / (m_tiles * n_tiles) / 64
    expected = activation + weight + store
    for m in range(m_tiles):
        for n in range(n_tiles):
            load = activation * (activation_passes > 1 or n == 0) + weight * (weight_passes > 1 or m == 0)
            expected += max(share, load + store)
    assert total == pytest.approx(expected, abs=1.001)
