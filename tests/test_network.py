"""What a network checks as a whole."""

import dataclasses

import numpy as np
import pytest

import hwsim
from hwsim.errors import DesignError, FormatError, NetworkError
from hwsim.operators import Add, Conv, Input, Linear, Relu
from hwsim.requantization import Quantizer


def linear(n, k, format="int8", bias=0):
    w = hwsim.lower(hwsim.quantize(np.random.default_rng(n).normal(size=(n, k)), format))
    return Linear(weight=w, quantizer=Quantizer.dyadic(np.full(n, 0.01), np.full(n, bias), -127, 127))


def node(name, operator, *inputs):
    return hwsim.Node(name=name, operator=operator, inputs=inputs)


INPUT = node("input", Input(shape=(6,), scale=0.5, low=-127, high=127))
ADD = Add(multipliers=(2, 2), shifts=(1, 1), low=-254, high=254)


def network(*nodes, scale=0.25):
    return hwsim.Network(name="net", nodes=nodes, output_scale=scale)


GOOD = (INPUT, node("fc", linear(6, 6), "input"), node("relu", Relu(), "fc"), node("add", ADD, "relu", "input"))


def test_outputs_are_real_numbers():
    net = network(*GOOD)
    y = hwsim.run(net, hwsim.Design(), np.ones((2, 6)))
    assert y.dtype == np.float64
    assert y.shape == (2, 6)
    np.testing.assert_array_equal(y / 0.25, np.rint(y / 0.25))


def test_lookup_and_bits():
    net = network(*GOOD)
    assert net.node("fc").inputs == ("input",)
    assert [n.name for n in net.matmuls()] == ["fc"]
    assert net.activation_bits(net.node("fc")) == 8
    assert net.shapes["add"] == (6,)
    assert net.ranges["relu"] == (0, 127)
    with pytest.raises(NetworkError, match="no layer 'relo'; did you mean 'relu'"):
        net.node("relo")


GRAPHS = {
    "the first node must be the input": (node("relu", Relu(), "relu"),),
    "two nodes are called 'relu'": (INPUT, node("relu", Relu(), "input"), node("relu", Relu(), "input")),
    "'b' is a second input": (INPUT, dataclasses.replace(INPUT, name="b")),
    "'add' reads 1 nodes": (INPUT, node("add", ADD, "input")),
    "'relu' reads 2 nodes": (INPUT, node("relu", Relu(), "input", "input")),
    "'a' reads 'b', which is not an earlier node": (INPUT, node("a", Relu(), "b"), node("b", Relu(), "a")),
    "'self' reads 'self'": (INPUT, node("self", Relu(), "self")),
    "'fc' is read by no other and is not the output": (
        INPUT, node("fc", linear(6, 6), "input"), node("r", Relu(), "input")),
    "node 'fc': input of shape": (INPUT, node("fc", linear(3, 7), "input")),
    "node 'add': add of shapes": (INPUT, node("fc", linear(5, 6), "input"), node("add", ADD, "fc", "input")),
    "beyond 32 bits": (INPUT, node("fc", linear(6, 6, bias=(1 << 31) - 100), "input")),
}  # fmt: skip


@pytest.mark.parametrize("message", GRAPHS)
def test_graphs_that_are_refused(message):
    with pytest.raises(NetworkError, match=message):
        network(*GRAPHS[message])


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_output_scales_that_are_refused(scale):
    with pytest.raises(NetworkError, match="output scale"):
        network(*GOOD, scale=scale)


def test_padding_must_fit_the_activations():
    w = hwsim.lower(hwsim.quantize(np.ones((2, 6, 1)), "int4"))
    conv = Conv(weight=w, quantizer=Quantizer.identity(2), stride=(1,), padding=(1,), dilation=(1,), pad_value=128)
    image = node("input", Input(shape=(6, 4), scale=0.5, low=-127, high=127))
    with pytest.raises(NetworkError, match="node 'c': it pads with 128, activations have 8 bits"):
        network(image, node("c", conv, "input"))


def test_inputs_that_are_refused():
    net = network(*GOOD)
    with pytest.raises(NetworkError, match=r"input of shape \(2, 5\), expected \[batch, 6\]"):
        hwsim.run(net, hwsim.Design(), np.ones((2, 5)))
    with pytest.raises(NetworkError, match="NaN or infinity"):
        hwsim.run(net, hwsim.Design(), np.full((2, 6), np.nan))


def test_datapaths_that_cannot_take_a_layer_name_it():
    net = network(*GOOD)
    with pytest.raises(FormatError, match="layer 'fc': mac cannot take format 'int8'"):
        hwsim.run(net, hwsim.Design(datapath=hwsim.Mac(weight_bits=4)), np.ones((1, 6)))
    override = hwsim.Override(layers="f*", datapath=hwsim.Mac(weight_bits=2))
    with pytest.raises(FormatError, match="layer 'fc'"):
        hwsim.run(net, hwsim.Design(overrides=(override,)), np.ones((1, 6)))


def test_rules_compute_no_values(monkeypatch):
    monkeypatch.setattr(hwsim.Mac, "verified", "model only")
    with pytest.raises(DesignError, match="layer 'fc': mac computes no values"):
        hwsim.run(network(*GOOD), hwsim.Design(), np.ones((1, 6)))


def test_equal_networks_hash_alike_and_others_do_not():
    assert network(*GOOD).hash == network(*GOOD).hash
    assert network(*GOOD).hash != network(*GOOD, scale=0.5).hash
    assert network(*GOOD).hash != network(*GOOD[:3]).hash
