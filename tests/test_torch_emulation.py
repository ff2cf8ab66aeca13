"""PyTorch models on a datapath's arithmetic."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import hwsim  # noqa: E402
from hwsim import datapaths  # noqa: E402
from hwsim.errors import DesignError, ExportError, FormatError  # noqa: E402
from hwsim.torch import emulate  # noqa: E402
from tests import naive_floating as naive  # noqa: E402


def design(datapath) -> hwsim.Design:
    return hwsim.Design(datapath=datapath)


DATAPATHS = {
    "mac": hwsim.Mac(), "bit_serial": hwsim.BitSerial(skip="zero"), "lut": hwsim.Lut(weight_bits=8),
    "fp_mac": hwsim.FpMac(), "fp_mac bf16": hwsim.FpMac(format="bf16"),
    "lmul best": hwsim.LMul(correction="best"), "lmul fixed": hwsim.LMul(accumulation="fixed"),
}  # fmt: skip


class Everything(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
        self.line = nn.Conv1d(6, 4, 3, padding=2, dilation=2)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.line(self.conv(x).flatten(2)).transpose(1, 2)
        y = self.encoder(torch.cat([y, y], dim=-1))
        y = y + functional.scaled_dot_product_attention(y, y, y, is_causal=True)
        return self.head(y @ y.transpose(1, 2) @ y)


@pytest.mark.parametrize("name", DATAPATHS)
def test_models_stay_close_to_their_own_results(name):
    torch.manual_seed(0)
    model = Everything().eval()
    x = torch.randn(2, 4, 7, 6)
    with torch.no_grad():
        expected = model(x)
    got = emulate(model, design(DATAPATHS[name]))(x)
    assert got.shape == expected.shape
    error = (got - expected).norm() / expected.norm()
    assert 0 < error < 0.3


@pytest.mark.parametrize("datapath", [hwsim.LMul(lanes=3, format="bf16"), hwsim.FpMac(lanes=3, format="bf16")])
def test_linear_layers_are_the_datapath_bit_for_bit(datapath):
    torch.manual_seed(1)
    layer = nn.Linear(11, 5)
    x = torch.randn(4, 11)
    kind = datapath.kind
    a, b = (kind.encode(each.detach().numpy(), signed_zero=False) for each in (x, layer.weight))
    expected = np.array(
        [[naive.float32_sum(kind.decode(datapath.products(i, j)), datapath.lanes) for j in b] for i in a], np.float32
    )
    got = emulate(nn.Sequential(layer), design(datapath))(x)
    np.testing.assert_array_equal(got.numpy(), expected + layer.bias.detach().numpy())


def test_integer_layers_are_the_datapath_bit_for_bit():
    torch.manual_seed(2)
    layer = nn.Linear(9, 4, bias=False)
    x = torch.randn(3, 9, dtype=torch.float64)
    w = layer.weight.detach().double()
    x_scale, w_scale = x.abs().max() / 127, w.abs().amax(1) / 127
    whole = torch.round(x / x_scale) @ torch.round(w / w_scale[:, None]).T
    got = emulate(layer.double(), design(hwsim.Mac()))(x)
    torch.testing.assert_close(got, whole * x_scale * w_scale, rtol=1e-6, atol=1e-9)


def test_overrides_by_module_path():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    x = torch.randn(2, 8)
    mixed = hwsim.Design(
        datapath=hwsim.FpMac(format="fp16"), overrides=(hwsim.Override(layers="1", datapath=hwsim.LMul(format="e2m1")),)
    )
    first = emulate(model[0], design(hwsim.FpMac(format="fp16")))(x)
    second = emulate(model[1], design(hwsim.LMul(format="e2m1")))(first)
    torch.testing.assert_close(emulate(model, mixed)(x), second, rtol=0, atol=0)


def test_a_group_has_a_scale_of_its_own():
    torch.manual_seed(4)
    layer = nn.Linear(11, 3, bias=False)
    x = torch.randn(4, 11) * torch.logspace(-2, 2, 11)
    datapath = hwsim.FpMac(lanes=2)
    kind, expected = datapath.kind, np.zeros((4, 3))
    for k in range(0, 11, 4):
        a, b = (each.detach().double().numpy()[:, k : k + 4] for each in (x, layer.weight))
        scales = [np.abs(each).max(axis=1, keepdims=True) / kind.max for each in (a, b)]
        codes = [kind.encode(each / scale, signed_zero=False) for each, scale in zip((a, b), scales, strict=True)]
        division = datapath.least_division(kind.max**2)
        rounded = kind.decode(datapath.products(codes[0][:, None], codes[1][None], division))
        sums = np.array([[naive.float32_sum(each, 2) for each in row] for row in rounded], np.float64)
        expected += np.ldexp(sums, division) * scales[0] * scales[1].T
    got = emulate(layer, design(datapath), group_size=4)(x)
    np.testing.assert_array_equal(got.numpy(), expected.astype(np.float32))


class Attention(nn.Module):
    def forward(self, x):
        return functional.scaled_dot_product_attention(x, x, x)


@pytest.mark.parametrize("datapath", [hwsim.LMul(lanes=3, format="bf16"), hwsim.FpMac(lanes=3, format="bf16")])
def test_both_products_of_attention_are_the_datapath_bit_for_bit(datapath):
    torch.manual_seed(7)
    x = torch.randn(5, 4)
    kind = datapath.kind

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        codes = [kind.encode(each.double().numpy(), signed_zero=False) for each in (a, b)]
        rows = [[kind.decode(datapath.products(i, j)) for j in codes[1]] for i in codes[0]]
        return torch.tensor([[naive.float32_sum(each, datapath.lanes) for each in row] for row in rows])

    probabilities = functional.softmax(product(x, x) / 2, dim=-1)
    expected = product(probabilities, x.T)
    got = emulate(Attention(), design(datapath))(x)
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_attention_on_tables_of_few_bits():
    torch.manual_seed(5)
    x = torch.randn(1, 6, 8)
    got = emulate(Attention(), design(hwsim.Lut(weight_bits=4)))(x)
    expected = Attention()(x)
    assert 0 < (got - expected).norm() / expected.norm() < 0.3


@pytest.mark.parametrize("model", [
    nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False),
    nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
], ids=["encoder", "layer"])  # fmt: skip
def test_a_model_that_is_an_encoder_itself(model):
    torch.manual_seed(6)
    x = torch.randn(2, 3, 8)
    with torch.no_grad():
        expected = model.eval()(x)
    got = emulate(model, design(hwsim.FpMac(format="bf16")))(x)
    torch.testing.assert_close(got, expected, rtol=0.05, atol=0.05)


def test_the_gain_divides_sums_and_not_biases():
    layer = nn.Linear(8, 4)
    x = torch.randn(2, 8)
    plain, halved = (emulate(layer, design(hwsim.LMul()), gain=gain)(x) - layer.bias for gain in (1.0, 2.0))
    torch.testing.assert_close(halved * 2, plain)


def test_the_model_itself_is_not_touched():
    model = nn.Linear(4, 4)
    emulate(model, design(hwsim.LMul()))
    assert not model._forward_hooks


class Product(nn.Module):
    def forward(self, x):
        return torch.einsum("ij,kj->ik", x, x)


def test_what_is_refused():
    with pytest.raises(ExportError, match="einsum is not emulated"):
        emulate(Product(), design(hwsim.LMul()))(torch.ones(2, 2))
    layer = emulate(nn.Linear(2, 2), design(hwsim.LMul()))
    with pytest.raises(FormatError, match="NaN"):
        layer(torch.full((1, 2), torch.nan))
    narrow = emulate(nn.Linear(64, 2), design(hwsim.LMul(accumulation="fixed", accumulator_bits=20)))
    with pytest.raises(FormatError, match="accumulator_bits"):
        narrow(torch.ones(1, 64))
    with pytest.raises(DesignError, match="group_size is for floating-point"):
        emulate(nn.Linear(2, 2), design(hwsim.Mac()), group_size=4)
    with pytest.raises(DesignError, match="group_size 0"):
        emulate(nn.Linear(2, 2), design(hwsim.LMul()), group_size=0)
    rule = design(datapaths.find("stripes")())
    with pytest.raises(DesignError, match="cost-only"):
        emulate(nn.Linear(2, 2), rule)
