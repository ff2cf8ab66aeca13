"""``hwsim report``."""

from pathlib import Path
from typing import Any

import click

import hwsim
from hwsim.cli import inputs, output
from hwsim.reporting import page, study, write_energy
from hwsim.reporting.energy import check_suffix


@click.command()
@click.argument("source", metavar="RESULTS|NETWORK")
@click.option("--out", default="report.html", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--network", "networks", multiple=True, metavar="NETWORK", help="A network of RESULTS that is not shipped."
)
@inputs.design_option
@inputs.batch_option
@inputs.subject_options
@click.option("--energy", type=click.Path(path_type=Path, dir_okay=False), help="Energy as .json, .csv or .parquet.")
@inputs.json_option
def report(
    source: str,
    out: Path,
    networks: tuple[str, ...],
    design_name: str | None,
    batch: int,
    energy: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """One self-contained HTML page about a sweep (RESULTS, Parquet) or one NETWORK on one design.

    --design, --batch and the options of a model belong to a NETWORK, which may also be a model of
    ``hwsim workloads`` or the folder of a quantized checkpoint; RESULTS know theirs.

    \b
    Examples:
      hwsim report results.parquet --out report.html
      hwsim report mlp_int8 --design bit_serial_16x16 --out mlp.html --energy energy.json
    """
    if energy:
        check_suffix(energy)
    if source.endswith(".parquet"):
        if design_name is not None:
            raise click.UsageError("--design goes with a network, not with the results of a sweep")
        inputs.refuse_choices(source, choices)
        frame = study.read_results(source)
        subjects = [*inputs.shipped_subjects(frame), *map(inputs.network, networks)]
        results = study.best_results(frame, subjects)
        page.report(frame, out, subjects=subjects, title=Path(source).stem)
    else:
        subject = inputs.subject(source, batch, choices)
        results = [hwsim.simulate(subject, inputs.design(design_name), batch, progress=True)]
        page.report(results, out, subjects=[subject], title=subject.name)
    written = {"report": str(out)}
    if energy:
        written["energy"] = str(write_energy(results, energy))
    if as_json:
        output.print_json(written)
    else:
        output.print_line(f"wrote {', '.join(written.values())}")
