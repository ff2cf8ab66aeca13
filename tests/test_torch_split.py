"""Split binary layers in PyTorch: majority, gradients, reconstruction, exact export."""

import numpy as np
import pytest
import torch
from torch import nn

import hwsim
from hwsim.errors import ExportError, FormatError
from hwsim.operators import SplitConv, SplitLinear
from hwsim.torch import QuantConv2d, QuantLinear, Sign, export
from hwsim.torch import SplitConv2d as SplitConvModule
from hwsim.torch import SplitLinear as SplitModule
from tests.naive_network import naive_outputs

torch.set_num_threads(1)
UNSCALED = {"format": "binary", "scale": "one"}


def unsettle(norm, seed=0):
    """Statistics with both signs of gain, and thresholds that whole sums reach exactly."""
    generator = torch.Generator().manual_seed(seed)
    count = len(norm.running_mean)
    norm.eps = 0.25
    norm.running_var[:] = 0.75
    norm.running_mean[:] = torch.randint(-3, 4, (count,), generator=generator).float()
    norm.weight.data[:] = torch.where(torch.rand(count, generator=generator) < 0.4, -1.0, 1.0)
    norm.bias.data[:] = 0.0


def outputs(model, x):
    with torch.no_grad():
        return model.double().eval()(torch.as_tensor(x).double()).numpy()


@pytest.mark.parametrize("rows", [24, 12, 6, 5])
def test_linear_export_is_exact_on_ties(rows):
    model = nn.Sequential(Sign(), SplitModule(24, 7, rows))
    unsettle(model[1].norm)
    x = torch.randn(200, 24, generator=torch.Generator().manual_seed(1)).sign()
    network = export(model.eval(), x)
    split = network.nodes[-1].operator
    assert isinstance(split, SplitLinear)
    assert split.splits == {24: 1, 12: 2, 6: 4, 5: 6}[rows]
    expected = outputs(model, x)
    np.testing.assert_array_equal(naive_outputs(network, x.numpy()), expected)
    np.testing.assert_array_equal(hwsim.run(network, None, x.numpy()), expected)
    assert 0.1 < (expected > 0).mean() < 0.9


@pytest.mark.parametrize(("pool", "padding", "rows"), [(1, 1, 9), (2, 1, 12), (2, 0, 7), (1, 0, 36)])
def test_convolution_export_cuts_through_channels(pool, padding, rows):
    model = nn.Sequential(Sign(), SplitConvModule(4, 5, 3, rows, padding=padding, pool=pool, pad_value=1))
    unsettle(model[1].norm)
    x = torch.randn(6, 4, 8, 8, generator=torch.Generator().manual_seed(1)).sign()
    network = export(model.eval(), x)
    assert isinstance(network.nodes[-1].operator, SplitConv)
    expected = outputs(model, x)
    np.testing.assert_array_equal(hwsim.run(network, None, x.numpy()), expected)
    np.testing.assert_array_equal(naive_outputs(network, x.numpy()), expected)


def test_one_group_is_the_layer_itself():
    linear, norm = QuantLinear(24, 9, bias=False, weights=UNSCALED), nn.BatchNorm1d(9)
    unsettle(norm)
    x = torch.where(torch.randn(50, 24, generator=torch.Generator().manual_seed(2)) >= 0, 1.0, -1.0)
    split = SplitModule.of(linear, norm, 24)
    np.testing.assert_array_equal(outputs(split, x), outputs(nn.Sequential(linear, norm, Sign()), x))


def test_one_group_is_the_convolution_itself():
    conv, norm = QuantConv2d(3, 5, 3, padding=1, bias=False, weights=UNSCALED, pad_value=-1), nn.BatchNorm2d(5)
    unsettle(norm)
    x = torch.where(torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(2)) >= 0, 1.0, -1.0)
    split = SplitConvModule.of(conv, norm, 27, pool=2)
    np.testing.assert_array_equal(outputs(split, x), outputs(nn.Sequential(conv, nn.MaxPool2d(2), norm, Sign()), x))


def test_groups_share_a_threshold():
    linear, norm = QuantLinear(64, 4, bias=False, weights=UNSCALED), nn.BatchNorm1d(4)
    norm.running_mean[:], norm.running_var[:] = 8.0, 16.0
    norm.weight.data[:], norm.bias.data[:] = -2.0, 3.0
    split = SplitModule.of(linear, norm, 16)
    gain = split.norm.weight / torch.sqrt(split.norm.running_var + split.norm.eps)
    shift = split.norm.bias - split.norm.running_mean * gain
    whole_gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    whole = -(norm.bias - norm.running_mean * whole_gain) / whole_gain
    torch.testing.assert_close(-(shift / gain), whole.repeat(4) / 4)
    rows = split.weight.reshape(4, 4, 16).transpose(0, 1).reshape(4, 64)
    torch.testing.assert_close(rows, linear.weight)


def test_the_gradient_of_the_majority_goes_to_every_group():
    split = SplitModule(12, 3, 4)
    bits = torch.tensor([[1.0, -1, 1, -1, -1, -1, 1, 1, -1]], requires_grad=True)
    merged = split.merge(bits)
    assert merged.tolist() == [[1.0, -1.0, -1.0]]
    merged.backward(torch.tensor([[1.0, 2.0, 3.0]]))
    assert bits.grad.tolist() == [[1.0, 2.0, 3.0] * 3]


def test_noise_of_sense_amplifiers_is_their_output_probability():
    torch.manual_seed(0)
    split = SplitModule(4, 1, 4, sense_noise=1.5).train()
    split.weight.data[:] = 1.0
    sums = torch.full((200_000, 1), 2.0)  # a match above the middle: one current of a cell
    share = (split.noisy(sums) >= 0).double().mean()
    assert share == pytest.approx(torch.distributions.Normal(0, 1).cdf(torch.tensor(1 / 1.5)).item(), abs=0.005)
    assert split.eval().noisy(sums) is sums


def test_what_cannot_be_split():
    with pytest.raises(FormatError, match="sizes that work: 1018, 509"):
        SplitModule(1018, 4, 128)
    with pytest.raises(ValueError, match="sense_noise"):
        SplitModule(16, 4, 8, sense_noise=-1)
    with pytest.raises(ExportError, match=r"put a hwsim\.torch\.Sign before it"):
        export(nn.Sequential(SplitModule(16, 4, 8)).eval(), torch.randn(4, 16))
