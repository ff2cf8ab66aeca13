"""``hwsim characterize``."""

from pathlib import Path
from typing import Any

import click

from hwsim.cli import inputs, output
from hwsim.cli.gates import NO_WIRES
from hwsim.errors import DesignError, MissingExtraError
from hwsim.integer import IntegerDatapath
from hwsim.power import liberty
from hwsim.technology import load, writing
from hwsim.technology.rows import AreaRow, EnergyRow

_FILE = click.Path(path_type=Path, dir_okay=False)
_BORROWED = ("sram", "dram", "vector_unit")
_SIDE = 2
_MEASURED = ("mlp_int8", "cnn_int8", "mlp_int4", "cnn_int4", "cnn_ternary")


@click.command()
@click.argument("designs", metavar="DESIGN...", nargs=-1, required=True)
@click.option("--liberty", "liberty_files", required=True, multiple=True, type=_FILE, help="Cell library; repeatable.")
@click.option("--node", required=True, help="Node of the library in nm, as the table names it.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the table.")
@click.option("--network", "networks", multiple=True, help=f"Shipped networks to run [{' '.join(_MEASURED)}].")
@click.option("--dont-use", multiple=True, metavar="PATTERN", help="Cells that synthesis leaves alone; repeatable.")
@click.option(
    "--wire-load", metavar="NAME", help=f"Wire-load model ({NO_WIRES}: pins only). Default: the library's own default."
)
@click.option(
    "--memory-from", default="horowitz45", show_default=True, help="Table whose SRAM, DRAM rows a new one takes."
)
@click.option("--seed", default=0, show_default=True, help="Of the tiles that are drawn.")
@click.option("--replace", is_flag=True, help="Measure again what the table has, and replace it.")
@inputs.json_option
def characterize(
    designs: tuple[str, ...],
    liberty_files: tuple[Path, ...],
    node: str,
    out: Path,
    networks: tuple[str, ...],
    dont_use: tuple[str, ...],
    wire_load: str | None,
    memory_from: str,
    seed: int,
    replace: bool,
    as_json: bool,
) -> None:
    """Energy per event, area and leakage of each DESIGN's parts in library cells, as rows of a technology table.

    The array's RTL is synthesized (2 x 2 PEs) and run on tiles of trained networks. A table that a run left unfinished
    is continued. `simulate` and `sweep` take it as technology: the folder's path, with a "/".

    \b
    Example:
      hwsim characterize mac_16x16 --liberty nangate45_typ.lib.gz --node 45 --out ./nangate45
    """
    try:
        from rtl import characterization, tiles
    except ModuleNotFoundError as error:
        raise MissingExtraError("hwsim characterize", "rtl") from error
    from hwsim.datapath import Array
    from hwsim.power.synthesis import Recipe

    library = liberty.read(liberty_files)
    recipe = Recipe(liberty=liberty_files, dont_use=dont_use)
    wires = library.default_wire_load if wire_load is None else wire_load
    wires = None if wires == NO_WIRES else wires
    array = Array(rows=_SIDE, cols=_SIDE)
    energy, area = writing.read(out)
    if not energy:
        energy, area = _borrowed(memory_from)
    report: list[dict[str, Any]] = []
    for name in designs:
        datapath = inputs.design(name).datapath
        if not isinstance(datapath, IntegerDatapath):
            raise DesignError(f"{datapath.name()} is a cost-only rule: it has no RTL to characterize")
        if not replace and _known(datapath, array, area):
            click.echo(f"{name}: already in {out}", err=True)
            continue
        sets = tiles.of_networks(datapath, array, networks or _MEASURED, seed)
        if not sets:
            raise DesignError(f"{name}: it takes no layer of the networks {', '.join(networks or _MEASURED)}")
        random = tiles.uniform(next(iter(sets.values())), datapath, seed)
        found = characterization.characterize(
            datapath, array, recipe, {**sets, characterization.UNIFORM: random}, wires, show_progress=not as_json
        )
        common = {
            "node": node, "voltage_v": library.voltage_v, "status": "measured",
            "basis": f"hwsim characterize: {library.name} {library.voltage_v:g} V {library.temperature_c:g} C; "
            f"{recipe}; wire load {wires or NO_WIRES}; no clock tree; RTL {found.rtl_hash} ({_SIDE} x {_SIDE} PEs); "
            f"tiles of {' '.join(sets)} (seed {seed}, {found.cycles} cycles)",
        }  # fmt: skip
        energy = writing.merge(
            energy, [_energy_row(each, found, common) for each in found.events] + _scale(found, common), replace
        )
        area = writing.merge(area, [_area_row(each, common) for each in found.parts], replace)
        writing.write(out, energy, area)
        for each in found.events:
            row = {"design": name, "component": each.component, "action": each.action, "pj": each.pj,
                   "zero_delay_pj": each.zero_delay_pj, "by_stimulus": dict(each.by_stimulus)}  # fmt: skip
            report.append(row)
            if not as_json:
                output.print_line(
                    f"{name}: {each.component} {each.action} {each.pj:.4g} pJ (zero delay {each.zero_delay_pj:.4g})"
                )
    if as_json:
        output.print_json({"out": str(out), "events": report})


