"""Arguments as objects: networks, designs and spaces by file or by shipped name."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import yaml

from hwsim import digits, presets
from hwsim.design import Design
from hwsim.errors import DesignError, NetworkError, nearest
from hwsim.exploration import Space
from hwsim.files import parse_yaml, read_yaml
from hwsim.network import Network
from hwsim.workload import Workload

design_option = click.option(
    "--design", "design_name", metavar="FILE|NAME",
    help=f"Design as YAML, or a shipped one ({', '.join(presets.available())}).",
)  # fmt: skip
batch_option = click.option("--batch", default=1, show_default=True, type=click.IntRange(min=1), help="Inputs at once.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


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


def shipped_subjects(frame: pd.DataFrame) -> list[Network]:
    """The shipped networks that a sweep is about: those of equal name and content."""
    known = frame.dropna(subset=["workload_hash"]).drop_duplicates("workload").set_index("workload")
    found = []
    for name in digits.networks():
        if name in known.index:
            candidate = digits.load(name)
            workload = Workload.from_network(candidate, int(known.loc[name, "batch"]))
            if workload.hash == known.loc[name, "workload_hash"]:
                found.append(candidate)
    return found
