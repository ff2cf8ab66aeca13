"""Networks on simulated chips: the digital limit, references, faults, yield, energy of real inputs."""

import dataclasses

import numpy as np
import pytest

import hwsim
from hwsim import Adc, Array, Design, Device, Override, Rram, SenseAmplifier, Wires, digits
from hwsim.crossbar.chips import Chip
from hwsim.crossbar.energy import array_energy_pj
from hwsim.crossbar.parameters import IDEAL_DEVICE, IDEAL_SENSE, IDEAL_WIRES
from hwsim.crossbar.wiring import column_currents, patterns, untiled
from hwsim.errors import DesignError, FormatError, NetworkError
from hwsim.inference import trace
from tests.split_networks import conv_network, linear_network

IDEAL = {"device": IDEAL_DEVICE, "wires": IDEAL_WIRES, "sense": IDEAL_SENSE}
GRID = Array(rows=1024, cols=1024, dataflow="weight_stationary")


def on_crossbars(layer="hidden", **fields):
    rram = Rram(**{"rows": 16, "cols": 8, **fields})
    return Design(overrides=(Override(layers=layer, datapath=rram, array=GRID),))


def chip(network, design, seed=0, **options):
    return Chip(network, design, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("reference", ["fixed", "replica", "trimmed"])
@pytest.mark.parametrize("mapping", ["xnor", "differential"])
@pytest.mark.parametrize("columns_per_sense", [1, 3])
def test_ideal_chips_are_exact(reference, mapping, columns_per_sense):
    rng = np.random.default_rng(0)
    design = on_crossbars(mapping=mapping, reference=reference, columns_per_sense=columns_per_sense, **IDEAL)
    for network in (linear_network(rng), linear_network(rng, splits=4), conv_network(rng), conv_network(rng, splits=4)):
        x = rng.integers(-9, 10, (12, *network.input.shape))
        np.testing.assert_array_equal(chip(network, design).run(x), hwsim.run(network, None, x))


@pytest.mark.parametrize("ir_drop", ["exact", "approximate"])
@pytest.mark.parametrize("device", [Device(), Device(read_noise=0.0)], ids=["noise", "quiet"])
@pytest.mark.parametrize("wires", [Wires(bit_line_ohm=1e-3), IDEAL_WIRES], ids=["wires", "ideal"])
def test_all_ways_to_compute_nearly_ideal_chips_agree(ir_drop, device, wires):
    network = linear_network(np.random.default_rng(1))
    almost = dataclasses.replace(
        device, sigma_lrs=0.001, sigma_hrs=0.001, stuck_on=0.0, stuck_off=0.0, read_noise=device.read_noise / 100
    )
    design = on_crossbars(device=almost, wires=wires, sense=SenseAmplifier(offset_lsb=0.01))
    x = np.random.default_rng(2).integers(-9, 10, (30, 7))
    np.testing.assert_array_equal(chip(network, design, ir_drop=ir_drop).run(x), hwsim.run(network, None, x))


def test_a_chip_is_its_seed():
    network = linear_network(np.random.default_rng(1))
    design = on_crossbars(device=Device(stuck_on=0.2))
    x = np.random.default_rng(2).integers(-9, 10, (40, 7))
    first, again, other = (chip(network, design, seed).run(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def hidden_flips(design, network, x):
    """Share of a split layer's group decisions that a chip gets wrong."""
    made = chip(network, design)
    values = {}
    for node, value in trace(network, None, x):
        values[node.name] = value
    layer = made.layers["hidden"]
    got = layer.run(values["first"], network.shapes["hidden"])
    return (got != values["hidden"]).mean()


def test_trimming_repairs_what_wires_break():
    """64 inputs on 128 physical rows, 10 kohm, 2.5 ohm per cell: a fixed reference flips 28 to 50 % of random data."""
    network = linear_network(np.random.default_rng(3), inputs=64, hidden=40, splits=1)
    quiet = Device(ron_ohm=1e4, roff_ohm=2e5, sigma_lrs=0, sigma_hrs=0, read_noise=0, stuck_on=0, stuck_off=0)
    x = np.random.default_rng(4).integers(-9, 10, (200, 7))
    flips = {
        reference: hidden_flips(
            on_crossbars(rows=64, device=quiet, wires=Wires(bit_line_ohm=2.5), sense=IDEAL_SENSE, reference=reference),
            network,
            x,
        )
        for reference in ("fixed", "replica", "trimmed")
    }
    assert flips["fixed"] > 0.25
    assert flips["trimmed"] < flips["replica"] < flips["fixed"] / 2
    assert flips["trimmed"] < 0.05


def test_trimming_takes_up_offsets():
    network = linear_network(np.random.default_rng(3), inputs=32, hidden=40, splits=2)
    x = np.random.default_rng(4).integers(-9, 10, (100, 7))
    common = {**IDEAL, "sense": SenseAmplifier(offset_lsb=3.0)}
    assert hidden_flips(on_crossbars(reference="fixed", **common), network, x) > 0.1
    assert hidden_flips(on_crossbars(reference="trimmed", **common), network, x) == 0


def test_yield_of_a_shipped_network():
    network = digits.load("mlp_split128")
    images, labels = (part[:100] for part in digits.held_out(network))

    def accuracy(n=3, **fields):
        design = on_crossbars("second", **{"rows": 128, "cols": 128, **fields})
        return hwsim.chips(network, design, images, labels, n=n, seed=5)

    good = accuracy()
    assert good.accuracy.shape == (3,)
    assert good.digital == pytest.approx((hwsim.run(network, None, images).argmax(axis=1) == labels).mean())
    assert good.accuracy.min() > good.digital - 0.05
    assert good.share_within(5.0) == 1.0
    broken = accuracy(device=Device(stuck_off=0.3, stuck_on=0.3))
    assert broken.accuracy.max() < good.accuracy.min()
    np.testing.assert_array_equal(accuracy(n=2).accuracy, good.accuracy[:2])


def test_workers_do_not_change_chips():
    network = linear_network(np.random.default_rng(6))
    images = np.random.default_rng(7).integers(-9, 10, (50, 7))
    labels = hwsim.run(network, None, images).argmax(axis=1)
    design = on_crossbars(device=Device(stuck_off=0.05))
    one, three = (hwsim.chips(network, design, images, labels, n=9, workers=w).accuracy for w in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert len(set(one)) > 1


def test_what_cannot_be_simulated():
    network = linear_network(np.random.default_rng(8))
    x, labels = np.zeros((2, 7)), np.zeros(2, int)
    with pytest.raises(DesignError, match="no layer of the design runs on rram"):
        hwsim.chips(network, Design(), x, labels)
    with pytest.raises(DesignError, match="layer 'hidden': crossbars with converters compute no values"):
        hwsim.chips(network, on_crossbars(adc=Adc()), x, labels)
    with pytest.raises(DesignError, match="n = 0 is not positive"):
        hwsim.chips(network, on_crossbars(), x, labels, n=0)
    with pytest.raises(NetworkError, match="images and labels belong together"):
        hwsim.chips(network, on_crossbars(), x)
    with pytest.raises(FormatError, match="layer 'first': its inputs are not all -1 and 1"):
        hwsim.chips(network, on_crossbars("first"), x, labels)
    with pytest.raises(FormatError, match="layer 'head': rram senses one bit per column"):
        hwsim.chips(network, on_crossbars("head"), x, labels)
    with pytest.raises(FormatError, match="layer 'hidden': rram: a group of 8 inputs does not fit 4 rows"):
        hwsim.chips(network, on_crossbars(rows=4), x, labels)


@pytest.mark.parametrize("mapping", ["xnor", "differential"])
def test_energy_of_real_inputs(mapping):
    network = linear_network(np.random.default_rng(9), inputs=24, hidden=5, splits=3)
    design = on_crossbars(mapping=mapping, device=Device(ron_ohm=1e4, roff_ohm=1e5), read_v=0.3, read_ns=5.0)
    x = np.random.default_rng(1).integers(-9, 10, (4, 7))
    values = {node.name: value for node, value in trace(network, None, x)}
    operator = network.node("hidden").operator
    total = 0.0
    for a, w in operator.operands(values["first"]):
        for m, n, k in np.ndindex(len(a), w.n, w.k):
            match = a[m, k] == w.integers[n, k]
            if mapping == "xnor":
                total += 1e-4 if match else 1e-5
            elif a[m, k] > 0:
                total += 1e-4 + 1e-5
    joule = total * 0.3**2 * 5e-9
    assert array_energy_pj(network, design, x)["hidden"] == pytest.approx(joule * 1e12)


def test_read_noise_through_wires_is_that_of_each_cell():
    """Sampled cell by cell on exact wires; chips take the sensitivity under mean activity."""
    rng = np.random.default_rng(10)
    network = linear_network(rng, inputs=32, hidden=3, splits=1)
    noise = 0.1
    device = Device(ron_ohm=1e4, roff_ohm=2e5, read_noise=noise, stuck_on=0.0, stuck_off=0.0)
    wires = Wires(bit_line_ohm=2.0)
    layer = chip(network, on_crossbars(rows=32, device=device, wires=wires)).layers["hidden"]
    (column,) = layer._columns._lines[0]
    cells = untiled(column, 3).astype(np.float64)
    bits = rng.integers(0, 2, 32).astype(np.uint8)
    gates = np.stack([bits, 1 - bits], 1).reshape(1, -1)
    noisy = cells[:, :, None] * (1 + noise * rng.standard_normal((64, 3, 1000)))
    sampled = column_currents(gates, noisy.reshape(64, -1), wires).reshape(3, 1000).std(axis=1)
    stated = np.sqrt(untiled(layer._squares.sums(patterns(bits[None], layer._starts)), 3)[0, 0])
    np.testing.assert_allclose(stated, sampled, rtol=0.1)
