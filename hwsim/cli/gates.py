"""``hwsim power``."""

from pathlib import Path

import click
import pandas as pd

from hwsim.cli import inputs, output
from hwsim.power import calculator, liberty, netlist, waveforms
from hwsim.reporting.tables import Table

NO_WIRES = "none"
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("netlist_file", metavar="NETLIST", type=_FILE)
@click.option("--activity", "activity_file", required=True, type=_FILE, help="VCD or SAIF file of this netlist.")
@click.option("--liberty", "liberty_files", required=True, multiple=True, type=_FILE, help="Cell library; repeatable.")
@click.option("--period-ns", required=True, type=float, help="Clock period: energies are per period.")
@click.option(
    "--wire-load", metavar="NAME", help=f"Wire-load model ({NO_WIRES}: pins only). Default: the library's own default."
)
@click.option("--joint-states", is_flag=True, help="States of cells as in the dump, not from independent pins.")
@inputs.json_option
def power(
    netlist_file: Path,
    activity_file: Path,
    liberty_files: tuple[Path, ...],
    period_ns: float,
    wire_load: str | None,
    joint_states: bool,
    as_json: bool,
) -> None:
    """Energy per cycle and leakage of the gate-level NETLIST (flat Verilog).

    Files may be gzipped.

    \b
    Example:
      hwsim power mac.v --activity mac.vcd.gz --liberty nangate45_typ.lib.gz --period-ns 5
    """
    library = liberty.read(liberty_files)
    gates = netlist.read(netlist_file, library)
    model = library.default_wire_load if wire_load is None else wire_load
    wires = None if model in (None, NO_WIRES) else library.wire_load(model)
    activity = waveforms.read(activity_file, gates, period_ns, joint_states=joint_states)
    result = calculator.compute(gates, activity, wires)
    if as_json:
        output.print_json(
            {
                "switching_pj": result.switching_pj,
                "internal_pj": result.internal_pj,
                "total_pj": result.total_pj,
                "leakage_uw": result.leakage_uw,
                "input_nets_pj": result.input_nets_pj,
                "cycles": result.cycles,
                "period_ns": period_ns,
                "voltage_v": library.voltage_v,
                "library": library.name,
                "wire_load": wires.name if wires is not None else None,
                "states": _states(result),
                "by_cell": output.records(result.by("cell")),
                "by_kind": output.records(result.by("kind")),
            }
        )
        return
    output.print_table(_table(result.by("kind"), "kind"), f"{gates.name}: energy per cycle")
    output.print_table(_table(result.by("cell"), "cell"), "By cell")
    output.print_line(
        f"total {result.total_pj:.4g} pJ/cycle (switching {result.switching_pj:.4g}, "
        f"internal {result.internal_pj:.4g}), leakage {result.leakage_uw:.4g} uW; "
        f"not in it: {result.input_nets_pj:.4g} pJ/cycle on the nets of input ports"
    )
    output.print_line(
        f"{library.name} at {library.voltage_v:g} V, {result.cycles:g} cycles of {period_ns:g} ns, "
        f"wire load {wires.name if wires is not None else NO_WIRES}, states of cells: {_states(result)}"
    )


def _states(result: calculator.Power) -> str:
    return "joint" if result.joint_states else "independent pins"


def _table(frame: pd.DataFrame, key: str) -> Table:
    heads = (key, "instances", "switching pJ", "internal pJ", "total pJ", "leakage uW", "area um2")
    rows = tuple(
        (str(row[0]), str(row[1]), *(f"{value:.4g}" for value in row[2:])) for row in frame.itertuples(index=False)
    )
    return Table(heads, rows, numbers=frozenset(range(1, len(heads))))
