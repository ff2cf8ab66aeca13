"""Transformers as they are usually written: masks, fused projections, PyTorch's encoder, class tokens, pooling."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwsim
from hwsim.errors import ExportError, NetworkError
from hwsim.operators import AddConstant, JoinConstant, Mean, Slice, Softmax
from hwsim.torch import export, fake_quant
from tests.naive_network import naive_outputs

torch.set_num_threads(1)
TOKENS, WIDTH, HEADS = 6, 16, 2
HEAD = WIDTH // HEADS
X = torch.randn(20, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
CAUSAL = torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril()
RELATIVE = -0.5 * (torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)).abs().float()


def check(model, samples=X, tolerance=0.06):
    """Integers are the naive ones, near fake-quant and the model; files keep them. Returns the network."""
    model = model.eval()
    network = export(model, samples)
    x = samples.numpy()
    got = hwsim.run(network, None, x)
    np.testing.assert_array_equal(got, naive_outputs(network, x))
    np.testing.assert_array_equal(got, hwsim.run(network, hwsim.Design(datapath=hwsim.Mac(activation_bits=8)), x))
    with torch.no_grad():
        expected = model(samples).numpy()
    peak = np.abs(expected).max()
    assert np.abs(got - fake_quant(network, x)).max() <= 0.015 * peak
    assert np.abs(got - expected).max() <= tolerance * peak
    return network


def softmaxes(network):
    return [node.operator for node in network.nodes if isinstance(node.operator, Softmax)]


class Block(nn.Module):
    """Attention whose scores pass through ``mix(module, q, k, v)``."""

    def __init__(self, mix, qkv=None):
        super().__init__()
        torch.manual_seed(0)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.qkv.weight.data *= 2
        self.register_buffer("causal", CAUSAL)
        self.register_buffer("additive", torch.zeros(TOKENS, TOKENS).masked_fill(~CAUSAL, -math.inf))
        self.register_buffer("relative", RELATIVE)
        self.register_buffer("longer", torch.ones(1, 1, 64, 64).tril())
        self.mix, self.take = mix, qkv or chunked

    def forward(self, x):
        q, k, v = self.take(self, x)
        mixed = self.mix(self, q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(x.shape[0], x.shape[1], WIDTH))


def heads(x):
    return x.view(x.shape[0], x.shape[1], HEADS, HEAD).transpose(1, 2)


def chunked(module, x):
    return [heads(part) for part in module.qkv(x).chunk(3, dim=-1)]


def split(module, x):
    q, k, v = module.qkv(x).split(WIDTH, dim=2)
    return heads(q), heads(k), heads(v)


def unbound(module, x):
    q, k, v = module.qkv(x).view(x.size(0), -1, 3, HEADS, HEAD).unbind(dim=2)
    return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


PROJECTIONS = {
    "chunk": chunked,
    "split": split,
    "torch.split": lambda m, x: [heads(part) for part in torch.split(m.qkv(x), [WIDTH] * 3, -1)],
    "reshape, permute, unbind": lambda m, x: (
        m.qkv(x).reshape(x.shape[0], x.shape[1], 3, HEADS, HEAD).permute(2, 0, 3, 1, 4).unbind(0)
    ),
    "reshape, permute, index": lambda m, x: [
        m.qkv(x).reshape(x.shape[0], x.shape[1], 3, HEADS, HEAD).permute(2, 0, 3, 1, 4)[i] for i in range(3)
    ],
    "view, unbind": unbound,
    "slices": lambda m, x: [heads(m.qkv(x)[..., i * WIDTH : (i + 1) * WIDTH]) for i in range(3)],
    "narrow": lambda m, x: [heads(m.qkv(x).narrow(-1, i * WIDTH, WIDTH)) for i in range(3)],
}


@pytest.mark.parametrize("name", PROJECTIONS)
def test_fused_projections(name):
    network = check(Block(lambda m, q, k, v: functional.scaled_dot_product_attention(q, k, v), PROJECTIONS[name]))
    assert sum(isinstance(node.operator, Slice) for node in network.nodes) == 3
    layers = {layer.name: layer for layer in hwsim.simulate(network, hwsim.Design()).layers}
    assert layers["qkv"].shape == (TOKENS, 3 * WIDTH, WIDTH)
    assert not any("getitem" in name for name in layers)


def explicit(hide):
    """Scores written out; ``hide(module, scores)`` masks them."""

    def mix(module, q, k, v):
        return torch.softmax(hide(module, q @ k.transpose(-2, -1) / math.sqrt(HEAD)), dim=-1) @ v

    return mix


CAUSAL_MASKS = {
    "is_causal": lambda m, q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
    "boolean": lambda m, q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=m.causal),
    "additive": lambda m, q, k, v: functional.scaled_dot_product_attention(q, k, v, attn_mask=m.additive),
    "added": explicit(lambda m, s: s + m.additive),
    "added -1e9": explicit(lambda m, s: s + (1.0 - m.longer[:, :, :TOKENS, :TOKENS]) * -1e9),
    "masked_fill": explicit(lambda m, s: s.masked_fill(m.longer[:, :, : s.size(-2), : s.size(-1)] == 0, -math.inf)),
    "masked_fill -1e9": explicit(lambda m, s: s.masked_fill(~m.causal, -1e9)),
    "masked_fill finfo": explicit(lambda m, s: s.masked_fill(~m.causal, torch.finfo(torch.float32).min)),
    "where": explicit(lambda m, s: torch.where(m.causal, s, float("-inf"))),
    "where swapped": explicit(lambda m, s: torch.where(~m.causal, torch.tensor(-1e9), s)),
    "made in forward": explicit(
        lambda m, s: s.masked_fill(torch.ones(s.shape[-1], s.shape[-1]).triu(1).bool(), -math.inf)
    ),
    "scaled after": lambda m, q, k, v: (
        torch.softmax((q @ k.transpose(-2, -1)).masked_fill(~m.causal, -math.inf) / math.sqrt(HEAD), -1) @ v
    ),
}


@pytest.mark.parametrize("name", CAUSAL_MASKS)
def test_causal_masks(name):
    network = check(Block(CAUSAL_MASKS[name]))
    (softmax,) = softmaxes(network)
    np.testing.assert_array_equal(softmax.mask, CAUSAL.numpy())
    assert not any(isinstance(node.operator, AddConstant) for node in network.nodes)
    x = X.numpy().copy()
    before = hwsim.run(network, None, x)
    x[:, 3:] += 1
    after = hwsim.run(network, None, x)
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert (before[:, 3:] != after[:, 3:]).any()


BIASES = {
    "relative": explicit(lambda m, s: s + m.relative),
    "relative, causal": explicit(lambda m, s: s + (m.relative + m.additive)),
    "relative, then causal": explicit(lambda m, s: s + m.relative + m.additive),
    "causal, then relative": explicit(lambda m, s: (s + m.additive) + m.relative),
    "attn_mask": lambda m, q, k, v: functional.scaled_dot_product_attention(q, k, v, m.relative + m.additive),
}


@pytest.mark.parametrize("name", BIASES)
def test_finite_biases_are_added_and_the_rest_is_masked(name):
    network = check(Block(BIASES[name]))
    assert sum(isinstance(node.operator, AddConstant) for node in network.nodes) == 1
    mask = softmaxes(network)[0].mask
    if name == "relative":
        assert mask is None
    else:
        np.testing.assert_array_equal(mask, CAUSAL.numpy())


def test_a_mask_per_head():
    hidden = torch.zeros(HEADS, TOKENS, TOKENS, dtype=torch.bool)
    hidden[0, :, 0] = hidden[1, 2, 3:] = True
    network = check(Block(explicit(lambda m, s: s.masked_fill(hidden, -math.inf))))
    np.testing.assert_array_equal(softmaxes(network)[0].mask, ~hidden.numpy())


class Library(nn.Module):
    """PyTorch's own encoder."""

    def __init__(self, mask=None, layers=2, **options):
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True, **options)
        norm = nn.LayerNorm(WIDTH) if options.get("norm_first") else None
        self.encoder = nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False) if layers else layer
        self.head = nn.Linear(WIDTH, 3)
        for parameter in self.parameters():
            if parameter.ndim == 1:
                parameter.data += 0.2 * torch.randn(parameter.shape)
        if mask is not None:
            self.register_buffer("mask", mask)
        self.masked = mask is not None

    def forward(self, x):
        x = self.encoder(x, self.mask) if self.masked else self.encoder(x)
        return self.head(x.mean(dim=1))


