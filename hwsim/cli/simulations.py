"""``hwsim simulate``."""

from typing import Any

import click

import hwsim
from hwsim.cli import inputs, output
from hwsim.labels import label
from hwsim.plotting import metrics
from hwsim.reporting import tables


@click.command()
@click.argument("network")
@inputs.design_option
@inputs.batch_option
@inputs.subject_options
@inputs.json_option
def simulate(network: str, design_name: str | None, batch: int, as_json: bool, **choices: Any) -> None:
    """Latency, energy and area of NETWORK on one design, layer by layer.

    NETWORK may also be a model of ``hwsim workloads``, the folder of a quantized checkpoint, or a workload of
    SCALE-Sim (.csv) or ZigZag (.yaml).

    \b
    Examples:
      hwsim simulate mlp_int8
      hwsim simulate cnn_int4 --design bit_serial_16x16 --batch 16
      hwsim simulate my.safetensors --design my.yaml --json
      hwsim simulate llama-2-7b --stage decode --context 1024 --batch 4 --weights int4
      hwsim simulate path/to/checkpoint --tokens 256
    """
    design = inputs.design(design_name)
    result = hwsim.simulate(inputs.subject(network, batch, choices), design, batch, progress=True)
    if as_json:
        output.print_json(result.to_plain())
        return
    output.print_line(f"{result.workload.name}, batch {batch}, on {label(result.design)} ({result.verified})")
    totals = result.totals()
    shown = [
        (metric.title, metrics.show(name, float(totals[name])))
        for name, metric in metrics.METRICS.items()
        if name in totals
    ]
    output.print_line(", ".join(f"{title} {value}" for title, value in shown))
    output.print_table(tables.layers(result), "Layers")
    repeated = tables.repetition(result)
    if repeated.rows:
        output.print_table(repeated, "Weights that repeat")
    output.print_table(tables.energy(result), "Energy")
    for note in result.assumptions():
        output.print_line(f"note: {note}")
