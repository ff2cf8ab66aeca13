"""What export cannot take is an error that names module path and operator."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from hwsim.errors import ExportError, FormatError
from hwsim.torch import QuantConv2d, QuantLinear, Sign, export

torch.set_num_threads(1)


class Block(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(2, 4, 3, padding=1), function

    def forward(self, x):
        return self.function(self.conv(x))


class Nested(nn.Module):
    """``function`` runs in the module ``body.block``."""

    def __init__(self, function):
        super().__init__()
        self.body = nn.ModuleDict({"block": Block(function)})

    def forward(self, x):
        return self.body["block"](x)


X = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))

UNSUPPORTED = {
    "silu": (
        functional.silu,
        r"body\.block\.silu: operator silu is not supported; supported: Linear.*MultiheadAttention",
    ),
    "SiLU": (nn.SiLU(), r"body\.block\.function: operator SiLU is not supported"),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 4, 3), "operator ConvTranspose2d is not supported"),
    "GroupNorm": (nn.GroupNorm(2, 4), "operator GroupNorm is not supported"),
    "LayerNorm": (nn.LayerNorm([6, 6]), r"normalized_shape \(6, 6\) is not supported, only the last axis"),
    "multiply": (lambda x: x * x, "operator mul: its second operand is not a positive number"),
    "negative factor": (lambda x: x * -0.5, "operator mul: its second operand is not a positive number"),
    "softmax": (lambda x: x.softmax(1), "operator softmax: dim 1 is not supported"),
    "matmul": (lambda x: torch.matmul(x, x[:, :1]), "do not share their leading axes"),
    "matmul with weights": (lambda x: torch.matmul(x, torch.ones(6, 6)), "use nn.Linear for stored weights"),
    "batch transposed": (lambda x: x.transpose(0, 1), "moves the batch axis"),
    "masked by samples": (
        lambda x: functional.scaled_dot_product_attention(x, x, x, attn_mask=x),
        "operator masked: its mask depends on the samples",
    ),
    "dropout": (lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.1), "dropout_p is not"),
    "sigmoid": (lambda x: x.sigmoid(), r"body\.block\.sigmoid: operator sigmoid is not supported"),
    "reflect": (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "padding_mode 'reflect'"),
    "uneven adaptive": (nn.AdaptiveAvgPool2d(4), "differ in size"),
    "ceil_mode": (nn.MaxPool2d(4, ceil_mode=True), "ceil_mode"),
    "dilated pool": (nn.MaxPool2d(2, dilation=2), "dilation"),
    "count_include_pad": (nn.AvgPool2d(3, padding=1, count_include_pad=False), "count_include_pad=False"),
    "constant": (lambda x: x + 1.0, "operand 1.0 is not an activation"),
    "alpha": (lambda x: torch.add(x, x, alpha=2), "alpha"),
    "broadcast": (lambda x: x + functional.adaptive_avg_pool2d(x, 1), "differ"),
    "cat batch": (lambda x: torch.cat([x, x], 0), "dim 0"),
    "lost batch": (lambda x: x.flatten(0), r"only \(batch, \.\.\.\)"),
    "in place": (lambda x: x + x.relu_(), "in place"),
    "tuple": (lambda x: (x, x), "return one tensor"),
    "branch": (lambda x: x if x.sum() > 0 else -x, "cannot be traced"),
    "no statistics": (nn.BatchNorm2d(4, track_running_stats=False), "no running statistics"),
    "chunk": (lambda x: torch.chunk(x, 2, 0)[0], "operator getitem: it takes the batch apart"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_operators(name):
    function, message = UNSUPPORTED[name]
    with pytest.raises(ExportError, match=message):
        export(Nested(function), X)


@pytest.mark.parametrize(("function", "message"), [
    (lambda x, value: x + value, "add: operator add: the constant differs between samples"),
    (lambda x, value: x * value, "mul: operator mul: its second operand is not a positive number"),
    (lambda x, value: torch.cat([x, value], 1), "operator cat: the constant differs between samples"),
    (lambda x, value: x[:, :1] + value, r"the activation of shape \(4, 1, 6, 6\) is broadcast"),
])  # fmt: skip
def test_parameters_used_directly(function, message):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.randn(4, 2, 6, 6))

        def forward(self, x):
            return function(x, self.value)

    with pytest.raises(ExportError, match=message):
        export(Model(), X)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (X * float("nan"), "NaN"),
        (X[:, :1], r"does not run on sample_inputs of shape \(4, 1, 6, 6\)"),
        (X[:0], "expected \\[batch"),
        (X.int(), "int32"),
        (X * 3e38 * 3e38, "infinity"),
        (X[0, 0, 0], "expected \\[batch"),
        (X * 1e37, "its result on sample_inputs is not finite"),
    ],
)
def test_bad_samples(samples, message):
    model = nn.Sequential(nn.Conv2d(2, 200, 3))
    model[0].weight.data.fill_(10.0)
    with pytest.raises(ExportError, match=message):
        export(model, samples)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_padding_that_is_not_symmetric_is_refused():
    with pytest.raises(ExportError, match="pads unevenly"):
        export(Nested(nn.Conv2d(4, 4, 2, padding="same")), X)


def test_two_inputs_are_refused():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    with pytest.raises(ExportError, match=r"second input|does not run"):
        export(Two(), X)


def test_an_input_without_batch_axis_is_refused():
    with pytest.raises(ExportError, match="no batch axis"):
        export(nn.Conv2d(2, 4, 3), torch.zeros(2, 6, 6) + 1)


def test_bad_formats():
    model = nn.Sequential(nn.Conv2d(2, 4, 3))
    with pytest.raises(FormatError, match="did you mean 'int4'"):
        export(model, X, weights="int44")
    with pytest.raises(ExportError, match="activations must be 'int2' to 'int8', not 'int9'"):
        export(model, X, activations="int9")
    with pytest.raises(ExportError, match="0: group_size 5 does not divide rows of 18"):
        export(model, X, weights={"format": "int4", "group_size": 5})
    model[0].weight.data[0, 0, 0, 0] = float("inf")
    with pytest.raises(ExportError, match="0: int8: weights hold NaN or infinity"):
        export(model, X)


def test_a_trained_format_cannot_be_overridden():
    model = nn.Sequential(nn.Flatten(), QuantLinear(72, 3, weights="int4"))
    assert export(model, X, overrides={"1": "int4"}).node("1").operator.weight.format == "int4"
    with pytest.raises(ExportError, match="1: it was trained as"):
        export(model, X, overrides={"1": "int8"})


def test_sums_beyond_32_bits_are_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))
    model[1].weight.data.fill_(1.0)
    wide = nn.Sequential(nn.Linear(1200, 2))
    wide[0].weight.data.fill_(1.0)
    wide[0].weight.data[:, :8] = 1.01
    export(model, X)
    with pytest.raises(ExportError, match="beyond 32 bits"):
        export(wide, torch.ones(2, 1200), weights={"format": "int8", "group_size": 8})


def test_binary_activations_need_a_padding_that_hardware_has():
    def model(conv):
        return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), Sign(), nn.MaxPool2d(2), conv)

    message = "4: it pads ±1 activations with 0"
    with pytest.raises(ExportError, match=message):
        export(model(nn.Conv2d(4, 4, 3, padding=1)), X)
    with pytest.raises(ExportError, match=message):
        export(model(QuantConv2d(4, 4, 3, padding=1, weights="binary")), X)
    network = export(model(QuantConv2d(4, 4, 3, padding=1, weights="binary", pad_value=-1)), X)
    assert network.node("4").operator.pad_value == -1
    with pytest.raises(ExportError, match="behind a Sign only"):
        export(nn.Sequential(QuantConv2d(2, 4, 3, padding=1, weights="binary", pad_value=-1)), X)


def test_quantized_modules_check_their_arguments():
    with pytest.raises(FormatError, match="unknown format 'int'"):
        QuantLinear(2, 2, weights="int")
    with pytest.raises(TypeError, match="whole numbers, not 'same'"):
        QuantConv2d(2, 2, 3, padding="same", weights="int4")
