"""``hwsim workloads``."""

from typing import Any

import click

from hwsim import workloads as known
from hwsim.cli import inputs, output
from hwsim.progress import track
from hwsim.reporting.tables import Table
from hwsim.weight_source import WeightSource
from hwsim.workload import HostLayer, MatmulLayer, Workload

MODELS = ("Model", "Title", "Stages", "Weights", "MACs", "Context", "KV cache", "Source")
LAYERS = ("Layer", "Kind", "Count", "M", "N", "K", "MACs", "Elements", "Weights MB", "KV read MB")
SCHEMA = "hwsim.workload/1"
MEGA = 1e6


@click.command()
@click.argument("name", required=False)
@inputs.batch_option
@inputs.model_options
@inputs.json_option
def workloads(name: str | None, batch: int, as_json: bool, **choices: Any) -> None:
    """Models by name: shapes, weights, multiply-accumulates, KV cache; NAME layer by layer.

    \b
    Examples:
      hwsim workloads
      hwsim workloads llama-3-8b --stage decode --batch 4 --context 1024
    """
    if name is None:
        inputs.refuse_choices("hwsim workloads", choices)
        _list(as_json)
        return
    given = {key: value for key, value in choices.items() if value is not None}
    workload = known.load(name, batch=batch, **given)
    layers = [plain_layer(layer) for layer in track(workload.layers, workload.name)]
    if as_json:
        output.print_json(
            {"schema": SCHEMA, "name": workload.name, "batch": batch, "macs": workload.macs,
             "weights": workload.weights, "kv_cache_bytes": workload.cache_bits / 8, "layers": layers}
        )  # fmt: skip
        return
    _print_one(name, workload, layers)


def _list(as_json: bool) -> None:
    rows, found = [], []
    for name in known.available():
        model = known.describe(name)
        loaded = [known.load(name, stage=stage) for stage in model.STAGES or (None,)]
        macs = {workload.name: workload.macs for workload in loaded}
        stored = sum(workload.weights for workload in loaded) if _stages_differ(loaded) else loaded[0].weights
        cache = loaded[-1].cache_bits / 8 / MEGA
        found.append(
            {"name": name, "title": model.title, "stages": list(model.STAGES), "weights": stored,
             "macs": list(macs.values()), "kv_cache_bytes": loaded[-1].cache_bits / 8, "context": model.context,
             "source": model.source}
        )  # fmt: skip
        rows.append(
            (name, model.title, ", ".join(model.STAGES) or "-", f"{stored / MEGA:,.1f} M",
             "\n".join(f"{each / 1e9:,.3f} G" for each in macs.values()), str(model.context or "-"),
             f"{cache:.2f} MB" if cache else "-", model.source)
        )  # fmt: skip
    if as_json:
        output.print_json({"schema": SCHEMA, "models": found})
        return
    output.print_table(Table(heads=MODELS, rows=rows, numbers=frozenset({3, 4, 5, 6})), "Models")
    output.print_line("at batch 1, the context shown, 8-bit keys and values; hwsim workloads NAME has every layer")


def _stages_differ(loaded: list[Workload]) -> bool:
    """Whether each stage has layers of its own: a sound's encoder and its decoder, not a prompt and its answer."""
    return len({workload.weights for workload in loaded}) > 1


def layer_bits(layer: MatmulLayer) -> int:
    """Bits to store the weights, or the keys or values, of all repetitions."""
    stored = (w.tensor() if isinstance(w, WeightSource) else w for w in layer.weights)
    return layer.repeat * sum(w.storage_bits for w in stored)


def plain_layer(layer: MatmulLayer | HostLayer) -> dict[str, Any]:
    """A layer without its tensors."""
    if isinstance(layer, HostLayer):
        return {"layer": layer.name, "kind": layer.operator, "count": layer.repeat,
                "elements": layer.elements * layer.repeat}  # fmt: skip
    return {
        "layer": layer.name, "kind": "attention" if layer.dynamic else "linear", "count": layer.matmuls, "m": layer.m,
        "n": layer.n, "k": layer.k, "macs": layer.macs,
        "read_bytes" if layer.dynamic else "weight_bytes": layer_bits(layer) / 8, "assumed": layer.assumed,
    }  # fmt: skip


def _print_one(name: str, workload: Workload, layers: list[dict[str, Any]]) -> None:
    model = known.describe(name)
    weight_bytes = sum(layer.get("weight_bytes", 0.0) for layer in layers)
    output.print_line(f"{model.title}: {workload.name}, batch {workload.batch} ({model.source})")
    output.print_line(
        f"{workload.macs:,} MACs, {workload.weights:,} weights in {weight_bytes / MEGA:,.2f} MB, "
        f"KV cache {workload.cache_bits / 8 / MEGA:,.2f} MB"
    )
    rows = [
        (
            layer["layer"], layer["kind"], f"{layer['count']:,}", *(str(layer.get(key, "")) for key in "mnk"),
            *(f"{layer[key]:,}" if key in layer else "" for key in ("macs", "elements")),
            *(f"{layer[key] / MEGA:,.3f}" if key in layer else "" for key in ("weight_bytes", "read_bytes")),
        )
        for layer in layers
    ]  # fmt: skip
    output.print_table(Table(heads=LAYERS, rows=rows, numbers=frozenset(range(2, len(LAYERS)))), "Layers")
    for text in dict.fromkeys(layer["assumed"] for layer in layers if layer.get("assumed")):
        output.print_line(f"assumed: {text}")