@pytest.mark.parametrize("options", [
    {"activation": "relu"}, {"activation": "gelu", "norm_first": True}, {"activation": nn.GELU("tanh")},
    {"activation": functional.gelu, "bias": False}, {"layers": 0, "norm_first": True}, {"layers": 0},
    {"mask": nn.Transformer.generate_square_subsequent_mask(TOKENS)}, {"mask": ~CAUSAL, "norm_first": True},
    {"mask": ~CAUSAL, "layers": 0},
], ids=lambda options: ", ".join(options))  # fmt: skip
def test_encoders_of_the_library(options):
    network = check(Library(**options), tolerance=0.1)
    products = [node.name for node in network.matmuls()]
    prefix = "encoder.layers.0." if options.get("layers", 2) else "encoder."
    assert {f"{prefix}self_attn.q_proj", f"{prefix}self_attn.out_proj", f"{prefix}linear1"} <= set(products)
    assert all((node.mask is not None) == ("mask" in options) for node in softmaxes(network))


def test_overrides_name_the_layers_of_a_library_encoder():
    network = export(Library(), X, overrides={"encoder.layers.1.linear?": "int4"})
    narrow = [node.name for node in network.matmuls() if node.name.startswith("encoder") and "linear" in node.name
              and node.operator.weight.format == "int4"]  # fmt: skip
    assert narrow == ["encoder.layers.1.linear1", "encoder.layers.1.linear2"]


