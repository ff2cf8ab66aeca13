"""Every format in training: a module that can be lowered trains, and exports the very codes that it multiplies by."""

import re

import numpy as np
import pytest
import torch
from torch import nn

import hwsim
from hwsim import formats
from hwsim.errors import ExportError, FormatError
from hwsim.integer import MAX_WEIGHT_BITS
from hwsim.torch import QuantConv2d, QuantLinear, export

torch.set_num_threads(1)
X = torch.randn(6, 128, generator=torch.Generator().manual_seed(0))
NOT_LOWERED = r"cannot be lowered|spans more than 62 bits"
REAL = [name for name, each in formats.available().items() if not each.complex]


def lowered(name, weight):
    """What hardware multiplies by; None for formats that are not integers on a channel scale."""
    try:
        return hwsim.lower(hwsim.quantize(weight.detach().numpy(), name))
    except FormatError as error:
        assert re.search(NOT_LOWERED, str(error))  # noqa: PT017
        return None


@pytest.mark.parametrize("name", REAL)
def test_a_trained_layer_exports_the_codes_it_was_trained_with(name):
    torch.manual_seed(0)
    layer = QuantLinear(128, 8, weights=name)
    if lowered(name, layer.weight) is None:
        with pytest.raises(FormatError, match=NOT_LOWERED):
            layer(X)
        return
    before = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    layer(X).square().sum().backward()
    np.testing.assert_array_equal(layer.weight.grad, 2 * layer(X).detach().T @ X)
    optimizer.step()
    assert (layer.weight != before).any()
    expected = lowered(name, layer.weight)
    if expected.integer_bits > MAX_WEIGHT_BITS:
        with pytest.raises(ExportError, match=r"^0: .*integer arrays take 8"):
            export(nn.Sequential(layer), X)
        return
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
