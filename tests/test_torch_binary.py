"""Binary activations: thresholds exact on ties, residual sums as integers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hwsim
from hwsim.operators import Add, Concat, Requantize
from hwsim.torch import QuantConv2d, QuantLinear, Sign, export
from hwsim.torch.thresholds import thresholds
from tests.naive_network import naive_outputs

torch.set_num_threads(1)
UNSCALED = {"format": "binary", "scale": "one"}

dyadic = st.integers(-64, 64).map(lambda i: i / 8)
gamma = st.sampled_from([-4.0, -1.0, -0.125, 0.0, 0.125, 1.0, 4.0])


@given(
    slope=st.one_of(dyadic, st.floats(-1e3, 1e3)), offset=st.one_of(dyadic, st.floats(-1e6, 1e6)),
    low=st.integers(-300, 0), high=st.integers(0, 300),
)  # fmt: skip
def test_thresholds_decide_every_reachable_sum(slope, offset, low, high):
    bias, invert = thresholds(np.array([slope]), np.array([offset]), low, high)
    x = np.arange(low, high + 1)
    np.testing.assert_array_equal((x + bias[0] >= 0) != invert[0], slope * x + offset >= 0)
    assert -high - 1 <= bias[0] <= -low


def set_norm(norm, gammas, means, betas):
    """Statistics whose standard deviation is exactly 1, so that ties are exact in real numbers."""
    norm.eps = 0.25
    norm.running_var[:] = 0.75
    norm.running_mean[:] = torch.tensor(means)
    norm.weight.data[:] = torch.tensor(gammas)
    norm.bias.data[:] = torch.tensor(betas)


@settings(max_examples=40)
@given(data=st.data())
def test_sums_on_the_threshold_are_plus_one_for_either_sign_of_gamma(data):
    channels, k = 6, 5
    draw = lambda strategy: data.draw(st.lists(strategy, min_size=channels, max_size=channels))  # noqa: E731
    model = nn.Sequential(
        Sign(), QuantLinear(k, channels, bias=False, weights=UNSCALED), nn.BatchNorm1d(channels), Sign()
    )
    set_norm(model[2], draw(gamma), draw(st.integers(-5, 5).map(float)), draw(st.sampled_from([0.0, 0.0, 1.0, -0.5])))
    with torch.no_grad():
        model[1].weight[:] = torch.tensor(data.draw(
            st.lists(st.sampled_from([-0.5, 0.0, 0.5]), min_size=channels * k, max_size=channels * k)
        )).reshape(channels, k)  # fmt: skip
    model.eval()
    x = torch.tensor(np.array(np.meshgrid(*[[-1.0, 1.0]] * k)).reshape(k, -1).T, dtype=torch.float32)
    network = export(model, x)
    with torch.no_grad():
        expected = model.double()(x.double()).numpy()
    np.testing.assert_array_equal(hwsim.run(network, hwsim.Design(), x.numpy()), expected)


class Residual(nn.Module):
    """Sums of two binary convolutions added as integers, then thresholded."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.stem_norm = QuantConv2d(1, 8, 3, bias=False, weights=UNSCALED), nn.BatchNorm2d(8)
        self.first = QuantConv2d(8, 8, 3, padding=1, bias=False, weights=UNSCALED, pad_value=-1)
        self.first_norm, self.sum_norm = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.second = QuantConv2d(8, 8, 3, padding=1, bias=False, weights=UNSCALED, pad_value=1)
        self.sign = Sign()
        self.head = QuantLinear(8 * 36, 4, bias=False, weights="binary")
        for norm in (self.stem_norm, self.first_norm, self.sum_norm):
            norm.weight.data.uniform_(-1, 1)
            norm.running_mean[:] = torch.randint(-5, 5, (8,)) + 0.5  # no ties, which PyTorch's rounding would decide
        self.stem_norm.running_mean.div_(10)

    def forward(self, x):
        x = self.sign(self.stem_norm(self.stem(x)))
        sums = self.first(x)
        y = self.second(self.sign(self.first_norm(sums)))
        return self.head(self.sign(self.sum_norm(sums + y + x)).flatten(1))


def test_residual_sums_add_as_integers():
    model = Residual().double().eval()
    x = (torch.randint(0, 128, (30, 1, 8, 8), generator=torch.Generator().manual_seed(1)) / 128).double()
    x[0, 0, 0, 0] = 127 / 128  # a scale of 1/128, so that PyTorch's sums are exact too
    network = export(model, x)
    for node in network.nodes:
        if isinstance(node.operator, Add):
            assert set(zip(node.operator.multipliers, node.operator.shifts, strict=True)) == {(1 << 30, 30)}
    assert network.ranges["add_1"] == (-145, 145)
    threshold = network.node("sum_norm").operator
    assert isinstance(threshold, Requantize)
    assert threshold.quantizer.threshold
    with torch.no_grad():
        expected = model(x).numpy()
    got = hwsim.run(network, hwsim.Design(), x.numpy())
    np.testing.assert_array_equal(got, naive_outputs(network, x.numpy()))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0.51 * network.output_scale)


def test_binary_layers_run_alike_on_both_datapaths():
    network = export(Residual(), torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(2)))
    assert all(node.operator.weight.integer_bits == 2 for node in network.matmuls())
    x = np.random.default_rng(0).random((5, 1, 8, 8))
    outputs = [hwsim.run(network, hwsim.Design(datapath=d), x) for d in (hwsim.Mac(), hwsim.BitSerial(weight_bits=2))]
    np.testing.assert_array_equal(*outputs)


def test_signs_stay_binary_through_pooling_and_concatenation():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.sign, self.pool = Sign(), nn.MaxPool2d(2)
            self.conv = QuantConv2d(4, 3, 3, padding=1, weights="binary", pad_value=-1)

        def forward(self, x):
            signs = self.sign(x)
            return self.conv(torch.cat([self.pool(signs), self.pool(signs)], dim=1))

    x = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    network = export(Model().eval(), x)
    concat = next(node for node in network.nodes if isinstance(node.operator, Concat))
    assert network.ranges[concat.name] == (-1, 1)
    np.testing.assert_array_equal(hwsim.run(network, hwsim.Design(), x.numpy()), naive_outputs(network, x.numpy()))


@pytest.mark.parametrize("samples", [torch.zeros(3, 4), torch.tensor([[0.0, -1.0, 1.0, -0.0]])])
def test_the_sign_of_zero_is_plus_one(samples):
    model = nn.Sequential(Sign(), nn.Linear(4, 2))
    network = export(model, samples)
    with torch.no_grad():
        expected = model(samples).numpy()
    np.testing.assert_allclose(hwsim.run(network, hwsim.Design(), samples.numpy()), expected, atol=0.02)
