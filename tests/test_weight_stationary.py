"""Weight-stationary costs: the closed form against stepping edge by edge, events against counting."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import Array, BitSerial, Design, Mac, Workload, simulate
from hwsim.errors import DesignError
from hwsim.mapping import tiles
from tests import naive_weight_stationary as naive
from tests.test_rtl_arrays import tensor

DATAPATHS = [
    Mac(lanes=1), Mac(lanes=3),
    BitSerial(lanes=2), BitSerial(lanes=1, scheme="twos_complement"),
    BitSerial(lanes=2, skip="zero"), BitSerial(lanes=3, skip="zero", scheme="twos_complement"),
]  # fmt: skip


def stationary(rows, cols, depth):
    return Array(rows=rows, cols=cols, dataflow="weight_stationary", accumulator_rows=depth)


def cycles(datapath, array, m, w, m_outer=False):
    shape = np.array([m, w.n, w.k, w.group_size, m_outer], dtype=np.int64)
    return int(datapath.cycles(shape, datapath.stats(w, array).values, datapath.params(array)))


def all_passes(datapath, array, m, w, m_outer=False):
    return [
        each
        for tile in tiles(m, w.n, array, m_outer)
        for each in naive.tile_passes(w, datapath, array, tile.n0, tile.n1, tile.m1 - tile.m0)
    ]


@settings(max_examples=150, deadline=None)
@given(
    datapath=st.sampled_from(DATAPATHS),
    array=st.builds(stationary, st.integers(1, 5), st.integers(1, 4), st.integers(1, 6)),
    m=st.integers(1, 14), n=st.integers(1, 9), k=st.integers(1, 30), group_size=st.integers(1, 30),
    bits=st.integers(2, 8), seed=st.integers(0, 99), m_outer=st.booleans(),
)  # fmt: skip
def test_cycles_are_those_of_stepping_edge_by_edge(datapath, array, m, n, k, group_size, bits, seed, m_outer):
    w = tensor(np.random.default_rng(seed), n, k, bits, min(group_size, k))
    expected = naive.array_cycles(all_passes(datapath, array, m, w, m_outer))
    assert cycles(datapath, array, m, w, m_outer) == expected