class Vision(nn.Module):
    """Patches, a class token, learned positions, one block, a classifier on the class token or the mean."""

    def __init__(self, pool, behind=False):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(1, WIDTH, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 5, WIDTH))
        self.block = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True, norm_first=True)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4)
        self.pool, self.behind = pool, behind

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        token = self.token.expand(x.shape[0], -1, -1)
        x = torch.cat([x, token] if self.behind else [token, x], dim=1) + self.positions
        return self.head(self.pool(self.norm(self.block(x))))


POOLS = {
    "first token": lambda x: x[:, 0], "first token, select": lambda x: x.select(1, 0),
    "first token, slice": lambda x: x[:, :1].squeeze(1), "last token": lambda x: x[:, -1, :],
    "mean": lambda x: x.mean(1), "mean of patches": lambda x: x[:, 1:].mean(dim=1, keepdim=True).flatten(1),
    "torch.mean": lambda x: torch.mean(x, dim=-2),
}  # fmt: skip


@pytest.mark.parametrize("name", POOLS)
def test_vision_transformers(name):
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    network = check(Vision(POOLS[name], behind=name == "last token"), images, tolerance=0.1)
    (joined,) = [node.operator for node in network.nodes if isinstance(node.operator, JoinConstant)]
    assert joined.before == (name != "last token")
    layers = {layer.name: layer for layer in hwsim.simulate(network, hwsim.Design()).layers}
    assert all(layer.energy_pj() > 0 for layer in layers.values())
    assert {"cat", "add", "block.norm1"} <= set(layers)


def test_means_over_space():
    torch.manual_seed(0)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 6, 3), nn.Linear(6, 3)

        def forward(self, x):
            return self.head(functional.relu(self.conv(x)).mean((2, 3)))

    network = check(Model(), torch.randn(8, 2, 7, 7))
    (mean,) = [node.operator for node in network.nodes if isinstance(node.operator, Mean)]
    assert (mean.axes, mean.count) == ((1, 2), 25)


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.linear, self.function = nn.Linear(WIDTH, WIDTH), function
        self.encoder = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True)
        self.value = nn.Parameter(torch.randn(20, 1, WIDTH))

    def forward(self, x):
        return self.function(self, self.linear(x))


