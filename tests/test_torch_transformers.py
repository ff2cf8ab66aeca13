"""Encoder blocks: integers against naive integers, fake-quant and the model; costs of every operator."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwsim
from hwsim.errors import ExportError, FormatError, NetworkError
from hwsim.operators import DynamicMatmul, Embedding, LayerNorm
from hwsim.torch import export, fake_quant
from tests.naive_network import naive_outputs

torch.set_num_threads(1)
TOKENS, WIDTH, HEADS, WORDS = 5, 16, 2, 11


class WrittenOut(nn.Module):
    """Attention of Linear, matmul and softmax."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], HEADS, WIDTH // HEADS).transpose(1, 2)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5
        return self.out((torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(b, t, d))


class Fused(WrittenOut):
    """The same with scaled_dot_product_attention."""

    def forward(self, x):
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.permute(0, 2, 1, 3).flatten(2))


class Library(nn.Module):
    """nn.MultiheadAttention."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        nn.init.normal_(self.attention.in_proj_bias)
        nn.init.normal_(self.attention.out_proj.bias)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Encoder(nn.Module):
    """Embedding, positions, one block (norms first or last), a classifier."""

    def __init__(self, attention, norm_first=True, approximate="none"):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(WORDS, WIDTH)
        self.positions = nn.Parameter(0.5 * torch.randn(1, TOKENS + 3, WIDTH))
        self.attention = attention()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        nn.init.normal_(self.first.weight)
        self.up, self.gelu, self.down = nn.Linear(WIDTH, 40), nn.GELU(approximate), nn.Linear(40, WIDTH)
        self.head = nn.Linear(TOKENS * WIDTH, 3)
        self.norm_first = norm_first

    def mlp(self, x):
        return self.down(self.gelu(self.up(x)))

    def forward(self, ids):
        x = self.words(ids) + self.positions[:, : ids.shape[1]]
        if self.norm_first:
            x = x + self.attention(self.first(x))
            x = x + self.mlp(self.second(x))
        else:
            x = self.first(x + self.attention(x))
            x = self.second(x + self.mlp(x))
        return self.head(x.flatten(1))


IDS = torch.randint(0, WORDS, (24, TOKENS), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("attention", [WrittenOut, Fused, Library])
@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_blocks(attention, norm_first, tmp_path):
    model = Encoder(attention, norm_first, "none" if norm_first else "tanh").eval()
    network = export(model, IDS)
    x = IDS.numpy()
    got = hwsim.run(network, hwsim.Design(), x)
    np.testing.assert_array_equal(got, naive_outputs(network, x))
    np.testing.assert_array_equal(got, hwsim.run(network, hwsim.Design(datapath=hwsim.BitSerial(skip="zero")), x))
    with torch.no_grad():
        expected = model(IDS).numpy()
    peak = np.abs(expected).max()
    assert np.abs(got - fake_quant(network, x)).max() <= 0.01 * peak
    assert np.abs(got - expected).max() <= 0.06 * peak
    network.save(tmp_path / "encoder.safetensors")
    loaded = hwsim.Network.load(tmp_path / "encoder.safetensors")
    assert loaded.hash == network.hash
    np.testing.assert_array_equal(hwsim.run(loaded, hwsim.Design(), x), got)


def operators(network):
    return [type(node.operator).__name__ for node in network.nodes]


def test_every_operator_of_a_block_is_there_and_costs():
    network = export(Encoder(WrittenOut), IDS)
    assert operators(network) == [
        "Input", "Embedding", "AddConstant", "LayerNorm", "Linear", "Reshape", "Permute", "Linear", "Reshape",
        "Permute", "Linear", "Reshape", "Permute", "DynamicMatmul", "Softmax", "DynamicMatmul", "Permute", "Reshape",
        "Linear", "Add", "LayerNorm", "Linear", "Gelu", "Linear", "Add", "Flatten", "Linear",
    ]  # fmt: skip
    products = [node.operator for node in network.nodes if isinstance(node.operator, DynamicMatmul)]
    assert [product.transposed for product in products] == [True, False]
    result = hwsim.simulate(network, hwsim.Design(), batch=2)
    layers = {layer.name: layer for layer in result.layers}
    free = {node.name for node in network.nodes if type(node.operator).__name__ in ("Input", "Reshape", "Flatten")}
    assert list(layers) == [node.name for node in network.nodes if node.name not in free]
    matmul = layers[next(node.name for node in network.nodes if isinstance(node.operator, DynamicMatmul))]
    assert (matmul.shape, matmul.matmuls) == ((TOKENS, TOKENS, WIDTH // HEADS), 2 * HEADS)
    assert "second operand: normal" in matmul.assumed
    softmax = layers["softmax"]
    assert softmax.kind == "host"
    assert softmax.elements == 3 * 2 * HEADS * TOKENS * TOKENS
    assert softmax.cycles == -(-softmax.elements // hwsim.Design().vector_lanes)
    table = layers["words"]
    assert table.elements == 2 * TOKENS * WIDTH
    assert all(layer.energy_pj() > 0 for layer in result.layers)


def test_linear_layers_of_a_multihead_attention_take_overrides():
    network = export(Encoder(Library), IDS, overrides={"attention.attention.q_proj": "int4", "up": "int4"})
    formats = {node.name: node.operator.weight.format for node in network.matmuls() if "proj" in node.name}
    assert formats == {
        "attention.attention.q_proj": "int4", "attention.attention.k_proj": "int8",
        "attention.attention.v_proj": "int8", "attention.attention.out_proj": "int8",
    }  # fmt: skip


def test_datapaths_too_narrow_for_activations_as_weights_say_so():
    network = export(Encoder(Fused), IDS, weights="int4")
    with pytest.raises(FormatError, match=r"layer 'matmul'.*weight_bits is 4"):
        hwsim.run(network, hwsim.Design(datapath=hwsim.Mac(weight_bits=4)), IDS.numpy())


def test_indices_are_checked():
    network = export(Encoder(Fused), IDS)
    for bad in (IDS.numpy() + 0.5, IDS.numpy() - 20, IDS.numpy() + WORDS):
        with pytest.raises(NetworkError, match=r"whole numbers in 0\.\.10"):
            hwsim.run(network, hwsim.Design(), bad)


def test_whole_numbers_only_reach_embeddings():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)

        def forward(self, ids):
            return self.words(ids).flatten(1), ids

    class Doubled(Model):
        def forward(self, ids):
            return self.words(ids).flatten(1) + ids.flatten(1).repeat(1, WIDTH)

    with pytest.raises(ExportError, match="return one tensor"):
        export(Model(), IDS)
    with pytest.raises(ExportError, match="operator repeat is not supported"):
        export(Doubled(), IDS)
    with pytest.raises(ExportError, match=r"torch\.int64, expected floating point"):
        export(nn.Linear(TOKENS, 2), IDS)


@pytest.mark.parametrize(("options", "message"), [
    ({"batch_first": False}, "batch_first=True"), ({"add_zero_attn": True, "batch_first": True}, "add_zero_attn"),
    ({"kdim": 8, "batch_first": True}, "one width"),
])  # fmt: skip
def test_multihead_attention_that_is_not_supported(options, message):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(WIDTH, HEADS, **options)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    with pytest.raises(ExportError, match=rf"attention: operator MultiheadAttention.*{message}"):
        export(Model(), torch.randn(2, TOKENS, WIDTH))


def test_operators_refuse_what_does_not_fit():
    with pytest.raises(NetworkError, match="beyond 64 bits"):
        LayerNorm(
            scale=1.0, output_scale=1.0, low=-9, high=9, gain=np.ones(1 << 12), bias=np.zeros(1 << 12), epsilon=1e-5
        ).output_range((-(1 << 22), 1 << 22))
    with pytest.raises(NetworkError, match=r"indices 0\.\.11 into an embedding table of 11 entries"):
        Embedding(table=np.zeros((11, 2), np.int32)).output_range((0, 11))
    wide = export(Encoder(Fused), IDS)
    product = next(node.operator for node in wide.nodes if isinstance(node.operator, DynamicMatmul))
    with pytest.raises(NetworkError, match="needs 9 bits"):
        product.output_range((-127, 127), (-200, 127))
    with pytest.raises(NetworkError, match=r"matmul of shapes \(2, 5, 8\) and \(3, 5, 8\)"):
        product.output_shape((2, 5, 8), (3, 5, 8))
