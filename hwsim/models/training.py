"""Seeded training of the digits networks, and their export."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from hwsim.digits import PIXEL_SCALE
from hwsim.models.architectures import BinaryCnn, BinaryMlp, Cnn, Mlp
from hwsim.network import Network
from hwsim.torch import QuantConv2d, QuantLinear, export
from hwsim.torch.weights import Weights

SEED = 0
HELD_OUT = 400
BATCH = 64
INT4: Weights = {"format": "int4", "group_size": 32, "pad": True}
"""Groups of 32; rows of 50, 96, 100 and 108 end in shorter ones or need several."""


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
        if isinstance(module, QuantLinear | QuantConv2d) and module.weight_format.format == "binary":
            module.weight.data.clamp_(-1, 1)


class Trainer:
    """Trains each model once: the float networks are the start of the int4 ones."""

    MODELS = (
        ("mlp_float", 250), ("cnn_float", 60), ("mlp_int4", 15), ("cnn_int4", 15),
        ("mlp_twin", 60), ("cnn_twin", 40), ("mlp_binary", 100), ("cnn_binary", 80),
    )  # fmt: skip
    """Names and epochs, in the order of training."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = to_input(images), torch.tensor(labels)
        self.models: dict[str, nn.Module] = {}

    def train(self, name: str, epochs: int, advance: Callable[[], Any]) -> None:
        """Trains ``name``, one of `MODELS`, in their order."""
        torch.manual_seed(SEED)
        kind, variant = name.split("_")
        rate = 5e-3 if name == "mlp_float" else 3e-3
        if variant == "float":
            model: nn.Module = Mlp() if kind == "mlp" else Cnn()
        elif variant == "int4":
            model, rate = (Mlp if kind == "mlp" else Cnn)(INT4), 5e-4
            model.load_state_dict(copy.deepcopy(self.models[f"{kind}_float"].state_dict()))
        else:
            model = (BinaryMlp if kind == "mlp" else BinaryCnn)(binary=variant == "binary")
        self.models[name] = train(model, self.images, self.labels, epochs=epochs, rate=rate, advance=advance)

    def sources(self) -> Iterator[tuple[str, nn.Module, nn.Module]]:
        """Each network to ship: its name, the model that is exported, its float reference."""
        for kind in ("mlp", "cnn"):
            reference = self.models[f"{kind}_float"]
            yield f"{kind}_int8", reference, reference
            yield f"{kind}_int4", self.models[f"{kind}_int4"], reference
            yield f"{kind}_binary", self.models[f"{kind}_binary"], self.models[f"{kind}_twin"]

    def export(self, name: str, model: nn.Module, folder: Path) -> Network:
        """Writes ``model`` as network ``name``, calibrated on the training images."""
        network = export(model, self.images, weights="int8", activations="int8", name=name)
        network.save(folder / f"{name}.safetensors")
        return network


def accuracy(model: nn.Module, images: torch.Tensor, labels: np.ndarray) -> float:
    """Share of images that ``model`` labels correctly."""
    with torch.no_grad():
        return float((model(images).argmax(dim=1).numpy() == labels).mean())
