"""Seeded training of the digits networks, and their export."""

import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from hwsim.digits import PIXEL_SCALE
from hwsim.models.architectures import BinaryCnn, BinaryMlp, Cnn, Mlp, SplitMlp, WideMlp
from hwsim.network import Network
from hwsim.torch import QuantConv2d, QuantLinear, export
from hwsim.torch.split import Split
from hwsim.torch.weights import WeightFormat, Weights

SEED = 0
HELD_OUT = 400
BATCH = 64
INT4: Weights = {"format": "int4", "group_size": 32, "pad": True}
"""Groups of 32; rows of 50, 96, 100 and 108 end in shorter ones or need several."""
BITMOD: Weights = {"format": "bitmod_fp3", "group_size": 32, "pad": True}
TILED: Weights = {"format": "tbn", "p": 4, "min_size": 10_000}
"""The last layer is too small to repeat a tile in: classes would share their weights."""
PLAIN = WeightFormat.parse("int8")


def split_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images uint8[n, 8, 8], held-out images, and their labels: a fixed stratified split."""
    digits = load_digits()
    return train_test_split(
        digits.images.astype(np.uint8), digits.target, test_size=HELD_OUT, random_state=SEED, stratify=digits.target
    )


def to_input(images: np.ndarray) -> torch.Tensor:
    """float32[n, 1, 8, 8] in 0..1."""
    return torch.tensor(images.astype(np.float32))[:, None] * PIXEL_SCALE


def train(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, *, epochs: int, rate: float,
    advance: Callable[[], Any],
) -> nn.Module:  # fmt: skip
    """Adam with a cosine schedule; images move by up to one pixel. ``advance`` is called per epoch."""
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    model.train()
    for _ in range(epochs):
        for batch in _batches(len(images), generator):
            optimizer.zero_grad()
            loss_of(model(_shifted(images[batch], generator)), labels[batch]).backward()
            optimizer.step()
            _clip_latent(model)
        schedule.step()
        advance()
    return model.eval()


def _batches(count: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    order = torch.randperm(count, generator=generator)
    return (part for part in order.split(BATCH) if len(part) > 1)


def _shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of the batches: all images moved by the same -1, 0 or 1 pixels down and right."""
    if torch.rand(1, generator=generator) < 0.5:
        return images
    down, right = (int(step) for step in torch.randint(-1, 2, (2,), generator=generator))
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    return padded[:, :, 1 + down : 9 + down, 1 + right : 9 + right]


