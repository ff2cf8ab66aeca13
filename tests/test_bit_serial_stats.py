"""Statistics straight from the codes against those of the weights, one Python integer at a time."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import Array, BitSerial, lower, quantize, terms
from hwsim.codebook import Codebook
from hwsim.qtensor import QTensor

GROUPED = ("int4", "bitmod_fp3", "bitmod_fp4", "bcq")
WHOLE = ("int8", "ant_flint4", "bitnet158", "fp8_e4m3", "ant", "squeezellm", "olive", "pot")


def lowered(name: str) -> QTensor:
    """Random weights as the array takes them, in groups of 20 where the format has groups."""
    real = np.random.default_rng(1).standard_normal((9, 60)).astype(np.float32)
    return lower(quantize(real, name, **({"group_size": 20} if name in GROUPED else {})))


TENSORS = {name: lowered(name) for name in GROUPED + WHOLE}


def waits(durations: list[list[int]], depth: int) -> int:
    """When the last of ``durations[step][column]`` ends."""
    ends: list[list[int]] = []
    for step, row in enumerate(durations):
        free = max(ends[step - depth]) if step >= depth else 0
        ends.append([max(ends[-1][c] if ends else 0, free) + d for c, d in enumerate(row)])
    return max(ends[-1])


def reference(w: QTensor, datapath: BitSerial, cols: int) -> list[int]:
    """docs/hardware.md's cycles, from the weights themselves."""
    bits = w.integer_bits
    count = [[sum(t != 0 for t in terms.decompose(int(v), bits, datapath.scheme)) for v in row] for row in w.integers]
    per_tile, column_cycles, first = [], 0, None
    for low in range(0, w.n, cols):
        rows, cycles = count[low : low + cols], 0
        for start in range(0, w.k, w.group_size):
            stop = min(start + w.group_size, w.k)
            steps = [
                [max(1, *row[i : min(i + datapath.lanes, stop)], 1) for row in rows]
                for i in range(start, stop, datapath.lanes)
            ]
            if datapath.skip == "none":
                steps = [[terms.per_step(w, datapath.scheme)] * len(rows) for _ in steps]
            if datapath.fifo_depth == 1:
                steps = [[max(step)] * len(rows) for step in steps]
            took = waits(steps, datapath.fifo_depth)
            column_cycles += sum(map(sum, steps))
            first = took if first is None else first
            cycles += max(took, datapath.scale_latency)
        per_tile.append(cycles)
    return [sum(map(sum, count)), column_cycles, max(0, datapath.scale_latency - first), *per_tile]


def test_tables_of_every_kind_are_covered():
    kinds = {(w.codebook.tables > 1, w.codebook.mantissas.shape[1] > 16, w.pairs) for w in TENSORS.values()}
    assert {(False, False, False), (False, True, False), (True, False, False), (True, False, True)} <= kinds
    assert any(w.plane_weights is not None for w in TENSORS.values())
    assert any(w.groups > 1 and w.select is not None for w in TENSORS.values())


@settings(max_examples=8, deadline=None)
@pytest.mark.parametrize("name", TENSORS)
@given(
    scheme=st.sampled_from(terms.SCHEMES),
    depth=st.integers(0, 5),
    cols=st.integers(1, 10),
    lanes=st.integers(1, 40),
)
def test_statistics_are_those_of_the_weights(name, scheme, depth, cols, lanes):
    datapath = BitSerial(
        scheme=scheme, skip="zero" if depth else "none", fifo_depth=max(depth, 1), lanes=lanes, weight_bits=20
    )
    w = TENSORS[name]
    assert datapath.stats(w, Array(rows=1, cols=cols)).values.tolist() == reference(w, datapath, cols)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999), group_size=st.integers(1, 50), k=st.integers(1, 50), lanes=st.integers(1, 9))
def test_groups_of_any_length_choose_tables(seed, group_size, k, lanes):
    rng = np.random.default_rng(seed)
    groups = -(-k // group_size)
    w = QTensor(
        format="made", shape=(5, k), codes=rng.integers(0, 8, (5, k)).astype(np.uint8), group_size=group_size,
        codebook=Codebook.of(rng.integers(-63, 64, (3, 8)) * 2 + [[1]], bits=3),
        select=rng.integers(0, 3, (5, groups)).astype(np.uint16),
        scale=np.ones((5, groups), np.int32), channel_scale=np.ones(5, np.float32),
    )  # fmt: skip
    for depth in (1, 3):
        datapath = BitSerial(skip="zero", fifo_depth=depth, lanes=lanes)
        assert datapath.stats(w, Array(cols=2)).values.tolist() == reference(w, datapath, 2)


@pytest.mark.parametrize("fifo_depth", [1, 4])
def test_statistics_do_not_depend_on_the_number_of_threads(fifo_depth):
    datapath = BitSerial(skip="zero", fifo_depth=fifo_depth)
    threads = numba.get_num_threads()
    found = []
    try:
        for each in (1, threads):
            numba.set_num_threads(each)
            found.append(datapath.stats(TENSORS["int4"], Array(cols=2)).values.tolist())
    finally:
        numba.set_num_threads(threads)
    assert found[0] == found[1]
