"""``hwsim search``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

import hwsim
from hwsim import digits
from hwsim.cli import inputs, output
from hwsim.criteria import MEASURES
from hwsim.errors import DesignError, HwsimError
from hwsim.network import Network
from hwsim.plotting import metrics
from hwsim.proposals import METHODS
from hwsim.reporting import tables
from hwsim.reporting.study import write_results
from hwsim.workload import Workload

SCHEMA = "hwsim.search/1"


@click.command()
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True)
@inputs.options(inputs.space_options)
@click.option(
    "--objective", "objectives", metavar="NAME", multiple=True, default=("latency_s", "energy_pj", "area_um2"),
    show_default=True, help=f"What to optimize; may repeat: {', '.join(MEASURES)}.",
)  # fmt: skip
@click.option(
    "--limit",
    "limits",
    metavar="NAME=VALUE|LOW:HIGH",
    multiple=True,
    help="Worst value allowed, or a range; may repeat.",
)
@click.option("--evaluations", default=1000, show_default=True, metavar="N", help="Points to look at, if not all.")
@click.option(
    "--method", type=click.Choice(["enumerate", *METHODS]), help="[all points if that is cheap, else tpe or nsga2]"
)
@click.option("--search-seed", default=0, show_default=True, metavar="N", help="Equal ones look at equal points.")
@click.option(
    "--data", metavar="FILE.npz", help="Inputs x and labels y, for accuracy and error [held-out images if shipped]."
)
@inputs.design_option
@inputs.batch_option
@inputs.subject_options
@inputs.options(inputs.work_options)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the front as Parquet.")
@inputs.json_option
def search(
    networks: tuple[str, ...],
    space_file: str | None,
    settings: tuple[str, ...],
    objectives: tuple[str, ...],
    limits: tuple[str, ...],
    evaluations: int,
    method: str | None,
    search_seed: int,
    data: str | None,
    design_name: str | None,
    batch: int,
    study: str | None,
    jobs: int,
    dask: str | None,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """The points of a grid that no other beats, for NETWORK or several that compete; says how much of it was seen.

    Grids up to ten million points are looked at as a whole, larger ones sampled. The objective ``error`` is the
    share of wrong answers under the datapath's own arithmetic.

    \b
    Examples:
      hwsim search cnn_int8 --set array.rows=4,8,16,32 --set array.cols=4,8,16,32 --limit area_um2=1e6
      hwsim search cnn_int8 cnn_int4 --space space.yaml --objective energy_pj --objective error
      hwsim search bert-base --space huge.yaml --evaluations 2000 --study bert.sqlite --jobs 4

    A search with --study that was stopped, even killed, goes on when it is started again.
    """
    subjects = [inputs.subject(name, batch, choices) for name in networks]
    constraints = dict(_limit(text) for text in limits)
    wanted = {"accuracy", "error"} & {*objectives, *constraints}
    with inputs.resumable(study), inputs.workers(dask) as executor:
        found = hwsim.search(
            subjects, inputs.space(space_file, settings), objectives=objectives, constraints=constraints,
            evaluations=evaluations, method=method, data=_data(subjects, data) if wanted else None, seed=search_seed,
            base=inputs.design(design_name), batch=batch, study=study, jobs=jobs, executor=executor, progress=True,
        )  # fmt: skip
    if out:
        write_results(found.front, out)
    if as_json:
        head = {"schema": SCHEMA, "method": found.method, "size": found.size, "evaluated": found.evaluated}
        output.print_json({**head, "growth": found.growth, "front": output.records(found.front)})
        return
    shown = tuple(name for name in metrics.METRICS if name in found.front)
    output.print_table(tables.points(found.front, shown), "Front")
    output.print_line(str(found))
    if out:
        output.print_line(f"wrote {out}")


def _limit(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name or not value:
        raise DesignError(f"--limit {text!r}: expected name=value or name=low:high")
    low, colon, high = value.partition(":")
    return name, (_number(text, low), _number(text, high)) if colon else _number(text, low)


def _number(text: str, value: str) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        raise DesignError(f"--limit {text!r}: {value!r} is not a number") from None


def _data(subjects: Sequence[Network | Workload], file: str | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs and labels of each network: of the file, or the images held out from training of shipped ones."""
    if file is not None:
        try:
            with np.load(file) as found:
                pair = found["x"], found["y"]
        except (OSError, ValueError, KeyError) as error:
            raise HwsimError(f"cannot read inputs x and labels y from {file!r}: {error}") from None
        return {subject.name: pair for subject in subjects}
    shipped = [each for each in subjects if isinstance(each, Network) and inputs.is_shipped(each)]
    return {network.name: digits.held_out(network) for network in shipped}
