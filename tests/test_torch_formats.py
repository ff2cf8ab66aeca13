"""Every format: a module trains with it, exports the very codes that it multiplies by, and the integers add up."""

import dataclasses
import inspect
import re

import numpy as np
import pytest
import torch
from torch import nn

import hwsim
from hwsim import formats
from hwsim.errors import ExportError, FormatError, NetworkError
from hwsim.operators import Requantize
from hwsim.torch import QuantConv2d, QuantLinear, export, fake_quant
from tests.naive_network import naive_outputs

torch.set_num_threads(1)
X = torch.randn(6, 128, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(5, 4, 6, 6, generator=torch.Generator().manual_seed(1))
NO_INTEGERS = {
    "binarymos": "scales depend on the token; use binary", "bitstack": "magnitude of its own; use .* bcq",
    "range_aware": r"outliers=0", "ifairy": "complex weights.*use bitnet158",
}  # fmt: skip
"""Formats without a whole number per weight, and what the error says."""
INTEGERS = [name for name in formats.available() if name not in NO_INTEGERS]


def spec(name, group_size=None):
    """``name`` with groups that fit rows of any length."""
    parameters = inspect.signature(formats.find(name).quantize).parameters
    given = {"group_size": group_size} if group_size and "group_size" in parameters else {}
    return {"format": name, **given, **({"pad": True} if "pad" in parameters else {})}


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(128, 24), nn.ReLU(), nn.Linear(24, 7)).eval()


def cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 6),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(("build", "samples"), [(mlp, X), (cnn, IMAGES)])
def test_every_format_exports_and_runs(name, build, samples, tmp_path):
    model = build()
    network = export(model, samples, weights=spec(name))
    x = samples.numpy()
    got = hwsim.run(network, None, x)
    np.testing.assert_array_equal(got, naive_outputs(network, x))
    peak = np.abs(got).max()
    assert np.abs(got - fake_quant(network, x)).max() <= 0.01 * peak
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                stored = hwsim.quantize(layer.weight.numpy(), name, **without_format(spec(name)))
                layer.weight[:] = torch.tensor(hwsim.lower(stored).dequantize())
        expected = model(samples).numpy()
    assert np.abs(got - expected).max() <= 0.05 * np.abs(expected).max()
    network.save(tmp_path / "network.safetensors")
    loaded = hwsim.Network.load(tmp_path / "network.safetensors")
    assert loaded.hash == network.hash
    np.testing.assert_array_equal(hwsim.run(loaded, None, x), got)


def without_format(parameters):
    return {key: value for key, value in parameters.items() if key != "format"}


@pytest.mark.parametrize("name", NO_INTEGERS)
def test_formats_without_a_number_per_weight_say_what_works(name):
    with pytest.raises((ExportError, FormatError), match=NO_INTEGERS[name]):
        export(mlp(), X, weights=name)
    if name == "range_aware":
        export(mlp(), X, weights={"format": name, "outliers": 0.0, "pad": True})


WIDE = ["fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "bf16", "fp16", "mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "squeezellm"]


@pytest.mark.parametrize("name", WIDE)
def test_wide_weights_are_the_formats_codes_and_integer_arrays_refuse_them(name):
    network = export(mlp(), X, weights=spec(name))
    for path, layer in (("0", mlp()[0]), ("2", mlp()[2])):
        stored = hwsim.quantize(layer.weight.detach().numpy(), name, **without_format(spec(name)))
        weight = network.node(path).operator.weight
        np.testing.assert_array_equal(weight.codes, stored.codes)
        assert weight.integer_bits > 8
        if stored.groups == 1:
            np.testing.assert_allclose(weight.dequantize(), stored.dequantize(), rtol=1e-6)
    for datapath in (hwsim.Mac(), hwsim.BitSerial()):
        remedy = r"use weight_bits=\d+|use a format of at most \d+ bits.*run without a design"
        message = rf"layer '0': {datapath.name()} cannot take format '{name}': its values need.*({remedy})"
        with pytest.raises(FormatError, match=message):
            hwsim.run(network, hwsim.Design(datapath=datapath), X.numpy())
        with pytest.raises(FormatError, match=message):
            hwsim.simulate(network, hwsim.Design(datapath=datapath))


@pytest.mark.parametrize("datapath", [hwsim.Mac(offset_bits=16), hwsim.BitSerial(scale_bits=16, offset_bits=16)])
@pytest.mark.parametrize("name", ["int4", "abq", "binary", "decoupleq", "mxfp4"])
def test_exact_sums_are_those_of_the_datapaths(name, datapath):
    network = export(mlp(), X, weights=spec(name, 16))
    got = hwsim.run(network, hwsim.Design(datapath=datapath), X.numpy())
    np.testing.assert_array_equal(got, hwsim.run(network, None, X.numpy()))


