"""The crossbar datapath in its digital limit: split networks, thresholds, costs, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import Array, Design, Override, Rram, labels
from hwsim.crossbar.energy import read_energy_pj
from hwsim.crossbar.parameters import Adc, Device
from hwsim.datapaths.rram import cells
from hwsim.errors import DesignError, FormatError, NetworkError
from hwsim.operators import SplitConv, SplitLinear
from hwsim.operators.split import majority
from hwsim.requantization import Quantizer
from hwsim.splitting import splits
from tests.naive_network import naive_outputs
from tests.split_networks import conv_network, linear_network, signs, thresholds


def grid(rows, cols):
    """Crossbars side by side."""
    return Array(rows=rows, cols=cols, dataflow="weight_stationary")


def on_crossbars(**fields):
    """Crossbars for the layer called "hidden", integer multipliers for the others."""
    rram = Rram(**{"rows": 16, "cols": 8, **fields})
    return Design(overrides=(Override(layers="hidden", datapath=rram, array=grid(rows=64, cols=16)),))


@pytest.mark.parametrize("seed", range(6))
def test_split_networks_run_alike_everywhere(seed):
    rng = np.random.default_rng(seed)
    for network in (
        linear_network(rng, splits=int(rng.choice([2, 3, 4]))),
        conv_network(rng, splits=int(rng.choice([3, 4, 6])), pool=((1, 1), (2, 2), (2, 1))[seed % 3]),
        conv_network(rng, padding=(0, 0)),
    ):
        x = rng.integers(-9, 10, (5, *network.input.shape))
        expected = naive_outputs(network, x)
        for design in (None, Design(), on_crossbars()):
            np.testing.assert_array_equal(hwsim.run(network, design, x), expected)


@given(st.lists(st.sampled_from([-1, 1]), min_size=1, max_size=64))
def test_the_majority_gives_ties_to_plus_one(bits):
    assert majority(np.array([bits]), axis=1)[0] == (1 if 2 * bits.count(1) >= len(bits) else -1)


@settings(max_examples=60)
@given(data=st.data(), inverted=st.booleans(), tie=st.booleans())
def test_pooling_bits_is_pooling_sums_before_the_threshold(data, inverted, tie):
    sums = np.array(data.draw(st.lists(st.integers(-6, 6), min_size=4, max_size=4)))
    bias = -int(sums.max()) if tie else data.draw(st.integers(-7, 7))
    quantizer = Quantizer.sign(np.array([bias]), np.array([inverted]))
    operator = SplitConv(
        weight=signs(np.random.default_rng(0), 1, 1), quantizer=quantizer, splits=1, kernel=(1, 1), stride=(1, 1),
        padding=(0, 0), dilation=(1, 1), pool=(2, 2),
    )  # fmt: skip
    bits = np.where((sums + bias >= 0) != inverted, 1, -1)[:, None]
    assert operator.merge(bits)[0, 0] == (1 if (sums.max() + bias >= 0) != inverted else -1)


def test_files_hold_split_layers(tmp_path):
    for network in (linear_network(np.random.default_rng(1)), conv_network(np.random.default_rng(2))):
        network.save(tmp_path / "net.safetensors")
        again = hwsim.Network.load(tmp_path / "net.safetensors")
        assert again.hash == network.hash
        x = np.random.default_rng(3).integers(-9, 10, (4, *network.input.shape))
        np.testing.assert_array_equal(hwsim.run(again, None, x), hwsim.run(network, None, x))


def test_cycles_and_events_of_a_layer():
    network = linear_network(np.random.default_rng(0), inputs=48, hidden=12, splits=4)
    rram = Rram(rows=16, cols=5, columns_per_sense=3, drive_cycles=2, read_cycles=5, sense_cycles=1)
    design = Design(overrides=(Override(layers="hidden", datapath=rram, array=grid(rows=64, cols=16)),))
    layer = next(each for each in hwsim.simulate(network, design, batch=7).layers if each.name == "hidden")
    period = 2 + 3 * (5 + 1)
    assert layer.compute_cycles == 7 * period + 2 + 3  # log2(4) levels, the comparison, in and out
    counts = {(event.component, event.action): event.count for event in layer.events}
    assert counts["rram.crossbar", "read"] == 7 * 48 * 12
    assert counts["rram.crossbar", "charge"] == counts["rram.readout", "sense"] == 7 * 4 * 12
    assert counts["rram.driver", "drive"] == 7 * 48 * 3
    assert counts["rram.merge", "add"] == 7 * 4 * 12
    assert layer.macs == 7 * 48 * 12
    assert counts["weight_buffer", "read"] == 0
    assert layer.verified == "rtl"


@pytest.mark.parametrize("mapping", ["xnor", "differential"])
def test_energy_of_a_read_is_that_of_the_cells_that_conduct(mapping):
    """Counted pairs at their conductances against every cell of every read, one by one."""
    rng = np.random.default_rng(1)
    rram = Rram(rows=32, cols=8, mapping=mapping, device=Device(ron_ohm=1e4, roff_ohm=1e6))
    w = hwsim.lower(hwsim.quantize(np.sign(rng.normal(size=(8, 20))).astype(np.float32), "binary"))
    x = np.where(rng.random((5, 20)) < 0.3, 1, -1)
    (parameters,) = (part.parameters for part in rram.components(grid(rows=32, cols=8)) if part.name == "rram.crossbar")
    share = rram.toggles(x, w, grid(rows=32, cols=8))["conducting"] / (5 * 8 * 20)
    each = parameters["still_pj"] + share * parameters["conducting_pj"]
    assert each * x.size * w.n == pytest.approx(read_energy_pj(rram, x, cells(w)).sum())


def test_simulate_takes_the_cells_that_conduct_from_the_layers_sample():
    network = linear_network(np.random.default_rng(0))
    rram = Rram(rows=16, cols=8, read_v=0.2, read_ns=10.0, device=Device(ron_ohm=1e4, roff_ohm=1e6))
    design = Design(overrides=(Override(layers="hidden", datapath=rram, array=grid(rows=64, cols=16)),))
    result = hwsim.simulate(network, design)
    layer = next(each for each in result.layers if each.name == "hidden")
    read = next(event for event in layer.events if (event.component, event.action) == ("rram.crossbar", "read"))
    assert 0.3 < read.features["conducting"] < 0.7  # nobody calibrated: -1 and 1 alike
    matches = read.features["conducting"]
    assert read.per_action_pj == pytest.approx(0.04 * 10e-9 * (matches * 1e-4 + (1 - matches) * 1e-6) * 1e12)
    assert "no calibration" in layer.assumed


@pytest.mark.parametrize("reference", ["neurosim", "murmann", "isaac"])
@pytest.mark.parametrize("bits", [4, 8])
def test_converters_have_costs_and_no_values(reference, bits):
    network = linear_network(np.random.default_rng(0))
    design = on_crossbars(adc=Adc(bits=bits, reference=reference))
    layer = next(each for each in hwsim.simulate(network, design).layers if each.name == "hidden")
    plain = next(each for each in hwsim.simulate(network, on_crossbars()).layers if each.name == "hidden")
    assert layer.verified == "model only"
    assert layer.energy_pj() > plain.energy_pj()
    with pytest.raises(DesignError, match="computes no values"):
        hwsim.run(network, design, np.zeros((1, 7)))


def test_converters_stand_side_by_side_in_a_sweep():
    network = linear_network(np.random.default_rng(0))
    adcs = [None, *(Adc(bits=8, reference=reference) for reference in ("neurosim", "murmann", "isaac"))]
    space = {"datapath.name": ["mac", "bit_serial"], "overrides": [on_crossbars(adc=adc).overrides for adc in adcs]}
    frame = hwsim.sweep(network, space, base=Design(technology="nangate45"))
    assert not any(frame["error"])
    assert len(set(frame["label"])) == len(frame) == 8
    assert frame["label"].str.contains(r"; hidden: rram rows 16 cols 8 adc \(reference murmann\) 64x16").sum() == 2
    for own in ("mac", "bit_serial"):
        energies = frame[frame["datapath.name"] == own]["energy_pj"]
        assert energies.is_monotonic_increasing
        assert energies.is_unique
    result = hwsim.simulate(network, on_crossbars(adc=adcs[1]))
    assert all(event.row.source and event.row.status for event in result.layers[1].events if event.row)
    parts = {part.name: part for part in result.parts}
    assert {"rram.crossbar", "rram.driver", "rram.readout", "rram.merge", "mac.pe"} <= set(parts)
    assert all(part.area_um2 > 0 and part.row.source and part.row.status for part in parts.values())


def test_every_layer_has_crossbars_of_its_own():
    network = linear_network(np.random.default_rng(0))
    parts = hwsim.simulate(network, on_crossbars()).parts
    crossbars = [part for part in parts if part.name == "rram.crossbar"]
    assert [part.count for part in crossbars] == [4 * 2]


def test_designs_round_trip():
    design = on_crossbars(mapping="differential", adc=Adc(bits=5, reference="murmann"), device=Device(write_verify=0.2))
    assert Design.from_plain(design.to_plain()) == design
    assert Design.from_plain(design.to_plain()).hash == design.hash


@pytest.mark.parametrize(
    ("inputs", "rows", "groups"),
    [(1152, 512, 3), (2304, 512, 6), (4608, 512, 9), (8192, 512, 16), (1024, 512, 2), (1152, 128, 9), (2304, 256, 9),
     (1024, 128, 8), (1024, 64, 16), (100, 128, 1)],
)  # fmt: skip
def test_layers_split_as_published(inputs, rows, groups):
    assert splits(inputs, rows) == groups


def test_uneven_splits_say_which_sizes_work():
    with pytest.raises(FormatError, match="sizes that work: 1018, 509, 2, 1"):
        splits(1018, 128)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ron_ohm": 1e6, "roff_ohm": 1e6}, r"ron_ohm = 1e\+06 must be below roff_ohm"),
        ({"stuck_on": 1.5}, "stuck_on = 1.5: accepted are 0.0 to 1.0"),
        ({"read_noise": -0.1}, "read_noise = -0.1"),
        ({"stuck_on": 0.6, "stuck_off": 0.6}, "whose sum is at most 1"),
        ({"lowest_ohm": 1e5}, "must enclose"),
    ],
)
def test_bad_devices(fields, message):
    with pytest.raises(DesignError, match=message):
        Device(**fields)


def test_what_a_crossbar_cannot_take():
    rng = np.random.default_rng(0)
    rram = Rram(rows=16)
    with pytest.raises(FormatError, match=r"24 inputs does not fit 16 rows; use rows=24, or split .* 12, 8,"):
        rram.supports(signs(rng, 3, 24))
    with pytest.raises(FormatError, match="word lines carry activations of -1 and 1, one is 0"):
        rram.matmul(np.zeros((1, 8), int), signs(rng, 3, 8))
    with pytest.raises(FormatError, match="'bitnet158': cells hold weights of -1 and 1"):
        rram.supports(hwsim.lower(hwsim.quantize(rng.standard_normal((4, 8)), "bitnet158")))
    with pytest.raises(FormatError, match="'int8'"):
        rram.supports(hwsim.lower(hwsim.quantize(rng.standard_normal((4, 8)), "int8")))
    network = linear_network(rng)
    everywhere = Design(datapath=rram, array=grid(rows=64, cols=32))
    with pytest.raises(FormatError, match="layer 'first': rram: word lines carry activations"):
        hwsim.run(network, everywhere, np.full((1, 7), 3))
    with pytest.raises(FormatError, match="layer 'first': rram takes activations of -1 and 1"):
        hwsim.simulate(network, everywhere)
    small = Design(overrides=(Override(layers="hidden", datapath=rram, array=grid(rows=32, cols=16)),))
    with pytest.raises(FormatError, match="need an array of rows=48"):
        hwsim.simulate(network, small)
    with pytest.raises(DesignError, match="more than read_cycles=1 at 500 MHz; use read_cycles=5"):
        hwsim.simulate(network, on_crossbars(read_cycles=1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"splits": 5}, "do not divide into 5 splits"),
        ({"quantizer": Quantizer.identity(36)}, "are thresholds of results -1 and 1"),
    ],
)
def test_inconsistent_split_layers(fields, message):
    rng = np.random.default_rng(0)
    good = {"weight": signs(rng, 36, 8), "quantizer": thresholds(rng, 36, 8), "splits": 3}
    with pytest.raises(NetworkError, match=message):
        SplitLinear(**{**good, **fields})


def test_labels_leave_out_what_crossbars_do_not_have():
    design = Design(overrides=(Override(layers="hidden", datapath=Rram(rows=64), array=grid(rows=64, cols=16)),))
    assert "weight-stationary" not in labels.label(design)
    assert "64x16" in labels.label(design)
