"""``hwsim sweep``."""

from pathlib import Path
from typing import Any

import click

import hwsim
from hwsim.cli import inputs, output
from hwsim.errors import DesignError
from hwsim.exploration import fill
from hwsim.plotting.pareto import feasible
from hwsim.reporting import tables
from hwsim.reporting.gathering import gather
from hwsim.reporting.study import check, write_results

SCHEMA = "hwsim.sweep/1"
SHOWN = 1 << 21
"""Points of a sweep that are kept in memory, at some 0.9 kB each; of more only a study is filled."""


@click.command()
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True)
@inputs.options(inputs.space_options)
@inputs.design_option
@inputs.batch_option
@inputs.subject_options
@inputs.options(inputs.work_options)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write every point as Parquet.")
@inputs.json_option
def sweep(
    networks: tuple[str, ...],
    space_file: str | None,
    settings: tuple[str, ...],
    design_name: str | None,
    batch: int,
    study: str | None,
    jobs: int,
    dask: str | None,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Every NETWORK on every point of a grid; prints the best by energy-delay product.

    Parameters outside the grid are those of --design. NETWORK may also be a model of ``hwsim workloads``,
    the folder of a quantized checkpoint, or a workload of SCALE-Sim (.csv) or ZigZag (.yaml).

    \b
    Examples:
      hwsim sweep mlp_int8 --set datapath.name=mac,bit_serial --set array.rows=8,16,32
      hwsim sweep cnn_int8 cnn_int4 --space space.yaml --out results.parquet
      hwsim sweep opt-1.3b phi-2 --stage decode --weights int4 --set array.rows=8,16
      hwsim sweep bert-base --space space.yaml --study bert.sqlite --jobs 4
      hwsim sweep bert-base --space space.yaml --study bert.sqlite --dask tcp://10.0.0.1:8786

    A sweep with --study that was stopped, even killed, goes on when it is started again.
    """
    subjects = [inputs.subject(name, batch, choices) for name in networks]
    space = inputs.space(space_file, settings)
    base = inputs.design(design_name)
    points = len(space.grid(base)) * len(subjects)
    if points > SHOWN:
        if study is None or as_json:
            raise DesignError(
                f"{points:,} points are more than are kept in memory ({SHOWN:,}): name a --study (without --json), or "
                "look for the best with hwsim search"
            )
        with inputs.resumable(study), inputs.workers(dask) as executor:
            new = fill(study, subjects, space, base=base, batch=batch, jobs=jobs, executor=executor, progress=True)
        from hwsim.database import shown

        place = shown(study)
        output.print_line(f"{place} knows all {points:,} points, {new:,} of them new (hwsim search shows the best)")
        if out:
            from hwsim import exporting

            output.print_line(f"wrote {exporting.export(study, out)} points, all of the study, to {out}")
        return
    with inputs.resumable(study), inputs.workers(dask) as executor:
        frame = hwsim.sweep(
            subjects, space, base=base, batch=batch, study=study, jobs=jobs, executor=executor, progress=True
        )
    check(frame)
    if out:
        write_results(frame, out)
    if as_json:
        output.print_json({"schema": SCHEMA, "points": output.records(frame)})
        return
    points = feasible(frame)
    output.print_table(tables.ranked(points), "Best by energy-delay product")
    if len(points) < len(frame):
        output.print_table(tables.infeasible(gather([frame]).reasons), f"{len(frame) - len(points)} infeasible points")
    if out:
        output.print_line(f"wrote {out}")


@click.command()
@click.argument("study", metavar="FILE|URL")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="A Parquet file.")
@inputs.json_option
def export(study: str, out: Path, as_json: bool) -> None:
    """Everything that a study holds, as Parquet; memory does not grow with it.

    \b
    Example:
      hwsim export bert.sqlite --out bert.parquet
    """
    from hwsim import exporting

    points = exporting.export(study, out)
    if as_json:
        output.print_json({"points": points, "out": str(out)})
    else:
        output.print_line(f"wrote {points} points to {out}")
