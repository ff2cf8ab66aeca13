"""``hwsim report``."""

from pathlib import Path
from typing import Any

import click

import hwsim
from hwsim.cli import inputs, output
from hwsim.reporting import page, study, write_energy
from hwsim.reporting.energy import check_suffix
from hwsim.reporting.gathering import gather, is_study, parts_of


@click.command()
@click.argument("source", metavar="RESULTS|STUDY|NETWORK")
@click.option("--out", default="report.html", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="A network of RESULTS or STUDY that is neither shipped nor a model as it comes.",
)
@inputs.design_option
@inputs.batch_option
@inputs.subject_options
@click.option(
    "--energy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Energy as .json, .csv, .parquet or (ERT, ART) .yaml.",
)
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
    """One self-contained HTML page about a sweep (RESULTS, Parquet; or a STUDY) or one NETWORK on one design.

    A page about a sweep shows the layers of its points near the front. For them it needs the networks: those that are
    shipped and models of ``hwsim workloads`` it finds, others --network names, with the options of a model. NETWORK
    may also be a model, the folder of a quantized checkpoint, or a workload of SCALE-Sim (.csv) or ZigZag (.yaml);
    it runs on --design.

    \b
    Examples:
      hwsim report results.parquet --out report.html
      hwsim report bert.sqlite
      hwsim report llama.sqlite --network llama-2-7b --stage decode --weights int4
      hwsim report mlp_int8 --design bit_serial_16x16 --out mlp.html --energy energy.json
      hwsim report mlp_int8 --design mac_16x16 --energy reference_tables.yaml
    """
    if energy:
        check_suffix(energy)
    if source.endswith(".parquet") or is_study(source):
        if design_name is not None:
            raise click.UsageError("--design goes with a network, not with the results of a sweep")
        if not networks:
            inputs.refuse_choices(source, choices)
        gathering = gather(parts_of(source))
        points = gathering.kept()
        named = [inputs.swept_subject(name, batch, choices, points) for name in networks]
        found = study.Study.of_sweep(gathering, [*inputs.known_subjects(points), *named], progress=True)
        title = Path(source).stem
        results = found.best_results()
    else:
        subject = inputs.subject(source, batch, choices)
        results = [hwsim.simulate(subject, inputs.design(design_name), batch, progress=True)]
        found, title = study.Study.of(results, [subject]), subject.name
    written = {"report": str(out)}
    if energy:
        written["energy"] = str(write_energy(results, energy))
    page.write_page(found, out, title, progress=True)
    if as_json:
        output.print_json(written)
    else:
        output.print_line(f"wrote {', '.join(written.values())}")