def _borrowed(name: str) -> tuple[list[EnergyRow], list[AreaRow]]:
    table = load(name)
    return (
        [row for row in table.energy_rows if row.component in _BORROWED],
        [row for row in table.area_rows if row.component in _BORROWED],
    )


def _known(datapath: IntegerDatapath, array: Any, area: list[AreaRow]) -> bool:
    """Whether the table has the datapath's PE."""
    pe = datapath.components(array)[0]
    return any(
        row.component == pe.name and all(pe.parameters.get(key) == value for key, value in row.parameters.items())
        for row in area
    )


def _energy_row(event: Any, found: Any, common: dict[str, Any]) -> EnergyRow:
    parameters = next(part.parameters for part in found.parts if part.component == event.component)
    known = {name: pj for name, pj in event.by_stimulus.items() if name != "uniform"}
    spread = max(abs(pj - event.pj) for pj in known.values()) / event.pj * 100 if event.pj else 0.0
    uniform = event.by_stimulus.get("uniform")
    by_bits = event.component == "operand_register"
    return EnergyRow(
        node=common["node"], voltage_v=common["voltage_v"], component=event.component, action=event.action,
        parameters={} if by_bits else parameters, e0_pj=0.0 if by_bits else event.pj,
        coefficients={"register_bits": event.pj / float(parameters["register_bits"])} if by_bits else {},
        source=f"{common['basis']}; with gate delays; zero delay {event.zero_delay_pj:.4g} pJ"
        + (f"; uniform random tiles {uniform:.4g} pJ" if uniform is not None else ""),
        status=common["status"], error_pct=round(spread, 1),
    )  # fmt: skip


def _scale(found: Any, common: dict[str, Any]) -> list[EnergyRow]:
    """The scale stage works in every step, not when it is used: its energy is in ``accumulate``."""
    part = next(part for part in found.parts if part.component.endswith(".pe"))
    return [
        EnergyRow(
            node=common["node"], voltage_v=common["voltage_v"], component=part.component, action="scale",
            parameters=part.parameters, e0_pj=0.0, coefficients={},
            source=f"{common['basis']}; in accumulate: the stage's inputs change with every step",
            status=common["status"], error_pct=None,
        )
    ]  # fmt: skip


def _area_row(part: Any, common: dict[str, Any]) -> AreaRow:
    by_bits = part.component == "operand_register"
    bits = float(part.parameters["register_bits"]) if by_bits else 1.0
    return AreaRow(
        node=common["node"], voltage_v=common["voltage_v"], component=part.component,
        parameters={} if by_bits else part.parameters, area_um2=0.0 if by_bits else part.area_um2,
        coefficients={"register_bits": part.area_um2 / bits} if by_bits else {},
        leakage_uw=0.0 if by_bits else part.leakage_uw,
        leakage_uw_per_um2=part.leakage_uw / part.area_um2 if by_bits else 0.0, critical_path_ns=part.critical_path_ns,
        source=f"{common['basis']}; cell area without routing; set-up time not in the path", status=common["status"],
        error_pct=None,
    )  # fmt: skip