def _clip_latent(model: nn.Module) -> None:
    """Weights behind a sign stay in -1..1, where they can still change it (arXiv 1602.02830)."""
    for module in model.modules():
        if isinstance(module, QuantLinear | QuantConv2d | Split) and module.weight_format.format == "binary":
            module.weight.data.clamp_(-1, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one model is built and trained.

    Attributes:
        start: model whose parameters it begins with; empty for none.
        rows: inputs of the crossbars that the model it starts with is split for; 0: not split.
        reference: the float model that it is compared with; empty for models that are not shipped.
    """

    name: str
    build: Callable[[], nn.Module]
    epochs: int
    rate: float
    start: str = ""
    rows: int = 0
    reference: str = ""


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="mlp_float", build=Mlp, epochs=250, rate=5e-3),
        Recipe(name="cnn_float", build=Cnn, epochs=60, rate=3e-3),
        Recipe(name="mlp_twin", build=lambda: BinaryMlp(binary=False), epochs=60, rate=3e-3),
        Recipe(name="cnn_twin", build=lambda: BinaryCnn(binary=False), epochs=40, rate=3e-3),
        Recipe(name="mlp_int8", build=Mlp, epochs=0, rate=0.0, start="mlp_float", reference="mlp_float"),
        Recipe(name="mlp_int4", build=lambda: Mlp(INT4), epochs=15, rate=5e-4, start="mlp_float",
               reference="mlp_float"),
        Recipe(name="mlp_binary", build=BinaryMlp, epochs=100, rate=3e-3, reference="mlp_twin"),
        Recipe(name="mlp_tbn", build=lambda: Mlp(TILED, (256, 256)), epochs=40, rate=5e-3, reference="mlp_float"),
        Recipe(name="cnn_int8", build=Cnn, epochs=0, rate=0.0, start="cnn_float", reference="cnn_float"),
        Recipe(name="cnn_int4", build=lambda: Cnn(INT4), epochs=15, rate=5e-4, start="cnn_float",
               reference="cnn_float"),
        Recipe(name="cnn_binary", build=BinaryCnn, epochs=80, rate=3e-3, reference="cnn_twin"),
        Recipe(name="cnn_ternary", build=lambda: Cnn("bitnet158"), epochs=15, rate=1e-3, start="cnn_float",
               reference="cnn_float"),
        Recipe(name="cnn_plum", build=lambda: Cnn("plum", head=INT4, width=16), epochs=60, rate=5e-3,
               reference="cnn_float"),
        Recipe(name="cnn_bitmod", build=lambda: Cnn(BITMOD), epochs=15, rate=1e-3, start="cnn_float",
               reference="cnn_float"),
        Recipe(name="cnn_denseshift", build=lambda: Cnn("denseshift"), epochs=15, rate=1e-3, start="cnn_float",
               reference="cnn_float"),
        Recipe(name="cnn_fp8", build=lambda: Cnn("fp8_e4m3"), epochs=15, rate=1e-3, start="cnn_float",
               reference="cnn_float"),
        Recipe(name="wide_twin", build=lambda: WideMlp(binary=False), epochs=30, rate=3e-3),
        Recipe(name="wide_first", build=WideMlp, epochs=60, rate=3e-3),
        Recipe(name="mlp_wide", build=WideMlp, epochs=40, rate=1e-3, start="wide_first", reference="wide_twin"),
        Recipe(name="mlp_split128", build=WideMlp, epochs=40, rate=1e-3, start="mlp_wide", rows=128,
               reference="wide_twin"),
        Recipe(name="mlp_split64", build=WideMlp, epochs=40, rate=1e-3, start="mlp_wide", rows=64,
               reference="wide_twin"),
    )
}  # fmt: skip
"""In the order of training. int8 models are the float ones, quantized by export."""


class Trainer:
    """Trains each model once; ``reconstructed`` are those of split layers before training."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = to_input(images), torch.tensor(labels)
        self.models: dict[str, nn.Module] = {}
        self.reconstructed: dict[str, nn.Module] = {}

    def train(self, recipe: Recipe, advance: Callable[[], Any]) -> nn.Module:
        """The model of ``recipe``; the one that it starts with has been trained."""
        torch.manual_seed(SEED)
        model = recipe.build()
        if recipe.start and recipe.rows:
            whole = copy.deepcopy(self.models[recipe.start])
            assert isinstance(whole, WideMlp)
            model = SplitMlp(whole, recipe.rows)
            self.reconstructed[recipe.name] = copy.deepcopy(model).eval()
        elif recipe.start:
            model.load_state_dict(copy.deepcopy(self.models[recipe.start].state_dict()))
        model = train(model, self.images, self.labels, epochs=recipe.epochs, rate=recipe.rate, advance=advance)
        self.models[recipe.name] = model
        return model

    def export(self, name: str, model: nn.Module, folder: Path) -> Network:
        """Writes ``model`` as network ``name``, calibrated on the training images."""
        network = export(model, self.images, weights="int8", activations="int8", name=name)
        network.save(folder / f"{name}.safetensors")
        return network


def layers(model: nn.Module) -> list[nn.Linear | nn.Conv2d | Split]:
    """The layers that run on the array."""
    return [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d | Split)]


def bits_per_weight(model: nn.Module) -> float:
    """Stored bits per weight in the formats' own terms, before lowering; plain layers count as int8."""
    stored = [
        (layer.weight_format if isinstance(layer, QuantLinear | QuantConv2d | Split) else PLAIN).stored(layer.weight)
        for layer in layers(model)
    ]
    return sum(q.storage_bits for q in stored) / sum(q.n * q.k for q in stored)


def accuracy(model: nn.Module, images: torch.Tensor, labels: np.ndarray) -> float:
    """Share of images that ``model`` labels correctly."""
    with torch.no_grad():
        return float((model(images).argmax(dim=1).numpy() == labels).mean())
