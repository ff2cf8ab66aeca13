"""``hwsim rtl``."""

from pathlib import Path

import click

from hwsim.cli import inputs, output
from hwsim.errors import HwsimError, MissingExtraError
from hwsim.files import write_atomically

MODULE = "pe_array"


@click.command()
@click.argument("design_name", metavar="DESIGN")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the files.")
@click.option("--vectors", metavar="NETWORK:LAYER", help="Also stimuli, golden results and a testbench for one layer.")
@inputs.json_option
def rtl(design_name: str, out: Path, vectors: str | None, as_json: bool) -> None:
    """Verilog of the array of DESIGN (a YAML file or a shipped design).

    \b
    Examples:
      hwsim rtl mac_16x16 --out build/mac
      hwsim rtl design.yaml --out build/array --vectors mlp_int8:first
    """
    try:
        from rtl import testbench, verilog
        from rtl.generator import generate
    except ModuleNotFoundError as error:
        raise MissingExtraError("hwsim rtl", "rtl") from error
    design = inputs.design(design_name)
    if vectors is None:
        text = verilog.emit(generate(design.datapath, design.array), MODULE)
        written = [out / f"{MODULE}.v"]
        write_atomically(written[0], text.encode())
    else:
        name, separator, layer = vectors.rpartition(":")
        if not separator or not name or not layer:
            raise HwsimError(f"--vectors {vectors!r}: expected NETWORK:LAYER")
        network = inputs.network(name)
        written = testbench.write_vectors(out, network, layer, design, inputs.samples(network, 1))
    if as_json:
        output.print_json({"files": [str(path) for path in written]})
    else:
        for path in written:
            output.print_line(f"wrote {path}")
