"""QuantLinear and QuantConv2d against their definition: the decoded weights, and their gradient passed straight on."""

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwsim
from hwsim.errors import FormatError
from hwsim.torch import QuantConv2d, QuantLinear, Sign, export

torch.set_num_threads(1)
X = torch.randn(3, 4, 9, 9, generator=torch.Generator().manual_seed(0))
GEOMETRIES = [
    {}, {"groups": 2}, {"stride": 2}, {"dilation": 2}, {"padding": 1}, {"padding": (2, 1), "stride": (1, 2)},
    {"bias": False}, {"groups": 4, "padding": 1, "stride": 2, "bias": False}, {"padding": 2, "pad_value": -1.0},
]  # fmt: skip


def decoded(layer, name):
    stored = hwsim.quantize(layer.weight.detach().float().numpy(), name)
    return torch.tensor(hwsim.lower(stored).dequantize()).to(layer.weight.dtype)


@pytest.mark.parametrize("options", GEOMETRIES, ids=str)
@pytest.mark.parametrize("name", ["int4", "bitnet158", "fp8_e4m3"])
def test_convolutions_compute_and_train_as_with_the_decoded_weights(options, name):
    torch.manual_seed(0)
    layer = QuantConv2d(4, 8, 3, weights=name, **options)
    weight = decoded(layer, name).requires_grad_()
    rows, columns = layer.padding
    x, y = X.clone().requires_grad_(), X.clone().requires_grad_()
    padded = functional.pad(y, (columns, columns, rows, rows), value=layer.pad_value)
    expected = functional.conv2d(padded, weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
    got = layer(x)
    torch.testing.assert_close(got, expected, rtol=0, atol=0)
    gradient = torch.randn_like(expected)
    expected.backward(gradient)
    bias = None if layer.bias is None else layer.bias.grad.clone()
    layer.zero_grad()
    got.backward(gradient)
    torch.testing.assert_close(layer.weight.grad, weight.grad, rtol=0, atol=0)
    torch.testing.assert_close(x.grad, y.grad, rtol=0, atol=0)
    if bias is not None:
        torch.testing.assert_close(layer.bias.grad, bias, rtol=0, atol=0)
    if layer.pad_value == 0:
        network = export(nn.Sequential(layer), X)
        np.testing.assert_array_equal(
            network.node("0").operator.weight.dequantize(), weight.detach().numpy().astype(np.float32)
        )
        error = np.abs(hwsim.run(network, None, X.numpy()) - got.detach().numpy()).max()
        assert error <= 0.02 * got.detach().abs().max()


def test_the_gradient_of_a_sign_passes_where_its_input_is_small():
    x = torch.tensor([-2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.0001], requires_grad=True)
    y = Sign()(x)
    assert y.tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]
    y.backward(torch.arange(1.0, 9.0))
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 6, 7, 0]


@pytest.mark.parametrize("build", [
    lambda: QuantLinear(9, 4, weights={"format": "int4", "group_size": 4, "pad": True}),
    lambda: QuantConv2d(4, 2, 3, weights="bitnet158", pad_value=1.0, padding=1),
])  # fmt: skip
def test_modules_are_kept_by_copies_and_files(build):
    torch.manual_seed(0)
    layer = build()
    expected = layer(X)
    other = build()
    assert (other(X) != expected).any()
    other.load_state_dict(layer.state_dict())
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for each in (other, copy.deepcopy(layer), torch.load(file, weights_only=False), layer.eval(), layer.train()):
        torch.testing.assert_close(each(X), expected, rtol=0, atol=0)
        assert str(each) == str(layer)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_float_types(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(QuantLinear(9, 6, weights="int4"), nn.ReLU(), nn.Linear(6, 3)).to(dtype)
    x = torch.randn(20, 9).to(dtype)
    y = model(x)
    assert y.dtype == dtype
    y.sum().backward()
    assert model[0].weight.grad.dtype == dtype
    network = export(model, x)
    stored = hwsim.lower(hwsim.quantize(model[0].weight.detach().double().numpy(), "int4"))
    np.testing.assert_array_equal(network.node("0").operator.weight.codes, stored.codes)
    got = hwsim.run(network, hwsim.Design(), x.double().numpy())
    expected = y.detach().double().numpy()
    assert np.abs(got - expected).max() <= 0.05 * np.abs(expected).max()


@pytest.mark.parametrize(("weights", "message"), [
    (None, "must be a format's name or a mapping"), ({"bits": 4}, "name no format"), ("int44", "did you mean 'int4'"),
    ({"format": "int4", "grp": 3}, "has no parameter 'grp'"),
])  # fmt: skip
def test_bad_formats_are_errors(weights, message):
    with pytest.raises(FormatError, match=message):
        QuantLinear(4, 2, weights=weights)(X)


def test_weights_that_are_not_finite_are_an_error():
    layer = QuantLinear(9, 2, weights="int4")
    layer.weight.data[1, 2] = float("nan")
    with pytest.raises(FormatError, match="weights hold NaN or infinity"):
        layer(X)
