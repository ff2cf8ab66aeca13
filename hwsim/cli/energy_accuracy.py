"""``hwsim energy-accuracy``."""

import click

from hwsim.cli import inputs, output
from hwsim.reporting import energy_accuracy as tables


@click.command("energy-accuracy")
@click.argument("technologies", metavar="[TECHNOLOGY]...", nargs=-1)
@click.option("--designs", is_flag=True, help="Every design point, too.")
@inputs.json_option
def energy_accuracy(technologies: tuple[str, ...], designs: bool, as_json: bool) -> None:
    """How well energies are predicted, against gate-level energy of layers of networks left out of the fit.

    \b
    Example:
      hwsim energy-accuracy nangate45
    """
    found = tables.errors(technologies)
    if as_json:
        output.print_json(output.records(found))
        return
    output.print_table(tables.summary(found), "Energy of whole arrays, layers of networks that the fit has not seen")
    left_out = tables.points_left_out(technologies)
    if left_out.rows:
        output.print_table(left_out, "Energy of whole arrays between measured points, designs left out one by one")
    if designs:
        output.print_table(tables.by_design(found), "The same by design point")
