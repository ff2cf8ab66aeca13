"""Weight-stationary costs: the closed form against stepping edge by edge, events against counting."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import Array, BitSerial, Design, Mac, Workload, digits, simulate
from hwsim.errors import DesignError
from hwsim.mapping import tiles
from tests import naive as plain
from tests import naive_weight_stationary as naive
from tests.test_rtl_arrays import tensor
from tests.toy.toy import Toy

DATAPATHS = [
    Mac(lanes=1), Mac(lanes=3),
    BitSerial(lanes=2), BitSerial(lanes=1, scheme="twos_complement"),
    BitSerial(lanes=2, skip="zero"), BitSerial(lanes=3, skip="zero", scheme="twos_complement"),
    BitSerial(lanes=2, scheme="naf"), BitSerial(lanes=2, skip="zero", scheme="naf"),
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


M, N, K, GROUP = 20, 7, 45, 18
ARRAY = stationary(2, 3, 8)
W = tensor(np.random.default_rng(1), N, K, 8, GROUP, scale_bits=3)


def counts(datapath, array):
    """Counts of a matmul's events, by component and action."""
    shape = np.array([M, N, K, GROUP, False], dtype=np.int64)
    found = np.zeros(len(datapath.EVENTS), np.int64)
    values = datapath.stats(W, array).values
    datapath.events(shape, values, datapath.params(array), found)
    return {(event.component, event.action): int(n) for event, n in zip(datapath.EVENTS, found, strict=True)}


@pytest.mark.parametrize("datapath", DATAPATHS, ids=lambda each: f"{each.name()}-{each.lanes}")
def test_events_are_those_of_the_passes(datapath):
    found = counts(datapath, ARRAY)
    expected = dict.fromkeys(found, 0)
    for tile in tiles(M, N, ARRAY):
        m, n = tile.m1 - tile.m0, tile.n1 - tile.n0
        passes = naive.tile_passes(W, datapath, ARRAY, tile.n0, tile.n1, m)
        for i, each in enumerate(passes):
            expected["weight_register", "load"] += each.rows * n
            expected["column", "add"] += m * n
            expected["column", "scale"] += m * n
            expected["accumulator_buffer", "write"] += m * n * (i + 1 < len(passes))
            expected["accumulator_buffer", "read"] += m * n * (i > 0)
            if datapath.name() == "bit_serial":
                expected["bit_serial.pe", "accumulate"] += m * each.step * each.rows * n
        expected["requantizer", "requantize"] += m * n
    compute = naive.array_cycles(all_passes(datapath, ARRAY, M, W))
    expected["column", "clock"] = compute * ARRAY.cols
    expected["operand_register", "clock"] = compute
    expected[f"{datapath.name()}.pe", "clock"] = compute * ARRAY.rows * ARRAY.cols
    if datapath.name() == "mac":
        expected["mac.pe", "multiply"] = M * N * K
    else:
        expected["bit_serial.encoder", "encode"] = M * N * K
        terms = (plain.term_count(int(v), 8, datapath.scheme) for v in W.integers.ravel())
        expected["bit_serial.pe", "term_add"] = M * sum(terms)
    assert found == expected


def test_output_stationary_arrays_have_none_of_the_columns_events():
    found = counts(Mac(lanes=3), Array(rows=2, cols=3))
    parts = {part.name for part in Mac(lanes=3).components(Array())}
    assert all(n == 0 for (component, _), n in found.items() if component not in parts)
    assert "column" not in parts


def test_buffers_and_dram_are_read_once_per_tile_of_the_accumulator_buffer():
    gemm = Workload.from_shapes("gemm", [(M, N, K)])
    design = Design(datapath=Mac(lanes=3), array=ARRAY)
    result = simulate(gemm, design)
    frame = result.events().groupby(["component", "action"])["count"].sum()
    width = design.activation_buffer.width_bits
    weight_bits = 8 * N * K + 32 * N
    assert frame["activation_buffer", "read"] == -(-(-(-N // 3) * M * K * 8) // width)
    assert frame["weight_buffer", "read"] == -(-(-(-M // 8) * weight_bits) // width)
    assert 0 < result.layers[0].utilization < 1
    assert {"weight_register", "column", "accumulator_buffer"} <= set(result.area()["component"])


def test_a_long_pass_hides_loading_and_fills_the_array():
    gemm = Workload.from_shapes("gemm", [(4096, 16, 512)])
    fast = Design(
        datapath=Mac(lanes=8), array=stationary(8, 16, 4096), overlap="layer", dram=hwsim.Dram(bandwidth_gb_s=1e5)
    )
    layer = simulate(gemm, fast).layers[0]
    assert layer.compute_cycles == 1 + 8 + 8 * 4096 + 5
    assert layer.utilization > 0.99


def test_saturating_sums_and_cost_only_rules_are_refused():
    gemm = Workload.from_shapes("gemm", [(2, 2, 2)])
    with pytest.raises(DesignError, match="use overflow='wrap'"):
        simulate(gemm, Design(datapath=Mac(overflow="saturate"), array=ARRAY))
    for refused in (BitSerial(skip="zero", fifo_depth=2), BitSerial(dequantization="serial")):
        with pytest.raises(DesignError, match="use fifo_depth=1"):
            simulate(gemm, Design(datapath=refused, array=ARRAY))
    with pytest.raises(DesignError, match="toy cannot run weight_stationary"):
        simulate(gemm, Design(datapath=Toy(), array=ARRAY))
    network = digits.load("mlp_int8")
    x, _ = digits.held_out(network)
    with pytest.raises(DesignError, match="use overflow='wrap'"):
        hwsim.run(network, Design(datapath=Mac(overflow="saturate"), array=ARRAY), x[:1])
    frame = hwsim.sweep(gemm, {"datapath.overflow": ["wrap", "saturate"]}, base=Design(array=ARRAY))
    assert (frame["error"] != "").tolist() == [False, True]


def test_a_dataflow_beside_the_array_is_read_as_the_arrays():
    old = {"dataflow": "output_stationary", "array": {"rows": 4}}
    assert Design.from_plain(old) == Design(array=Array(rows=4))
    assert Design.from_plain({"dataflow": "weight_stationary"}).dataflow == "weight_stationary"
    assert old == {"dataflow": "output_stationary", "array": {"rows": 4}}
    with pytest.raises(DesignError, match=r"array\.dataflow"):
        Design.from_plain({"dataflow": "output_stationary", "array": {"dataflow": "weight_stationary"}})
    with pytest.raises(DesignError, match="'row_stationary' is not one of"):
        Design.from_plain({"dataflow": "row_stationary"})
    with pytest.raises(DesignError, match="array: expected a mapping"):
        Design.from_plain({"dataflow": "output_stationary", "array": 3})


def test_the_depth_of_the_accumulator_buffer_counts_only_where_there_is_one():
    space = {"array.dataflow": ["output_stationary", "weight_stationary"], "array.accumulator_rows": [16, 64]}
    designs = hwsim.Space(space).designs()
    assert [design.array.tile_rows for design in designs] == [16, 16, 64]
    assert len({hwsim.labels.label(design) for design in designs}) == 3
    with pytest.raises(DesignError, match="accumulator_rows = 0"):
        dataclasses.replace(ARRAY, accumulator_rows=0)
