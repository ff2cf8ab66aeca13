"""Arguments as objects: networks, designs and spaces by file or by shipped name."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import yaml

from hwsim import checkpoints, digits, presets, workloads
from hwsim.design import Design
from hwsim.errors import DesignError, NetworkError, nearest
from hwsim.files import parse_yaml, read_yaml
from hwsim.network import Network
from hwsim.space import Space
from hwsim.weight_source import DISTRIBUTIONS
from hwsim.workload import Workload

design_option = click.option(
    "--design", "design_name", metavar="FILE|NAME",
    help=f"Design as YAML, or a shipped one ({', '.join(presets.available())}).",
)  # fmt: skip
batch_option = click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Inputs at once.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
_MODEL_OPTIONS = (
    click.option("--stage", help="Model: prefill or decode; encode or decode (speech)."),
    click.option("--context", type=int, help="Model: tokens of the prompt, or that a new token sees."),
    click.option("--generate", type=int, help="Model, decode: tokens one after the other."),
    click.option("--weights", metavar="FORMAT", help="Model: number format of the weights [int8]."),
    click.option("--group-size", type=int, help="Model: weights that share a scale [the format's]."),
    click.option("--kv-bits", type=int, help="Model: bits of cached keys and values [8]."),
    click.option("--activation-bits", type=int, help="Model: bits of other activations [8]."),
    click.option("--distribution", type=click.Choice(list(DISTRIBUTIONS)), help="Model: of the weights [gaussian]."),
    click.option("--seed", type=int, help="Model: of the drawn weights [0]."),
    click.option("--distinct", is_flag=True, default=None, help="Model: other weights in every layer (slower)."),
)
IMPORTS: Mapping[str, Callable[..., Workload]] = {
    ".csv": workloads.from_scalesim,
    ".yaml": workloads.from_zigzag,
    ".yml": workloads.from_zigzag,
}
"""Workload files of other tools."""
_TOKENS_OPTION = click.option("--tokens", type=click.IntRange(min=1), help="Checkpoint: tokens at once [1].")
MODELS_ONLY = ("stage", "context", "generate", "weights", "group_size", "kv_bits", "activation_bits", "distribution",
               "seed", "distinct")  # fmt: skip


space_options = (
    click.option("--space", "space_file", metavar="FILE", help="Grid as YAML: dotted parameter: [values]."),
    click.option("--set", "settings", metavar="KEY=V1,V2", multiple=True, help="A parameter of the grid; may repeat."),
)
work_options = (
    click.option("--study", metavar="FILE|URL", help="Keep results in this database, and use what it knows."),
    click.option("--jobs", default=1, show_default=True, metavar="N", help="Worker processes."),
    click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster that does the work."),
)


def options(*groups: Iterable[Callable]) -> Callable[[Callable], Callable]:
    """All options of ``groups``, in order."""

    def add(command: Callable) -> Callable:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


@contextlib.contextmanager
def workers(dask: str | None) -> Iterator[Executor | None]:
    """The executor that ``--dask`` names, if it does."""
    if dask is None:
        yield None
        return
    from hwsim.cluster import dask_executor

    with dask_executor(dask) as executor:
        yield executor


@contextlib.contextmanager
def resumable(study: str | None) -> Iterator[None]:
    """Says of an interrupted command what was kept."""
    try:
        yield
    except KeyboardInterrupt:
        if study is None:
            raise
        from hwsim.database import shown

        kept = f"what was computed is in {shown(study)}: the same command goes on with it"
        raise KeyboardInterrupt(f"interrupted; {kept}") from None


def model_options(command: Callable) -> Callable:
    """The parameters of `hwsim.workloads.load`, batch apart."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return command


def subject_options(command: Callable) -> Callable:
    """What only models by name, or only checkpoints, take."""
    return model_options(_TOKENS_OPTION(command))


def subject(name: str, batch: int, choices: Mapping[str, Any]) -> Network | Workload:
    """What a command is about: a network, a model by name or a checkpoint's folder, made as ``choices`` say.

    NetworkError for a choice that it does not take.
    """
    given = {key: value for key, value in choices.items() if value is not None}
    here = Path(name).exists()
    if not here and name in workloads.available():
        _refuse(name, given, "tokens", of="a checkpoint")
        return workloads.load(name, batch=batch, **given)
    imported = IMPORTS.get(Path(name).suffix)
    if imported is not None:
        drawn = ("weights", "distribution", "seed")
        _refuse(name, given, "tokens", *(each for each in MODELS_ONLY if each not in drawn), of="a model by name")
        if batch != 1:
            raise NetworkError(f"--batch {batch}: {name!r} says itself how many inputs there are at once")
        return imported(name, **given)
    _refuse(name, given, *MODELS_ONLY, of="a model of hwsim workloads")
    if Path(name).is_dir():
        tokens = given.get("tokens", 1)
        stored = checkpoints.stream(name, progress=True)
        title = f"{Path(name).resolve().name} {tokens}"
        return dataclasses.replace(Workload.from_tensors(title, stored, m=batch * tokens), batch=batch)
    refuse_choices(name, choices)
    if here or _is_path(name) or name in digits.networks():
        return network(name)
    known = [*digits.networks(), *workloads.available()]
    raise NetworkError(f"no network file, shipped network or model {name!r}; {nearest(name, known)}")


