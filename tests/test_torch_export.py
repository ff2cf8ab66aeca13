"""Every supported PyTorch operator, exported: integers against naive integers, fake-quant and the model."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwsim
from hwsim.operators import AvgPool, Conv, Linear, MaxPool, Relu, Requantize
from hwsim.torch import QuantConv2d, QuantLinear, Sign, export, fake_quant
from tests.naive_network import naive_outputs

torch.set_num_threads(1)


def check(model, samples, *, weights="int8", tolerance=0.03, **options):
    """Exports; run() is exactly the naive integers, fake-quant on ties only differs, the model is near."""
    network = export(model, samples, weights=weights, **options)
    x = samples.numpy()
    got = hwsim.run(network, hwsim.Design(), x)
    np.testing.assert_array_equal(got, naive_outputs(network, x))
    with torch.no_grad():
        expected = model.eval()(samples).numpy()
    peak = np.abs(expected).max() + 1e-9
    assert np.abs(got - fake_quant(network, x)).max() <= 0.01 * peak
    assert np.abs(got - expected).max() <= tolerance * peak
    return network


def sample(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Function(nn.Module):
    """A convolution, then ``function``, then a convolution on what comes out."""

    def __init__(self, function, channels=4, rank=2):
        super().__init__()
        torch.manual_seed(1)
        conv = nn.Conv2d if rank == 2 else nn.Conv1d
        self.before, self.after = conv(3, 4, 3, padding=1), conv(channels, 5, 1)
        self.function = function

    def forward(self, x):
        return self.after(self.function(self.before(x)))


CONVOLUTIONS = [
    {"kernel_size": 1}, {"kernel_size": 3, "padding": 1}, {"kernel_size": 3, "stride": 2},
    {"kernel_size": 3, "dilation": 2, "padding": 2}, {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 3, "padding": "valid"}, {"kernel_size": 3, "groups": 2, "padding": 1},
    {"kernel_size": 3, "groups": 4, "stride": 2, "padding": 1}, {"kernel_size": 5, "padding": 4, "bias": False},
    {"kernel_size": 3, "padding": "same", "dilation": 3},
]  # fmt: skip


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("conv", [nn.Conv1d, nn.Conv2d])
def test_convolutions(conv, options):
    torch.manual_seed(0)
    size = (11,) if conv is nn.Conv1d else (11, 9)
    check(nn.Sequential(conv(4, 8, **options)), sample(3, 4, *size))


@pytest.mark.parametrize(
    "options",
    [{"kernel_size": (3, 2), "stride": (1, 2)}, {"kernel_size": (1, 5), "padding": (0, 2), "dilation": (1, 1)}],
    ids=str,
)
def test_convolutions_with_unequal_axes(options):
    check(nn.Conv2d(4, 6, **options), sample(2, 4, 9, 8))


@pytest.mark.parametrize("weights", ["int8", {"format": "int8", "group_size": 8}, {"format": "int6", "group_size": 5,
                                                                                  "pad": True}], ids=str)  # fmt: skip
def test_linear_layers_with_group_scales(weights):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 7))
    network = check(model, sample(20, 24), weights=weights, tolerance=0.1)
    assert [type(node.operator) for node in network.matmuls()] == [Linear, Linear]


def test_linear_over_the_last_of_several_axes():
    check(nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), sample(4, 7, 6))


FUNCTIONS = {
    "relu": functional.relu,
    "torch.relu": torch.relu,
    "x.relu()": lambda x: x.relu(),
    "relu_": lambda x: x.relu_(),
    "ReLU": nn.ReLU(inplace=True),
    "ReLU6": nn.ReLU6(),
    "relu6": functional.relu6,
    "Hardtanh": nn.Hardtanh(-0.5, 0.25),
    "max_pool2d": lambda x: functional.max_pool2d(x, 2),
    "MaxPool2d padded": nn.MaxPool2d(3, stride=2, padding=1),
    "AvgPool2d": nn.AvgPool2d(2),
    "AvgPool2d padded": nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)),
    "avg_pool2d divisor": lambda x: functional.avg_pool2d(x, 2, divisor_override=3),
    "adaptive average": nn.AdaptiveAvgPool2d(2),
    "adaptive average, one axis": nn.AdaptiveAvgPool2d((None, 1)),
    "adaptive max": lambda x: functional.adaptive_max_pool2d(x, (4, 2)),
    "max pool, then relu": lambda x: functional.relu(functional.max_pool2d(x, 2)),
    "average pool, then relu": lambda x: functional.relu(functional.avg_pool2d(x, 2)),
    "max pool, then relu6": lambda x: functional.relu6(functional.max_pool2d(x, 2)),
    "x + x": lambda x: x + x,
    "add relu": lambda x: torch.add(functional.relu(x), x).relu(),
    "add_": lambda x: functional.relu(x).add_(functional.max_pool2d(x, 3, 1, 1)),
    "dropout": lambda x: functional.dropout(x, 0.5, False),
    "Identity": nn.Identity(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_between_convolutions(name):
    check(Function(FUNCTIONS[name]), sample(6, 3, 8, 8))


@pytest.mark.parametrize("function", [
    lambda x: torch.cat([x, functional.relu(x)], dim=1), lambda x: torch.cat((x, x + x), -3),
    lambda x: torch.concat([functional.avg_pool2d(x, 2), functional.max_pool2d(x, 2)], axis=1),
])  # fmt: skip
def test_concatenation(function):
    check(Function(function, channels=8), sample(6, 3, 8, 8))


@pytest.mark.parametrize("function", [
    nn.MaxPool1d(2), nn.AvgPool1d(3), nn.AdaptiveAvgPool1d(4), nn.AdaptiveMaxPool1d(1), nn.BatchNorm1d(4),
    lambda x: functional.avg_pool1d(x, 2), lambda x: functional.max_pool1d(x, 3, 2),
])  # fmt: skip
def test_one_dimensional_functions(function):
    check(Function(function, rank=1), sample(6, 3, 12))


@pytest.mark.parametrize("flatten", [
    nn.Flatten(), lambda x: x.flatten(1), lambda x: torch.flatten(x, 1), lambda x: x.view(x.size(0), -1),
    lambda x: x.reshape(x.shape[0], -1), lambda x: torch.reshape(x, (-1, 4 * 25)),
])  # fmt: skip
def test_flattening(flatten):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.flatten, self.fc = nn.Conv2d(2, 4, 3), flatten, nn.Linear(100, 3)

        def forward(self, x):
            return self.fc(self.flatten(self.conv(x)))

    torch.manual_seed(0)
    check(Model(), sample(4, 2, 7, 7))


@pytest.mark.parametrize("model", [
    nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), nn.Sequential(nn.MaxPool2d(2), nn.ReLU()),
    nn.Sequential(nn.Linear(5, 3), nn.ReLU()), nn.Sequential(nn.Conv2d(2, 3, 1), nn.MaxPool2d(2)),
])  # fmt: skip
def test_networks_that_end_otherwise_than_with_a_matmul(model):
    shape = (8, 5) if isinstance(model[0], nn.Linear) else (8, 2, 6, 6)
    check(model, sample(*shape))


class Norms(nn.Module):
    """Batch norms behind a convolution, an add and a linear layer, with gains of either sign and 0."""

    def __init__(self, low):
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.branch, self.sum_norm = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.fc, self.fc_norm = nn.Linear(54, 8), nn.BatchNorm1d(8)
        for norm in (self.norm, self.sum_norm, self.fc_norm):
            norm.weight.data.uniform_(low, 1)
            norm.bias.data.normal_()
            norm.running_mean.normal_(std=0.1)
            norm.running_var.uniform_(0.5, 2)
        if low < 0:
            self.norm.weight.data[0] = self.sum_norm.weight.data[1] = self.fc_norm.weight.data[2] = 0

    def forward(self, x):
        x = functional.relu(self.norm(self.conv(x)))
        x = functional.relu(self.sum_norm(x + self.branch(x)))
        return self.fc_norm(self.fc(functional.max_pool2d(x, 2).flatten(1)))


@pytest.mark.parametrize(("low", "kind"), [(0.2, Requantize), (-1, Conv)])
def test_batch_norms_fold_or_stand_alone(low, kind):
    network = check(Norms(low), sample(16, 3, 6, 6), tolerance=0.05)
    assert isinstance(network.node("sum_norm").operator, kind)
    assert [node.name for node in network.nodes] == [
        "input", "conv", "branch", "add", "sum_norm", "max_pool2d", "flatten", "fc"]  # fmt: skip


def test_batch_norm_of_a_vector_that_no_matmul_made():
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5)
    norm.weight.data = torch.tensor([1.0, -1.0, 0.0, 0.5, 2.0])
    norm.bias.data = sample(5)
    check(nn.Sequential(norm, nn.ReLU(), nn.Linear(5, 4)), sample(30, 5))


def test_channels_without_weights_keep_their_bias():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = 0.3
        model[0].weight[2] = 1e-30
        model[2].weight[:] = 0
        model[2].bias[:] = torch.tensor([1.0, -3.0])
    network = check(model, sample(10, 4))
    np.testing.assert_allclose(hwsim.run(network, hwsim.Design(), sample(2, 4).numpy()), [[1, -3]] * 2, rtol=0.01)


def test_activations_of_few_bits_stay_within_them():
    network = export(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)), sample(8, 3, 6, 6),
                     activations="int4")  # fmt: skip
    assert network.ranges["input"] == (-7, 7)
    assert network.ranges["0"] == (0, 7)


def test_overrides_choose_formats_by_module_path():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    network = export(model, sample(8, 8), weights="int4", overrides={"0": "int8", "4": {"format": "binary"}})
    assert [node.operator.weight.format for node in network.matmuls()] == ["int8", "int4", "binary"]
    with pytest.raises(hwsim.HwsimError, match="override 'fc\\*' matches no layer"):
        export(model, sample(8, 8), overrides={"fc*": "int8"})


def test_a_module_called_twice_gives_two_nodes():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return self.fc(self.fc(x).relu())

    assert [node.name for node in check(Twice(), sample(9, 4)).nodes] == ["input", "fc", "fc_1"]


def test_export_leaves_a_training_model_as_it_is():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.ReLU()).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    export(model, sample(4, 1, 5, 5))
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_export_is_deterministic_and_takes_numpy_and_double():
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    first, second = export(model, sample(5, 6)), export(model, sample(5, 6).double().numpy())
    assert first.hash == second.hash


def test_the_first_calibration_inputs_are_kept():
    inputs = sample(40, 4)
    network = export(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), inputs)
    assert (network.input.sample == network.input.quantize(inputs[:16].numpy())).all()


@pytest.mark.parametrize("name", ["int4", "binary", "int4 in groups"])
@pytest.mark.parametrize("layer", ["linear", "conv"])
def test_trained_modules_export_the_codes_they_trained_with(name, layer):
    weights = {"format": "int4", "group_size": 4, "pad": True} if name == "int4 in groups" else name
    torch.manual_seed(0)
    if layer == "linear":
        module, x = QuantLinear(10, 6, weights=weights), sample(12, 10)
        model = nn.Sequential(module, nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    else:
        module, x = QuantConv2d(3, 6, 3, padding=1, weights=weights), sample(12, 3, 5, 5)
        model = nn.Sequential(module, nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 3, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(5):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    assert module.weight.grad.abs().max() > 0
    expected = hwsim.lower(hwsim.quantize(module.weight.detach().numpy(), **module_format(weights)))
    network = check(model, x, tolerance=0.05)
    weight = network.node("0").operator.weight
    np.testing.assert_array_equal(weight.codes, expected.codes)
    np.testing.assert_array_equal(np.abs(weight.scale), expected.scale)


def module_format(weights):
    return weights if isinstance(weights, dict) else {"format": weights}


def test_gradients_pass_straight_through():
    layer = QuantLinear(3, 2, bias=False, weights="binary")
    x = sample(4, 3)
    layer(x).sum().backward()
    torch.testing.assert_close(layer.weight.grad, x.sum(dim=0).expand(2, 3))
    z = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    y = Sign()(z)
    assert y.tolist() == [-1, -1, 1, 1, 1]
    y.sum().backward()
    assert z.grad.tolist() == [0, 1, 1, 1, 0]


def test_operators_are_named_by_module_path():
    network = export(Function(nn.MaxPool2d(2)), sample(2, 3, 8, 8))
    assert {node.name: type(node.operator) for node in network.nodes[1:]} == {
        "before": Conv, "function": MaxPool, "after": Conv}  # fmt: skip
    relu = export(Function(lambda x: functional.relu(functional.max_pool2d(x, 2))), sample(2, 3, 8, 8))
    assert isinstance(relu.node("relu").operator, Relu)
    average = export(Function(nn.AvgPool2d(2)), sample(2, 3, 8, 8))
    assert isinstance(average.node("function").operator, AvgPool)
