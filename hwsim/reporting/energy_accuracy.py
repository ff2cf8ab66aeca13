"""How well energies are predicted: arrays during stimuli of networks that no fit has seen, against gates."""

import functools
from collections.abc import Iterable

import pandas as pd

from hwsim import characterization_grid
from hwsim.errors import TechnologyError
from hwsim.reporting.tables import Table
from hwsim.technology import available, energy_between, energy_fits, folder, load, samples
from hwsim.technology.fitting import FITTED


@functools.cache
def _samples(name: str) -> tuple[samples.Sample, ...]:
    """All samples of a technology; none if it was made without."""
    return tuple(samples.read(folder(name)))


def errors(names: Iterable[str] = ()) -> pd.DataFrame:
    """`energy_fits.held_out` of technologies, with a column ``technology``; without names of all that ship.

    TechnologyError for one that was made without samples.
    """
    wanted = list(names)
    frames = []
    for name in wanted or available():
        found = _samples(name)
        if not found and wanted:
            raise TechnologyError(f"technology {name!r} has no samples: hwsim characterize makes them")
        frames.append(energy_fits.held_out(found).assign(technology=name))
    return pd.concat(frames, ignore_index=True)


def summary(frame: pd.DataFrame) -> Table:
    """Mean and worst error per technology, datapath and dataflow, and where the worst is."""
    rows = []
    for (technology, datapath, dataflow), part in frame.groupby(["technology", "datapath", "dataflow"]):
        size = part["error_pct"].abs()
        worst = part.loc[size.idxmax()]
        rows.append(
            (
                technology, datapath, dataflow.replace("_", "-"), str(part["design"].nunique()), str(len(part)),
                f"{size.mean():.1f}", f"{size.quantile(0.95):.1f}", f"{size.max():.1f}",
                f"{worst['design']}: {worst['stimulus']}",
            )
        )  # fmt: skip
    heads = ("technology", "datapath", "dataflow", "designs", "arrays x layers", "mean %", "95 % below", "worst %",
             "worst: design, network/layer")  # fmt: skip
    return Table(heads, tuple(rows), numbers=frozenset(range(3, 8)))


def by_design(frame: pd.DataFrame) -> Table:
    """Mean and worst error of every design point."""
    rows = []
    for (technology, design), part in frame.groupby(["technology", "design"], sort=False):
        size = part["error_pct"].abs()
        rows.append((technology, design, str(len(part)), f"{size.mean():.1f}", f"{size.max():.1f}"))
    return Table(
        ("technology", "design point", "layers", "mean %", "worst %"), tuple(rows), numbers=frozenset({2, 3, 4})
    )


def points_left_out(names: Iterable[str] = ()) -> Table:
    """Energy of whole arrays by rows fitted without their points, per technology, datapath and dataflow."""
    terms = characterization_grid.terms(characterization_grid.points("full").values())
    rows = []
    for name in list(names) or available():
        frame = energy_between.left_out(_samples(name), terms)
        for (datapath, dataflow), part in frame.groupby(["datapath", "dataflow"]):
            size = part["error_pct"].abs()
            rows.append(
                (
                    name, datapath, dataflow.replace("_", "-"), str(len(part)), f"{size.mean():.1f}",
                    f"{size.max():.1f}", str(part.loc[size.idxmax(), "design"]),
                )
            )  # fmt: skip
    heads = ("technology", "datapath", "dataflow", "designs", "mean %", "worst %", "worst: design")
    return Table(heads, tuple(rows), numbers=frozenset(range(3, 6)))


def between(names: Iterable[str] = ()) -> Table:
    """Rows between measured points, and how they meet points left out."""
    rows = []
    for name in list(names) or available():
        for row in load(name).energy_rows:
            if not row.exact and row.source.startswith(FITTED):
                options = " ".join(value for value in row.parameters.values() if isinstance(value, str))
                rows.append((name, row.component, row.action, options, row.source))
    return Table(("technology", "component", "action", "options", "fitted to"), tuple(rows))