def refuse_choices(name: str, choices: Mapping[str, Any]) -> None:
    """NetworkError if any choice was made: ``name`` takes none."""
    given = {key: value for key, value in choices.items() if value is not None}
    _refuse(name, given, *MODELS_ONLY, of="a model of hwsim workloads")
    _refuse(name, given, "tokens", of="a checkpoint")


def _refuse(name: str, given: Mapping[str, Any], *options: str, of: str) -> None:
    for option in options:
        if option in given:
            raise NetworkError(f"--{option.replace('_', '-')} is an option of {of}, which {name!r} is not")


def network(name: str) -> Network:
    """The network in file ``name``, or the shipped one of that name."""
    if name in digits.networks() and not Path(name).exists():
        return digits.load(name)
    if Path(name).exists() or _is_path(name):
        return Network.load(name)
    raise NetworkError(f"no network file and no shipped network {name!r}; {nearest(name, digits.networks())}")


SEED = 0


def samples(network: Network, count: int) -> np.ndarray:
    """``count`` inputs: held-out images for a shipped network, else uniform over the input's range."""
    if is_shipped(network):
        return digits.held_out(network)[0][:count]
    source, rng = network.input, np.random.default_rng(SEED)
    return rng.uniform(source.low, source.high, (count, *source.shape)) * source.scale


def is_shipped(network: Network) -> bool:
    """Whether ``network`` is the shipped one of its name."""
    return network.name in digits.networks() and digits.load(network.name).hash == network.hash


def design(name: str | None) -> Design:
    """The design in file ``name``, the shipped one of that name, or the default."""
    if name is None:
        return Design()
    if name in presets.available() and not Path(name).exists():
        return presets.load(name)
    if Path(name).exists() or _is_path(name):
        return Design.load(name)
    raise DesignError(f"no design file and no shipped design {name!r}; {nearest(name, presets.available())}")


def _is_path(name: str) -> bool:
    return Path(name).suffix != "" or len(Path(name).parts) > 1


def space(file: str | None, settings: Iterable[str]) -> Space:
    """The grid of a YAML file (key: list of values) and of ``key=value,value`` settings, which come last."""
    values = _space_file(Path(file)) if file else {}
    for setting in settings:
        key, separator, items = setting.partition("=")
        if not separator or not key or not items:
            raise DesignError(f"--set {setting!r}: expected key=value,value")
        values[key] = [_scalar(setting, item) for item in items.split(",")]
    if not values:
        raise DesignError("nothing to sweep: name parameters with --set or --space")
    return Space(values)


def _space_file(path: Path) -> dict[str, Any]:
    data = read_yaml(path, "space file")
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise DesignError(f"{path.name}: expected a mapping from dotted parameters to lists of values")
    return data


def _scalar(setting: str, text: str) -> Any:
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        raise DesignError(f"--set {setting!r}: {text!r} is not a value") from None


def known_subjects(frame: pd.DataFrame) -> list[Network | Workload]:
    """The shipped networks and models by name that a sweep is about: those of equal name and content."""
    found: list[Network | Workload] = []
    for row in frame.drop_duplicates("workload").to_dict("records"):
        name, batch = row["workload"], int(row["batch"])
        if name in digits.networks():
            network = digits.load(name)
            if Workload.from_network(network, batch).hash == row["workload_hash"]:
                found.append(network)
        elif (model := workloads.titled(name, batch)) is not None and model.hash == row["workload_hash"]:
            found.append(model)
    return found


def swept_subject(name: str, batch: int, choices: Mapping[str, Any], frame: pd.DataFrame) -> Network | Workload:
    """A subject that is one of a sweep's; NetworkError if it is not."""
    found = subject(name, batch, choices)
    swept = frame["workload"].unique()
    if found.name not in swept:
        raise NetworkError(f"no results of {found.name!r}; {nearest(found.name, swept)}")
    return found
