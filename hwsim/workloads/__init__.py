"""Models by name, built from their dimensions: `available`, `describe`, `load`.

A file ``hwsim/data/workloads/NAME.yaml`` holds the dimensions and where they come from. Weights are drawn when
they are needed; the real ones have the same shapes.
"""

import functools
from importlib import resources
from typing import Any

from hwsim import schema
from hwsim.errors import HwsimError, NetworkError, nearest
from hwsim.files import read_yaml
from hwsim.weight_source import Distribution
from hwsim.workload import Workload
from hwsim.workloads._layers import Options, build
from hwsim.workloads._resnet import ResNet
from hwsim.workloads._scalesim import from_scalesim
from hwsim.workloads._transformer import Decoder, Encoder, Speech
from hwsim.workloads._zigzag import from_zigzag

__all__ = ["available", "describe", "from_scalesim", "from_zigzag", "load", "titled"]

Model = Decoder | Encoder | ResNet | Speech
KINDS: dict[str, type[Model]] = {"decoder": Decoder, "encoder": Encoder, "resnet": ResNet, "speech": Speech}
_FOLDER = resources.files("hwsim") / "data" / "workloads"


@functools.cache
def available() -> tuple[str, ...]:
    """Names of the models."""
    return tuple(sorted(each.name.removesuffix(".yaml") for each in _FOLDER.iterdir() if each.name.endswith(".yaml")))


@functools.cache
def describe(name: str) -> Model:
    """The dimensions of model ``name``; NetworkError with the nearest name if there is none."""
    if name not in available():
        raise NetworkError(f"no workload {name!r}; {nearest(name, available())}")
    with resources.as_file(_FOLDER / f"{name}.yaml") as path:
        data = read_yaml(path, "workload")
    return schema.from_plain(KINDS[data.pop("kind")], data, name)


def load(
    name: str,
    *,
    stage: str | None = None,
    batch: int = 1,
    context: int | None = None,
    generate: int = 1,
    weights: str = "int8",
    group_size: int | None = None,
    kv_bits: int = 8,
    activation_bits: int = 8,
    distribution: Distribution = "gaussian",
    seed: int = 0,
    distinct: bool = False,
) -> Workload:
    """The layers of model ``name``, their weights drawn from a distribution (shown as assumed).

    Args:
        stage: of the models that have several: ``prefill`` or ``decode`` of a language model, ``encode`` or
            ``decode`` of a speech model; the first by default.
        batch: sequences or images at once.
        context: prefill and encoders: tokens of each sequence; decode: tokens that a new one sees, with itself.
            The default is the description's.
        generate: decode: so many tokens one after the other, each of which sees one more than the last.
        weights, group_size: number format of the weights, and how many share a scale (None: the format's own).
        kv_bits: width of stored keys and values, 2..8.
        activation_bits: width of all other activations, 2..16.
        distribution, seed: what weights, keys and values are drawn from before they are quantized.
        distinct: every layer has weights of its own; else equal shapes share theirs, which costs a
            fraction of the time.

    Raises NetworkError for a value that the model does not take, FormatError for an unknown format.
    """
    model = describe(name)
    stage = _stage(name, model, stage)
    chosen = Options(
        stage=stage, batch=batch, context=_context(name, model, stage, context), generate=generate,
        weights=weights, group_size=group_size, kv_bits=kv_bits, activation_bits=activation_bits,
        distribution=distribution, seed=seed, distinct=distinct,
    )  # fmt: skip
    if generate != 1 and stage != "decode":
        raise NetworkError(f"workload {name!r}: generate goes with stage 'decode'")
    words = [name, stage, str(chosen.context or ""), f"x{generate}" if generate > 1 else "", weights]
    return Workload(
        name=" ".join(filter(None, words)), layers=build(model.blocks(chosen), chosen), batch=batch,
        cache_bits=model.cache_elements(chosen) * kv_bits,
    )  # fmt: skip


def titled(title: str, batch: int) -> Workload | None:
    """The workload whose name `load` makes ``title`` of, what no name tells as it comes; None if there is none."""
    name, *words = title.split()
    if name not in available() or not words:
        return None
    given: dict[str, Any] = {}
    for word in words[:-1]:
        if word in describe(name).STAGES:
            given["stage"] = word
        elif word.isdecimal():
            given["context"] = int(word)
        elif word.removeprefix("x").isdecimal():
            given["generate"] = int(word.removeprefix("x"))
    try:
        return load(name, batch=batch, weights=words[-1], **given)
    except HwsimError:
        return None


def _stage(name: str, model: Model, stage: str | None) -> str:
    if stage is None:
        return model.STAGES[0] if model.STAGES else ""
    if not model.STAGES:
        raise NetworkError(f"workload {name!r} has no stages, not {stage!r}")
    if stage not in model.STAGES:
        raise NetworkError(f"workload {name!r} has no stage {stage!r}; {nearest(stage, model.STAGES)}")
    return stage


def _context(name: str, model: Model, stage: str, context: int | None) -> int:
    fixed = stage == "encode" or not model.context
    if context is None:
        return 0 if fixed else model.context
    if fixed:
        raise NetworkError(f"workload {name!r} takes no context here: its input has one size")
    if context == 0:
        raise NetworkError("context = 0: accepted are positive whole numbers")
    return context
