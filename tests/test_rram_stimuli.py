"""Stimuli of the crossbar array: answers from the packed beats by docs/hardware.md, and the networks' values."""

import numpy as np
import pytest

from hwsim import Array, Rram
from hwsim.inference import trace
from rtl import beats, rram_stimuli
from rtl.array import stream_layouts
from sims import crossbars
from sims.catalogue import catalogue
from tests.split_networks import conv_network, linear_network

DRAWN = [each for each in catalogue() if isinstance(each.datapath, Rram) and each.engine == "amaranth"]


def current(datapath, bits, rows):
    """In currents of one cell: cells of a pair that conduct, stuck ones whatever the weight."""
    total = 0
    for row, cell in rows.items():
        on = [bool(cell["weight"]), not cell["weight"]]
        on = [(each or cell["stuck_on"] >> i & 1) and not cell["stuck_off"] >> i & 1 for i, each in enumerate(on)]
        if datapath.mapping == "xnor":
            total += bool(on[0] if bits >> row & 1 else on[1])
        elif bits >> row & 1:
            total += bool(on[0]) - bool(on[1])
    return total


@pytest.mark.parametrize("kind", crossbars.KINDS)
@pytest.mark.parametrize("configuration", DRAWN[::2], ids=lambda each: each.name)
def test_golden_rows_follow_from_the_input_beats(configuration, kind):
    datapath, array = configuration.datapath, configuration.array
    answer = crossbars.job(kind, datapath, array, seed=4).stimuli
    layouts = stream_layouts(datapath, array)
    streams = {
        name: [layouts[name].from_bits(bits) for bits in beats.to_ints(packed)]
        for name, packed in answer.streams.items()
    }
    groups = {beat["group"]: beat for beat in streams["i_references"]}
    cells = {group: {} for group in groups}
    for beat in streams["i_cells"]:
        cells[beat["group"]][beat["row"]] = beat["cells"]
    pooled, got = None, []
    for vector in streams["i_vectors"]:
        ones = np.zeros((len(groups), array.cols), bool)
        for group, column in np.ndindex(ones.shape):
            bits = vector["bits"] >> group * datapath.rows & (1 << datapath.rows) - 1
            rows = {row: each[column] for row, each in cells[group].items()}
            reference = groups[group]["columns"][column]
            fires = (current(datapath, bits, rows) >= reference["threshold"]) != bool(reference["invert"])
            if pooled is not None:
                fires = fires and pooled[group, column] if reference["invert"] else fires or pooled[group, column]
            ones[group, column] = fires
        pooled = ones
        if vector["last_in_window"]:
            got.append((2 * ones.sum(axis=0) >= groups[0]["groups"]).tolist())
            pooled = None
    expected = streams["o_results"]
    assert got == [[bool(value) for value in beat["values"]] for beat in expected]
    assert [beat["last"] for beat in expected] == [0] * (len(expected) - 1) + [1]


@pytest.mark.parametrize("mapping", ["xnor", "differential"])
def test_ideal_cells_give_the_networks_values(mapping):
    rng = np.random.default_rng(0)
    for network in (linear_network(rng, splits=3), conv_network(rng, splits=4, pool=(2, 1))):
        x = rng.integers(-9, 10, (6, *network.input.shape))
        values = {node.name: value for node, value in trace(network, None, x)}
        operator = network.node("hidden").operator
        layer = rram_stimuli.CrossbarLayer.of(operator, values["first"], slice(0, operator.outputs))
        merged = rram_stimuli.results(Rram(rows=16, mapping=mapping), layer)
        got = operator.arrange(merged, len(x), network.shapes["hidden"])
        np.testing.assert_array_equal(got, values["hidden"])


def test_a_vector_takes_its_drive_and_every_turn():
    datapath = Rram(rows=4, cols=3, columns_per_sense=2, drive_cycles=2, read_cycles=3, sense_cycles=2)
    array = Array(rows=20, cols=3, dataflow="weight_stationary")
    job = crossbars.job("full", datapath, array, seed=0)
    vectors = len(job.stimuli.streams["i_vectors"])
    period = 2 + 2 * (3 + 2)
    levels = 3  # of five groups
    programmed = max(20, 5)
    assert job.stimuli.cycles == programmed + 1 + vectors * period + levels + 1 + 1
