"""``hwsim characterize``."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hwsim import characterization_grid, digits
from hwsim.array_datapath import ArrayDatapath
from hwsim.cli import inputs, output
from hwsim.cli.gates import NO_WIRES
from hwsim.design import Design
from hwsim.errors import DesignError, MissingExtraError, nearest
from hwsim.power import liberty
from hwsim.technology import energy_between, energy_fits, fitting, parts, samples, writing
from hwsim.technology.rows import CONDITIONS, EnergyRow
from hwsim.technology.samples import Sample
from hwsim.technology.table import read_conditions, shared_rows

if TYPE_CHECKING:
    from hwsim.power.liberty import Library
    from hwsim.power.synthesis import Recipe

_FILE = click.Path(path_type=Path, dir_okay=False)
_PARTS = "cacti45 crossbar dram vector_unit"
_NETWORKS = tuple(name for name in digits.NAMES if name not in digits.WIDE)


@click.command()
@click.argument("designs", metavar="[DESIGN]...", nargs=-1)
@click.option(
    "--grid",
    type=click.Choice(characterization_grid.GRIDS),
    help="Measure the design points that the shipped tables were made of.",
)
@click.option("--datapath", "datapaths", multiple=True, help="With --grid: points of this datapath only; repeatable.")
@click.option("--liberty", "liberty_files", required=True, multiple=True, type=_FILE, help="Cell library; repeatable.")
@click.option("--node", required=True, help="Node of the library in nm, as the table names it.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the table.")
@click.option("--network", "networks", multiple=True, help=f"Shipped networks to run [{' '.join(_NETWORKS)}].")
@click.option("--dont-use", multiple=True, metavar="PATTERN", help="Cells that synthesis leaves alone; repeatable.")
@click.option(
    "--wire-load", metavar="NAME", help=f"Wire-load model ({NO_WIRES}: pins only). Default: the library's own default."
)
@click.option(
    "--parts", "lent", metavar="NAMES",
    help=f"Tables of memories and other parts that it refers to ({', '.join(parts())}) [{_PARTS}].",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the tiles that are drawn.")
@click.option("--replace", is_flag=True, help="Measure again what the table has, and replace it.")
@inputs.json_option
def characterize(
    designs: tuple[str, ...],
    grid: str | None,
    datapaths: tuple[str, ...],
    liberty_files: tuple[Path, ...],
    node: str,
    out: Path,
    networks: tuple[str, ...],
    dont_use: tuple[str, ...],
    wire_load: str | None,
    lent: str | None,
    seed: int,
    replace: bool,
    as_json: bool,
) -> None:
    """Energy per event, area and leakage of each DESIGN's parts in library cells, as rows of a technology table.

    A small array's RTL is synthesized and run on tiles of trained networks. A table that a run left unfinished
    is continued. `simulate` and `sweep` take it as technology: the folder's path, with a "/".

    \b
    Example:
      hwsim characterize mac_16x16 --liberty nangate45_typ.lib.gz --node 45 --out ./nangate45
    """
    try:
        import rtl.characterization  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("hwsim characterize", "rtl") from error
    from hwsim.power.synthesis import Recipe

    if bool(designs) == bool(grid):
        raise DesignError("name designs to measure, or --grid for those of the shipped tables")
    unknown = [part for part in (lent or "").split() if part not in parts()]
    if unknown:
        raise DesignError(f"--parts: {nearest(unknown[0], parts())}")
    points = (
        {name: inputs.design(name) for name in designs}
        if grid is None
        else characterization_grid.points(grid, datapaths)
    )
    for design in points.values():
        if not isinstance(design.datapath, ArrayDatapath):
            why = "a crossbar is a macro" if design.datapath.verified == "rtl" else "a cost-only rule has no RTL"
            raise DesignError(f"{design.datapath.name()} has no library cells to characterize: {why}")
    library = liberty.read(liberty_files)
    wires = library.default_wire_load if wire_load is None else wire_load
    table = _Table(out, lent, library, Recipe(liberty=liberty_files, dont_use=dont_use),
                   None if wires == NO_WIRES else wires, node, seed)  # fmt: skip
    report: list[dict[str, Any]] = []
    try:
        for name, design in points.items():
            if not replace and table.knows(design):
                click.echo(f"{name}: already in {out}", err=True)
                continue
            found = table.measure(name, design, networks or _NETWORKS, replace, show_progress=not as_json)
            report += [dataclasses.asdict(sample) for sample in found]
            if not as_json:
                _print(name, found)
    finally:
        if table.samples:
            table.fit(points.values())
    if as_json:
        output.print_json({"out": str(out), "samples": report})


def _print(name: str, found: Sequence[Sample]) -> None:
    """Mean energy of each action over all stimuli."""
    for point in samples.by_point(found).values():
        count = max(1, sum(sample.count for sample in point))
        pj, zero_pj = (sum(getattr(each, key) for each in point) / count for key in ("pj", "zero_delay_pj"))
        output.print_line(f"{name}: {point[0].component} {point[0].action} {pj:.4g} pJ (zero delay {zero_pj:.4g})")


class _Table:
    """A technology folder that grows point by point."""

    def __init__(
        self, out: Path, lent: str | None, library: "Library", recipe: "Recipe", wires: str | None, node: str, seed: int
    ) -> None:
        self.out, self.library, self.recipe, self.wires, self.seed = out, library, recipe, wires, seed
        self.origin = energy_fits.Origin(node=node, voltage_v=library.voltage_v)
        self.samples, (self.energy, self.area) = samples.read(out), writing.read(out)
        self._sampled = _parts(self.samples)
        self.parts = lent or read_conditions(out / CONDITIONS, f"{out}/{CONDITIONS}").get("parts", _PARTS)
        self.lent = {row.component for part in self.parts.split() for row in shared_rows(part, str(out))[1]}

    def knows(self, design: Design) -> bool:
        """Whether the table has samples of every part of the design."""
        return all(
            (part.name, tuple(samples.identity(part.name, part.parameters).items())) in self._sampled
            for part in design.datapath.components(characterization_grid.measured_array(design))
            if part.name not in self.lent
        )

    def measure(
        self, name: str, design: Design, networks: Iterable[str], replace: bool, show_progress: bool
    ) -> list[Sample]:
        """Adds a design's samples and parts and writes these; returns the samples. `fit` makes rows of them."""
        from rtl import characterization, measured_rows, tiles

        datapath, array = design.datapath, characterization_grid.measured_array(design)
        assert isinstance(datapath, ArrayDatapath)
        sets = tiles.of_networks(datapath, array, list(networks), self.seed)
        if not sets:
            raise DesignError(f"{name}: it takes no layer of the networks {', '.join(networks)}")
        sets |= tiles.random(tiles.varied(sets), datapath, self.seed)
        found = characterization.characterize(
            datapath, array, self.recipe, sets, self.wires, name=name, show_progress=show_progress
        )
        self.samples = [sample for sample in self.samples if sample.design != name] + list(found.samples)
        self.area = writing.merge(self.area, measured_rows.area_rows(found, self.origin), replace)
        self._sampled |= _parts(found.samples)
        self._write()
        return list(found.samples)

    def fit(self, designs: Iterable[Design]) -> None:
        """Makes energy rows of all samples, and rows between measured points for the parts of ``designs``."""
        terms = characterization_grid.terms(designs)
        area = [row for row in self.area if row.exact or row.component not in terms]
        self.area = area + fitting.areas(area, terms)
        measured = energy_fits.rows(self.samples, self.origin)
        between = energy_between.rows(self.samples, terms, self.origin)
        known = {writing.key(row) for row in (*measured, *between)}
        # Rows that came without samples stay until all of their kind have them; they come behind the new ones.
        kept = [row for row in self.energy if row.exact and writing.key(row) not in known]
        replaced = {_group(row) for row in between} - {_group(row) for row in kept}
        kept += [row for row in self.energy if not row.exact and _group(row) not in replaced]
        self.energy = [*measured, *between, *kept]
        self._write()

    def _write(self) -> None:
        samples.write(self.out, self.samples)
        writing.write(self.out, self.energy, self.area, self._conditions())

    def _conditions(self) -> dict[str, str]:
        """What all figures of the table suppose."""
        library = self.library
        return {
            "library": f"{library.name}, {library.voltage_v:g} V, {library.temperature_c:g} C",
            "synthesis": str(self.recipe),
            "glitches": "included: gates have the library's delays; energies without any delays stand beside",
            "clock": "clock pins of flip-flops and their nets' charge; no clock tree; requantizers and stationary "
            "weights as if clock-gated",
            "parts": self.parts,
            "wires": f"wire-load model {self.wires} of the library" if self.wires else "none: pin capacitances only",
        }


def _parts(found: Iterable[Sample]) -> set[tuple]:
    """The parts that samples are of."""
    return {(sample.component, tuple(sample.parameters.items())) for sample in found}


def _group(row: EnergyRow) -> tuple:
    """What rows between measured points are about."""
    return row.component, row.action, tuple(value for value in row.parameters.values() if isinstance(value, str))
