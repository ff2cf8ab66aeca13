"""``hwsim reproduce``."""

from pathlib import Path

import click
import pandas as pd

from hwsim.cli import inputs, output
from hwsim.errors import FormatError, MissingExtraError
from hwsim.files import write_atomically

CSV_COLUMNS = ["version", "accelerator", "model", "stage", "cycles", "energy_uj"]


@click.group()
def reproduce() -> None:
    """Published comparisons, recomputed and set beside the published figures.

    \b
    Examples:
      hwsim reproduce bitmod
      hwsim reproduce lmul --no-networks
    """


@reproduce.command()
@click.option("--version", type=click.Choice(["2024", "2025"]), help="One simulator of the authors; both by default.")
@click.option("--csv", type=click.Path(path_type=Path, dir_okay=False), help="Cycles and energy of every point.")
@inputs.json_option
def bitmod(version: str | None, csv: Path | None, as_json: bool) -> None:
    """BitMoD (HPCA 2025): six language models on FP16, ANT, OliVe and BitMoD, and on our bit-serial array.

    \b
    Examples:
      hwsim reproduce bitmod
      hwsim reproduce bitmod --version 2024 --csv bitmod.csv
    """
    from hwsim.reproductions import bitmod as published
    from hwsim.reproductions import bitmod_tables as tables

    versions = [int(version)] if version else list(published.VERSIONS)
    points = published.points(versions, progress=True)
    ratios = published.ratios(pd.concat([points, published.equal_area(versions, progress=True)]))
    if csv:
        write_atomically(csv, points[CSV_COLUMNS].to_csv(index=False, float_format="%.3f").encode())
    left_out, counterpart = published.left_out(progress=True), published.counterpart(progress=True)
    if as_json:
        frames = {"points": points, "ratios": ratios, "left_out": left_out, "counterpart": counterpart}
        output.print_json({name: output.records(frame) for name, frame in frames.items()})
        return
    for each, rows in points.groupby("version"):
        output.print_table(
            tables.points(rows), f"BitMoD's simulator of {each}: cycles and energy, published beside ours"
        )
    output.print_table(tables.ratios(ratios), "Times the cycles or energy of BitMoD")
    output.print_line(
        "discriminative: prefill of 256 tokens; generative: that and 20 decode steps; mean: arithmetic, as published; "
        "published: by the authors' own code"
    )
    output.print_table(tables.left_out(left_out), "If it counted: BitMoD-LY, generative, 2025")
    output.print_table(tables.counterpart(counterpart, points), "BitMoD's weights on our verified bit-serial array")
    output.print_line(
        "there everything counts, activations are integers of 16 bits, energies those of another technology (45 nm)"
    )
    if csv:
        output.print_line(f"wrote {csv}")


@reproduce.command()
@click.option("--no-networks", is_flag=True, help="Leave out the accuracy on digits, which takes a minute.")
@inputs.json_option
def lmul(no_networks: bool, as_json: bool) -> None:
    """L-Mul (arXiv 2410.00907): errors of operator and dot products, accuracy on digits, area and energy saved.

    \b
    Example:
      hwsim reproduce lmul
    """
    from hwsim.reproductions import lmul as published
    from hwsim.reproductions import lmul_tables as tables

    frames = {
        "operator_errors": published.operator_errors(),
        "dot_products": published.dot_products(),
        **({} if no_networks else {"network_accuracy": published.network_accuracy(progress=not as_json)}),
        "savings": published.savings(),
    }
    if as_json:
        output.print_json({name: output.records(frame) for name, frame in frames.items()})
        return
    for name, frame in frames.items():
        table, title = getattr(tables, name)(frame)
        output.print_table(table, title)
    output.print_line(tables.CLAIM)


@reproduce.command()
@click.option(
    "--liberty", "liberty_files", required=True, multiple=True,
    type=click.Path(path_type=Path, dir_okay=False), help="Cell library; repeatable.",
)  # fmt: skip
@click.option("--dont-use", multiple=True, metavar="PATTERN", help="Cells that synthesis leaves alone; repeatable.")
@click.option("--format", "formats", multiple=True, help="Only this format; repeatable.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="CSV file to write.")
def lmul_costs(liberty_files: tuple[Path, ...], dont_use: tuple[str, ...], formats: tuple[str, ...], out: Path) -> None:
    """Measures the table of area and energy that `hwsim reproduce lmul` shows: units and PEs, synthesized.

    \b
    Example:
      hwsim reproduce lmul-costs --liberty nangate45_typ.lib.gz --out lmul_costs.csv
    """
    try:
        from rtl import multiplier_costs
    except ModuleNotFoundError as error:
        raise MissingExtraError("hwsim reproduce lmul-costs", "rtl") from error
    from hwsim.power.synthesis import Recipe
    from hwsim.reproductions import lmul as published

    unknown = [each for each in formats if each not in multiplier_costs.FORMATS]
    if unknown:
        raise FormatError(f"no measured format {unknown[0]!r}; there are {', '.join(multiplier_costs.FORMATS)}")
    recipe = Recipe(liberty=liberty_files, dont_use=dont_use)
    rows = list(multiplier_costs.measure(recipe, formats or tuple(multiplier_costs.FORMATS)))
    write_atomically(out, published.cost_table(rows))
    output.print_line(f"wrote {out}")
