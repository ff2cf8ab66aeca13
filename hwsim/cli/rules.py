"""``hwsim rules``."""

import dataclasses
import inspect

import click

from hwsim import rule_table
from hwsim.cli import inputs, output
from hwsim.design import Design
from hwsim.reporting.tables import Table
from hwsim.scheduling import ScheduledRule


@click.command()
@click.argument("network", required=False)
@click.option("--samples", default=32, show_default=True, type=click.IntRange(min=1), help="Inputs to run.")
@inputs.json_option
def rules(network: str | None, samples: int, as_json: bool) -> None:
    """Published schedules without RTL (model only); with NETWORK, the cycles that each takes for it.

    Cycles are those of the array alone, on the network's own weights and on the activations that the
    inputs (held-out images, or uniform values for your own network) make.

    \b
    Examples:
      hwsim rules
      hwsim rules cnn_int8
    """
    if network is None:
        _list(as_json)
    else:
        _count(network, samples, as_json)


def _list(as_json: bool) -> None:
    found = [_describe(name, design) for name, design in rule_table.rules().items()]
    if as_json:
        output.print_json({"rules": found})
        return
    heads = ("Design", "Datapath", "Lanes x rows x columns", "Cycles depend on", "A pass", "Source")
    table = Table(heads, [tuple(each.values()) for each in found])
    output.print_table(table, "Cost-only rules (model only)")


def _describe(name: str, design: Design) -> dict[str, str]:
    rule = design.datapath
    assert isinstance(rule, ScheduledRule)
    return {
        "design": name, "datapath": rule.name(),
        "geometry": f"{rule.lanes} x {design.array.rows} x {design.array.cols}",
        "depends_on": "activations" if rule.reads_activations else "weights",
        "definition": (inspect.getdoc(type(rule)) or "").partition("\n\n")[0].replace("\n", " "), "source": rule.SOURCE,
    }  # fmt: skip


def _count(name: str, samples: int, as_json: bool) -> None:
    subject = inputs.network(name)
    x = inputs.samples(subject, samples)
    found = rule_table.count(rule_table.operands(subject, x))
    if as_json:
        counts = [dataclasses.asdict(each) | {"over_dense": each.over_dense} for each in found]
        output.print_json({"network": subject.name, "samples": len(x), "verified": "model only", "rules": counts})
        return
    rows = [
        (
            each.preset, f"{each.cycles:,}", f"{each.over_dense:.2f}",
            "-" if each.over_stripes is None else f"{each.over_stripes:.2f}",
        )
        for each in found
    ]  # fmt: skip
    table = Table(("Design", "Cycles", "Over no skipping", "Over Stripes"), rows, frozenset({1, 2, 3}))
    output.print_table(table, f"{subject.name}, {len(x)} inputs, array alone (model only)")
    kind = "held-out images" if inputs.is_shipped(subject) else "uniform inputs"
    output.print_line(f"note: activations are those of {len(x)} {kind}; Stripes is compared at equal adders only")
