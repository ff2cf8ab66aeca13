"""A number format for each layer of a model, chosen by what it costs in accuracy and on a design: `mix`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from hwsim.allocation import SMALLEST_LOSS, allocate, between
from hwsim.design import Design
from hwsim.errors import ExportError
from hwsim.inference import run
from hwsim.network import Network
from hwsim.operators import StaticMatmul
from hwsim.progress import track
from hwsim.result import LayerResult
from hwsim.simulation import simulate
from hwsim.torch.exporting import export
from hwsim.torch.weights import WeightFormat, Weights

COSTS: dict[str, Callable[[LayerResult, Design], float]] = {
    "latency_s": lambda layer, design: layer.cycles / (design.clock_mhz * 1e6),
    "energy_pj": lambda layer, design: layer.energy_pj(),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed:
    """A model whose layers have formats of their own.

    Attributes:
        network: exported with them.
        formats: of each layer, as `export`'s ``overrides`` takes them.
        table: one row per layer and format: ``loss`` (what the format alone adds), ``latency_s``, ``energy_pj``,
            ``storage_bits``, ``chosen``.
        limits: what the sums of costs had to keep.
    """

    network: Network
    formats: Mapping[str, Weights]
    table: pd.DataFrame
    limits: Mapping[str, float]


def mix(
    model: nn.Module,
    sample_inputs: torch.Tensor | np.ndarray,
    formats: Sequence[Weights],
    design: Design,
    budget: Mapping[str, float],
    *,
    labels: np.ndarray | None = None,
    tied: Sequence[Sequence[str]] = (),
    batch: int = 1,
    progress: bool = False,
    **options: str,
) -> Mixed:
    """The formats, of ``formats`` for each layer, that lose least and keep the budget.

    What a format loses in a layer is measured with all others in the first of ``formats``, the finest (CalibTIP,
    arXiv 2006.10518): the increase of cross entropy against ``labels`` int[n], or without labels the mean squared
    change of the model's outputs, over ``sample_inputs``, at least `hwsim.allocation.SMALLEST_LOSS`. What it costs is
    what `simulate` says of the layer on ``design``, ``batch`` inputs at once. ``budget`` gives for ``latency_s``,
    ``energy_pj`` or ``storage_bits`` the share of the way from all layers in their cheapest format to all in their
    dearest (HAWQ-V3). ``tied`` layers have the same format. ``options`` are those of `export`.

    ExportError if the model has no layer to choose for, or a name is none of a layer; HwsimError if nothing keeps the
    budget.
    """
    samples = np.asarray(sample_inputs)
    named = {str(WeightFormat.parse(each)): each for each in formats}
    uniform = {name: export(model, sample_inputs, each, **options) for name, each in named.items()}  # type: ignore[arg-type]
    first = next(iter(uniform.values()))
    layers = [node.name for node in first.matmuls() if isinstance(node.operator, StaticMatmul)]
    if not layers or len(named) < 2:
        raise ExportError(f"{len(layers)} layers and {len(named)} formats leave nothing to choose")
    unknown = {name for group in tied for name in group} - set(layers)
    if unknown:
        raise ExportError(f"no layer {min(unknown)!r}; there are {', '.join(layers)}")
    loss = _Loss(model, samples, labels)
    base = loss(first)
    rows = []
    for layer in track(layers, "layers", progress):
        for name, network in uniform.items():
            alone = (
                first if network is first else _export(model, sample_inputs, formats[0], {layer: named[name]}, options)
            )
            rows.append({"layer": layer, "format": name, "loss": max(loss(alone) - base, SMALLEST_LOSS)})
    table = pd.DataFrame(rows)
    costs = _costs(uniform, layers, design, batch)
    limits = {}
    for name, share in budget.items():
        if name not in costs or not 0 <= share <= 1:
            raise ExportError(f"budget {name} = {share!r}: expected a share in 0..1 of {', '.join(costs)}")
        limits[name] = between(costs[name], share)
    shape = (len(layers), len(named))
    groups = [[layers.index(name) for name in group] for group in tied]
    chosen = allocate(table["loss"].to_numpy().reshape(shape), costs, limits, groups)
    picked = {layer: list(named.values())[choice] for layer, choice in zip(layers, chosen, strict=True)}
    for name, values in costs.items():
        table[name] = values.ravel()
    table["chosen"] = (np.arange(shape[1]) == chosen[:, None]).ravel()
    return Mixed(_export(model, sample_inputs, formats[0], picked, options), picked, table, limits)


def _export(
    model: nn.Module,
    samples: torch.Tensor | np.ndarray,
    weights: Weights,
    overrides: Mapping[str, Weights],
    options: Mapping[str, str],
) -> Network:
    return export(model, samples, weights, overrides=overrides, **options)  # type: ignore[arg-type]


class _Loss:
    """How far a network's outputs are from the labels, or from the model's."""

    def __init__(self, model: nn.Module, samples: np.ndarray, labels: np.ndarray | None) -> None:
        self.samples, self.labels = samples, labels
        if labels is None:
            with torch.no_grad():
                was, model = model.training, model.eval()
                self.wanted = model(torch.as_tensor(samples)).double().numpy()
                model.train(was)
        elif np.shape(labels) != samples.shape[:1]:
            raise ExportError(f"labels of shape {np.shape(labels)} for {len(samples)} samples")

    def __call__(self, network: Network) -> float:
        outputs = run(network, None, self.samples)
        if self.labels is None:
            return float(np.square(outputs - self.wanted).mean())
        return float(nn.functional.cross_entropy(torch.as_tensor(outputs), torch.as_tensor(self.labels)))


def _costs(uniform: Mapping[str, Network], layers: Sequence[str], design: Design, batch: int) -> dict[str, np.ndarray]:
    """float64[layers, formats] of each cost."""
    shape = (len(layers), len(uniform))
    found = {name: np.zeros(shape) for name in (*COSTS, "storage_bits")}
    for choice, network in enumerate(uniform.values()):
        results = {layer.name: layer for layer in simulate(network, design, batch).layers}
        for row, name in enumerate(layers):
            for cost, value in COSTS.items():
                found[cost][row, choice] = value(results[name], design)
            operator = network.node(name).operator
            assert isinstance(operator, StaticMatmul)
            found["storage_bits"][row, choice] = operator.weight.storage_bits
    return found
