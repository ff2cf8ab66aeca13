"""The physics of crossbars against nodal analysis, SciPy's distributions and plain NumPy."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.crossbar.cells import program
from hwsim.crossbar.parameters import IDEAL_DEVICE, Device, Wires
from hwsim.crossbar.sensing import nominal, offsets, replica_factor
from hwsim.crossbar.wiring import (
    Approximation,
    Columns,
    Packed,
    column_currents,
    contributions,
    patterns,
    tiled,
    untiled,
)  # fmt: skip
from hwsim.errors import DesignError
from hwsim.kernels import crossbar as kernels
from hwsim.kernels.lanes import LANES
from tests.naive_crossbar import column_current, netlist

LINES = {
    "bit line": {"source_line_ohm": 0.0},
    "both, near": {"source_line_ohm": 0.7, "source_feed": "near"},
    "both, far": {"source_line_ohm": 0.7, "source_feed": "far"},
}


def drawn(rows, ron, seed=0, cols=3, vectors=2):
    """Gates and conductances with spread."""
    rng = np.random.default_rng(seed)
    on = rng.random((rows, cols)) < 0.5
    cells = np.where(on, 1 / ron, 0.05 / ron) * np.exp(0.2 * rng.standard_normal((rows, cols)))
    gates = rng.integers(0, 2, (vectors, rows)).astype(np.uint8)
    gates[0, 0] = 1
    return gates, cells


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("ohm", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("ron", [3e3, 50e3, 1e6])
@pytest.mark.parametrize("rows", [8, 128, 512])
def test_wire_loss_is_that_of_nodal_analysis(rows, ron, ohm, lines):
    gates, cells = drawn(rows, ron)
    wires = Wires(bit_line_ohm=ohm, **{**LINES[lines], "source_line_ohm": ohm * LINES[lines]["source_line_ohm"]})
    got = column_currents(gates, cells, wires)
    for m, n in np.ndindex(got.shape):
        expected = column_current(gates[m], cells[:, n], wires.bit_line_ohm, wires.source_line_ohm, wires.source_feed)
        assert got[m, n] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("mapping", ["xnor", "differential"])
@pytest.mark.parametrize("lines", LINES)
def test_columns_of_both_mappings(mapping, lines):
    rng = np.random.default_rng(3)
    programmed = program(Device(ron_ohm=1e4, roff_ohm=2e5), rng.random((2, 40, 5)) < 0.5, rng)
    cells = programmed.astype(np.float64)
    starts = np.array([0, 25, 40])
    wires = Wires(bit_line_ohm=2.0, **LINES[lines])
    bits = rng.integers(0, 2, (3, 40)).astype(np.uint8)
    got = untiled(Columns(cells, starts, mapping, wires).exact(bits), 5)
    single = untiled(Columns(programmed, starts, mapping, wires).exact(bits), 5)
    ohms = wires.bit_line_ohm, wires.source_line_ohm, wires.source_feed
    for g, m, n in np.ndindex(got.shape):
        own = slice(starts[g], starts[g + 1])
        b, first, second = bits[m, own], cells[0, own, n], cells[1, own, n]
        if mapping == "xnor":
            gates, column = np.stack([b, 1 - b], 1).ravel(), np.stack([first, second], 1).ravel()
            currents = [column_current(gates, column, *ohms)]
        else:
            currents = [column_current(b, first, *ohms), -column_current(b, second, *ohms)]
        assert got[g, m, n] == pytest.approx(sum(currents), rel=1e-9, abs=1e-9 * max(currents))
        assert single[g, m, n] == pytest.approx(sum(currents), rel=1e-5, abs=1e-5 * max(currents))


@pytest.mark.parametrize("ohm", [0.5, 5.0, 50.0])
def test_a_uniform_column_loses_as_a_transmission_line_does(ohm):
    rows, g = 2000, 1e-5
    k = rows * np.sqrt(ohm * 1e-3 * g)
    got = column_currents(np.ones((1, rows)), np.full((rows, 1), g), Wires(bit_line_ohm=ohm * 1e-3))[0, 0]
    assert got / (rows * g) == pytest.approx(np.tanh(k) / k, rel=2e-3)


@pytest.mark.parametrize(("ron", "loss"), [(1e5, 0.028), (3e4, 0.087), (1e4, 0.22)])
def test_loss_of_128_rows_is_that_of_the_literature(ron, loss):
    rng = np.random.default_rng(0)
    gates = (rng.random((200, 128)) < 0.5).astype(np.uint8)
    currents = column_currents(gates, np.full((128, 1), 1 / ron), Wires(bit_line_ohm=1.0))[:, 0]
    assert 1 - (currents / gates.sum(axis=1) * ron).mean() == pytest.approx(loss, rel=0.1)


def test_a_source_line_fed_from_the_far_end_equalises_the_loss():
    cells = np.full((64, 1), 1e-4)
    alone = np.eye(64, dtype=np.uint8)[[0, 63]]
    near, far = (
        column_currents(alone, cells, Wires(bit_line_ohm=2, source_line_ohm=2, source_feed=feed))[:, 0]
        for feed in ("near", "far")
    )
    assert near[0] > 1.02 * near[1]
    assert far[0] == pytest.approx(far[1], rel=1e-12)


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize("lines", LINES)
def test_small_columns_agree_with_ngspice(lines, tmp_path):
    gates, cells = drawn(16, 1e4, cols=2)
    wires = Wires(bit_line_ohm=2.5, **LINES[lines])
    got = column_currents(gates, cells, wires)
    for m, n in np.ndindex(got.shape):
        file = tmp_path / f"{m}{n}.cir"
        file.write_text(netlist(gates[m], cells[:, n], wires.bit_line_ohm, wires.source_line_ohm, wires.source_feed))
        text = subprocess.run(["ngspice", "-b", str(file)], capture_output=True, text=True, check=False).stdout
        current = -float(re.search(r"i\(v1\) = (\S+)", text)[1])
        assert got[m, n] == pytest.approx(current, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=3), cols=st.integers(1, 140), vectors=st.integers(1, 9),
    seed=st.integers(0, 99), mapping=st.sampled_from(["xnor", "differential"]),
)  # fmt: skip
def test_plain_sums_are_matrix_products(sizes, cols, vectors, seed, mapping):
    rng = np.random.default_rng(seed)
    starts = np.cumsum([0, *sizes])
    cells = rng.random((2, starts[-1], cols)).astype(np.float32)
    bits = rng.integers(0, 2, (vectors, starts[-1])).astype(np.uint8)
    got = untiled(Packed.of(*contributions(cells, mapping), starts).sums(patterns(bits, starts)), cols)
    for g in range(len(sizes)):
        own = slice(starts[g], starts[g + 1])
        b, first, second = bits[:, own].astype(float), *cells[:, own].astype(float)
        expected = b @ first + (1 - b) @ second if mapping == "xnor" else b @ first - b @ second
        np.testing.assert_allclose(got[g], expected, rtol=1e-5, atol=1e-5)


def test_programming_has_the_stated_distribution():
    device = Device(sigma_lrs=0.1, sigma_hrs=0.4, stuck_off=0, stuck_on=0)
    rng = np.random.default_rng(0)
    for on, sigma, g in ((True, 0.1, device.g_on), (False, 0.4, device.g_off)):
        cells = program(device, np.full(40_000, on), rng)
        assert cells.mean() == pytest.approx(g, rel=0.01)
        logs = (np.log(cells / g) + sigma**2 / 2) / sigma
        assert scipy.stats.kstest(logs, "norm").pvalue > 1e-3


def test_verified_cells_stay_within_the_limit():
    device = Device(sigma_lrs=0.3, sigma_hrs=0.3, write_verify=0.15, stuck_off=0, stuck_on=0)
    cells = program(device, np.ones(20_000, bool), np.random.default_rng(1))
    z = (np.log(cells / device.g_on) + 0.3**2 / 2) / 0.3
    assert np.abs(z).max() <= 0.5 + 1e-4
    assert scipy.stats.kstest(z, scipy.stats.truncnorm(-0.5, 0.5).cdf).pvalue > 1e-3


def test_stuck_cells_ignore_what_is_written():
    device = Device(sigma_lrs=0, sigma_hrs=0, stuck_off=0.1, stuck_on=0.05)
    rng = np.random.default_rng(2)
    for on in (True, False):
        cells = program(device, np.full(50_000, on), rng)
        expected = 0.9 if on else 0.05
        assert (cells > device.g_off * 2).mean() == pytest.approx(expected, abs=0.006)
    assert program(Device(sigma_lrs=2.0, lowest_ohm=40e3), np.ones(999, bool), rng).max() <= np.float32(1 / 40e3)


def test_quantiles_of_the_normal_distribution():
    u = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 2001), [1e-300, 1e-20, 1e-10, 0.075, 0.925, 1 - 1e-12]])
    got = np.array([kernels.normal(each) for each in u])
    np.testing.assert_allclose(got, scipy.stats.norm.ppf(u), rtol=1e-12, atol=1e-14)


def test_noise_is_normal_and_its_numbers_are_independent():
    draws = np.array([[kernels.noise(np.uint64(s), np.uint64(i)) for i in range(3000)] for s in range(5)])
    assert scipy.stats.kstest(draws.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(draws)[~np.eye(5, dtype=bool)]).max() < 0.08
    neighbours = np.corrcoef(draws[:, :-1].ravel(), draws[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.04


def test_aggregated_read_noise_is_distributed_as_that_of_each_cell():
    rng = np.random.default_rng(4)
    cells = program(Device(), rng.random((2, 30, 1)) < 0.5, rng)
    bits = rng.integers(0, 2, 30).astype(np.uint8)
    column = np.where(bits, cells[0, :, 0], cells[1, :, 0]).astype(np.float64)
    noise = 0.05
    singly = (column * (1 + noise * rng.standard_normal((6000, 30)))).sum(axis=1)
    sigma = noise * np.sqrt((column**2).sum())
    together = column.sum() + sigma * np.array([kernels.noise(np.uint64(9), np.uint64(i)) for i in range(6000)])
    assert scipy.stats.ks_2samp(singly, together).pvalue > 1e-3


@pytest.mark.parametrize("distance", [-2.0, -0.5, 0.0, 0.8, 3.0])
def test_decisions_with_noise_have_the_probability_of_the_margin(distance):
    starts = np.array([0, 12])
    rng = np.random.default_rng(5)
    cells = rng.random((2, 12, 1)).astype(np.float32)
    bits = np.repeat(rng.integers(0, 2, (1, 12)).astype(np.uint8), 20_000, axis=0)
    conducting = np.where(bits[0], cells[0, :, 0], cells[1, :, 0]).astype(np.float64)
    squares = Packed.of(*contributions((0.1 * cells) ** 2, "xnor"), starts)
    extra = 0.01
    sigma = np.sqrt(((0.1 * conducting) ** 2).sum() + extra)
    packed = Packed.of(*contributions(cells, "xnor"), starts)
    reference = np.full((1, 1, LANES), np.inf, np.float32)
    reference[0, 0, 0] = conducting.sum() - distance * sigma
    votes = np.zeros((1, len(bits), LANES), np.uint16)
    for seed in range(8):
        kernels.sense_noisy(
            patterns(bits, starts), packed.base, packed.change, squares.base, squares.change, starts, reference,
            np.float32(extra), np.zeros((1, 1, LANES), np.uint8), 1, np.uint64(seed), votes,
        )  # fmt: skip
    assert votes[0, :, 0].mean() / 8 == pytest.approx(scipy.stats.norm.cdf(distance), abs=0.006)


@pytest.mark.parametrize("window", [1, 3])
def test_known_currents_are_decided_as_summed_ones(window):
    rng = np.random.default_rng(6)
    starts = np.array([0, 20, 33])
    cells = rng.random((2, 33, 70)).astype(np.float32)
    bits = rng.integers(0, 2, (12, 33)).astype(np.uint8)
    packed = Packed.of(*contributions(cells, "xnor"), starts)
    tiles = packed.sums(patterns(bits, starts))
    currents = untiled(tiles, 70)
    references = np.quantile(currents, 0.5, axis=1).astype(np.float32)
    invert = rng.integers(0, 2, references.shape).astype(np.uint8)
    common = tiled(references, np.inf), tiled(invert), window
    first, second = np.zeros((2, 2, 12 // window, LANES), np.uint16)
    kernels.sense(patterns(bits, starts), packed.base, packed.change, starts, *common, first)
    kernels.decide(tiles, *common, second)
    np.testing.assert_array_equal(first, second)
    pooled = (currents > references[:, None]).reshape(2, -1, window, 70).any(axis=2)
    np.testing.assert_array_equal(untiled(first, 70), (pooled != invert[:, None].astype(bool)).sum(axis=0))


@pytest.mark.parametrize(
    ("ron", "ohm", "residual"), [(1e5, 1.0, 0.026), (3e4, 1.0, 0.085), (1e4, 1.0, 0.22), (1e4, 2.5, 0.34)]
)
@pytest.mark.parametrize("mapping", ["xnor", "differential"])
def test_the_approximation_states_what_it_gets_wrong(mapping, ron, ohm, residual):
    rng = np.random.default_rng(7)
    device = Device(ron_ohm=ron, roff_ohm=20 * ron, stuck_on=0, stuck_off=0)
    rows = 64 if mapping == "xnor" else 128
    columns = Columns(
        program(device, rng.random((2, rows, 24)) < 0.5, rng), np.array([0, rows]), mapping, Wires(bit_line_ohm=ohm)
    )
    stated = Approximation.of(columns, device.window, rng)
    bits = rng.integers(0, 2, (300, rows)).astype(np.uint8)
    wrong = untiled(stated.packed.sums(patterns(bits, columns.starts)) - columns.exact(bits), 24)
    assert wrong.std() / device.window == pytest.approx(stated.residual_lsb, rel=0.2)
    assert stated.residual_lsb < 2 * residual


def test_what_has_no_approximation():
    cells = np.full((2, 8, 1), 1e-5, np.float32)
    columns = Columns(cells, np.array([0, 8]), "xnor", Wires(source_line_ohm=1, source_feed="far"))
    with pytest.raises(DesignError, match="use ir_drop='exact'"):
        Approximation.of(columns, 1e-5, np.random.default_rng(0))


@pytest.mark.parametrize("mapping", ["xnor", "differential"])
def test_replicas_follow_the_loss_of_half_matched_columns(mapping):
    rng = np.random.default_rng(8)
    starts = np.array([0, 64])
    wires = Wires(bit_line_ohm=5.0)
    ideal = replica_factor(IDEAL_DEVICE, mapping, Wires(bit_line_ohm=0.0), starts, rng)
    assert ideal == pytest.approx(1.0, rel=0.05 if mapping == "differential" else 1e-6)
    factor = replica_factor(IDEAL_DEVICE, mapping, wires, starts, rng)
    columns = Columns(program(IDEAL_DEVICE, rng.random((2, 64, 40)) < 0.5, rng), starts, mapping, wires)
    columns.cells[1] = IDEAL_DEVICE.g_on - columns.cells[0] if mapping == "xnor" else 0
    bits = rng.integers(0, 2, (100, 64)).astype(np.uint8)
    loss = untiled(columns.exact(bits), 40).mean() / (32 if mapping == "xnor" else 16) / IDEAL_DEVICE.g_on
    assert factor[0] == pytest.approx(loss, rel=0.06)


def test_nominal_references_lie_between_two_counts():
    device = Device(ron_ohm=1e4, roff_ohm=1e5)
    reference = nominal(device, "xnor", np.array([10]), np.array([[4]]))[0, 0]
    assert 3 * device.g_on + 7 * device.g_off < reference < 4 * device.g_on + 6 * device.g_off
    reference = nominal(device, "differential", np.array([10]), np.array([[-2]]))[0, 0]
    assert -3 * device.window < reference < -2 * device.window


def test_columns_that_take_turns_share_an_amplifier():
    drawn = offsets(2.0, groups=3, outputs=11, cols=5, columns_per_sense=2, rng=np.random.default_rng(0))
    shared = [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6]
    for a, b in np.ndindex(11, 11):
        assert (drawn[:, a] == drawn[:, b]).all() == (shared[a] == shared[b])