@pytest.mark.parametrize("bias", [0.0, 1.0, 1e4])
def test_a_bias_far_beyond_its_wide_sums_keeps_the_weights(bias):
    model = nn.Sequential(nn.Linear(128, 4))
    model[0].bias.data.fill_(bias)
    model[0].bias.data[0] = 0
    network = export(model.eval(), X, weights="fp8_e5m2")
    with torch.no_grad():
        expected = model(X).numpy()
    got = hwsim.run(network, None, X.numpy())
    np.testing.assert_allclose(got, expected, atol=0.2, rtol=1e-6)
    assert (network.node("0").operator.weight.scale == 1).all()


def test_bfloat16_weights_that_span_too_much_are_refused_by_name():
    model = nn.Sequential(nn.Linear(128, 4))
    model[0].weight.data[0, :2] = torch.tensor([1e-30, 1e30])
    with pytest.raises(ExportError, match=r"^0: format 'bf16' .* span \d+ bits, 53 are possible.*fp8_e4m3"):
        export(model, X, weights="bf16")


def test_sums_beyond_62_bits_are_refused_by_name():
    model = nn.Sequential(nn.Linear(128, 4))
    model[0].weight.data[0] = 2.0**26
    model[0].weight.data[0, 0] = 2.0**-26
    with pytest.raises(ExportError, match=r"node '0': a sum can reach .* beyond 62 bits"):
        export(model, torch.ones(2, 128), weights="bf16")


def test_integer_arrays_refuse_sums_that_must_be_rounded():
    network = export(mlp(), X, weights="int8")
    nodes = list(network.nodes)
    operator = nodes[1].operator
    shifted = dataclasses.replace(operator.quantizer, sum_shift=2)
    nodes[1] = dataclasses.replace(nodes[1], operator=dataclasses.replace(operator, quantizer=shifted))
    rounded = dataclasses.replace(network, nodes=tuple(nodes))
    np.testing.assert_array_equal(hwsim.run(rounded, None, X.numpy()), naive_outputs(rounded, X.numpy()))
    for evaluate in (lambda d: hwsim.run(rounded, d, X.numpy()), lambda d: hwsim.simulate(rounded, d)):
        with pytest.raises(FormatError, match="layer '0': mac requantizes sums of 32 bits, these weights need 34"):
            evaluate(hwsim.Design())
    with pytest.raises(NetworkError, match="sum_shift belongs to matmuls"):
        Requantize(quantizer=shifted)


def test_bit_serial_arrays_take_fp8():
    network = export(mlp(), X, weights="fp8_e4m3")
    assert [node.operator.quantizer.sum_shift for node in network.matmuls()] == [0, 0]
    design = hwsim.Design(datapath=hwsim.BitSerial(weight_bits=19, scheme="naf", skip="zero"))
    np.testing.assert_array_equal(hwsim.run(network, design, X.numpy()), hwsim.run(network, None, X.numpy()))
    assert hwsim.simulate(network, design).cycles > 0


@pytest.mark.parametrize("name", INTEGERS)
def test_a_trained_layer_exports_the_codes_it_was_trained_with(name):
    torch.manual_seed(0)
    layer = QuantLinear(128, 8, weights=spec(name))
    before = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    layer(X).square().sum().backward()
    np.testing.assert_array_equal(layer.weight.grad, 2 * layer(X).detach().T @ X)
    optimizer.step()
    assert (layer.weight != before).any()
    expected = hwsim.lower(hwsim.quantize(layer.weight.detach().numpy(), name, **without_format(spec(name))))
    weight = export(nn.Sequential(layer), X).node("0").operator.weight
    np.testing.assert_array_equal(weight.codes, expected.codes)
    np.testing.assert_array_equal(weight.scale, expected.scale)
    with torch.no_grad():
        np.testing.assert_array_equal(layer(X), X @ torch.tensor(expected.dequantize()).T + layer.bias)


@pytest.mark.parametrize("name", ["bitnet158", "plum", "tbn", "denseshift", "fp8_e4m3"])
def test_convolutions_train_with_formats_that_are_not_integers(name):
    torch.manual_seed(0)
    layer = QuantConv2d(4, 8, 3, weights=name)
    layer(torch.randn(2, 4, 5, 5)).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def test_formats_that_cannot_be_lowered_refuse_to_train():
    for name in sorted(set(NO_INTEGERS) - {"ifairy"}):
        with pytest.raises(FormatError, match=re.compile(NO_INTEGERS[name])):
            QuantLinear(128, 8, weights=spec(name))(X)
    with pytest.raises(FormatError, match=NO_INTEGERS["ifairy"]):
        QuantLinear(128, 8, weights="ifairy")