REFUSED = {
    "padding mask": (lambda m, x: m.encoder(x, src_key_padding_mask=x[..., 0] > 0),
                     "encoder: src_key_padding_mask is not supported: it differs between samples"),
    "mask of samples": (lambda m, x: torch.softmax(x.masked_fill(x > 0, -math.inf), -1), "operator gt is not"),
    "fill 0": (lambda m, x: x.masked_fill(torch.ones(WIDTH, dtype=torch.bool), 0), "it fills in 0; only -inf"),
    "no softmax": (lambda m, x: x.masked_fill(torch.ones(WIDTH).bool(), -math.inf).relu(),
                   "masked_fill: it adds -inf, which is supported before a softmax only"),
    "empty row": (lambda m, x: torch.softmax(x.masked_fill(torch.ones(TOKENS, 1).bool(), -1e9) @ x.mT, -1),
                  "it adds -inf, which is supported before a softmax only"),
    "hidden row": (lambda m, x: torch.softmax(x + torch.full((TOKENS, 1), -1e9), -1), "leaves nothing of a row"),
    "step": (lambda m, x: x[:, ::2], "operator getitem: a step of 2 is not supported"),
    "batch": (lambda m, x: x[1:], "operator getitem: it takes the batch apart"),
    "gather": (lambda m, x: x[:, torch.tensor([0, 2])], "only slices and numbers"),
    "None": (lambda m, x: x[:, None], "only slices and numbers"),
    "batch split": (lambda m, x: x.chunk(2, 0)[0], "it takes the batch apart"),
    "batch mean": (lambda m, x: x.mean(0), "averages over the batch"),
    "moved": (lambda m, x: x.permute(1, 0, 2).relu(), "has the batch on axis 1; take one element of axis 0"),
    "moved slice": (lambda m, x: x.permute(1, 0, 2)[1:3], "has the batch on axis 1; take one element of axis 0"),
    "two constants": (lambda m, x: torch.cat([torch.ones(20, 1, WIDTH), x, torch.ones(20, 1, WIDTH)], 1), "one activ"),
    "constant per sample": (lambda m, x: torch.cat([m.value, x], 1), "differs between samples"),
    "several results": (lambda m, x: x.max(dim=1).values, "operator max is not supported"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_names_the_call(name):
    function, message = REFUSED[name]
    with pytest.raises(ExportError, match=message):
        export(Called(function), X)


def test_operators_check_their_fields():
    with pytest.raises(NetworkError, match="a row of the mask leaves nothing"):
        Softmax(scale=1.0, output_scale=1.0, low=0, high=9, mask=np.zeros((2, 2), bool))
    softmax = Softmax(scale=1.0, output_scale=1.0, low=0, high=9, mask=np.ones((2, 3), bool))
    with pytest.raises(NetworkError, match=r"mask of shape \(2, 3\) for an input of shape \(4, 2\)"):
        softmax.output_shape((4, 2))
    for bad in ({"starts": (1,), "stops": (1,)}, {"starts": (0,), "stops": (2,), "dropped": (0,)},
                {"starts": (0, 0), "stops": (2,)}):  # fmt: skip
        with pytest.raises(NetworkError, match="slice"):
            Slice(**bad)
    with pytest.raises(NetworkError, match=r"shape \(2,\) sliced"):
        Slice(starts=(0,), stops=(3,)).output_shape((2,))
    mean = Mean(axes=(0,), keep=False, count=4, multiplier=(1 << 31) - 1, shift=30, low=-9, high=9)
    with pytest.raises(NetworkError, match="mean of 4 elements"):
        mean.output_shape((5, 2))
    with pytest.raises(NetworkError, match="beyond 64 bits"):
        mean.output_range((0, (1 << 31) - 1))
    joined = JoinConstant(value=np.ones((1, 3), np.int32), multiplier=2, shift=1, low=-9, high=9)
    with pytest.raises(NetworkError, match="joined with a constant"):
        joined.output_shape((2, 4))


class Written(nn.Module):
    """A decoder as GPT is usually written: positions by arange, a longer causal buffer, one block, tied sizes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.positions = nn.Embedding(11, WIDTH), nn.Embedding(32, WIDTH)
        self.norm, self.last = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attend, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.drop, self.head = nn.Dropout(0.1), nn.Linear(WIDTH, 11, bias=False)
        self.register_buffer("bias", torch.tril(torch.ones(32, 32)).view(1, 1, 32, 32))

    def forward(self, ids):
        batch, tokens = ids.size()
        at = torch.arange(0, tokens, dtype=torch.long, device=ids.device)
        x = self.drop(self.words(ids) + self.positions(at))
        q, k, v = self.attend(self.norm(x)).split(WIDTH, dim=2)
        q, k, v = (each.view(batch, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for each in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :tokens, :tokens] == 0, float("-inf"))
        y = self.drop(functional.softmax(att, dim=-1)) @ v
        x = x + self.project(y.transpose(1, 2).contiguous().view(batch, tokens, WIDTH))
        return self.head(self.last(x)[:, -1, :])


def test_a_decoder_on_tokens():
    ids = torch.randint(0, 11, (20, TOKENS), generator=torch.Generator().manual_seed(3))
    network = check(Written(), ids, tolerance=0.1)
    np.testing.assert_array_equal(softmaxes(network)[0].mask, CAUSAL.numpy())
    assert torch.ones(2).sum() == 2  # what tracing replaced is back
