"""Gate-level activity against Verilator: mapped PEs of two datapaths, toggles of every net equal."""

from pathlib import Path

import numpy as np
import pytest

from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.power import activity, liberty, netlist, synthesis
from hwsim.power.program import compile_netlist
from rtl import verilog
from rtl.pe import ProcessingElement
from sims import gate_level, toolchain

TINY = Path(__file__).parent.parent / "tests" / "data" / "tiny.lib"
SMALL = {"lanes": 2, "weight_bits": 3, "activation_bits": 3, "accumulator_bits": 10}
PES = {
    "mac": Mac(**SMALL, scale_bits=0),
    "bit_serial": BitSerial(**SMALL, scale_bits=3, group_accumulator_bits=8, skip="zero"),
}
RESET_FLOPS = """module flops (clk, d, r, s, q); input clk, d, r, s; output [1:0] q; wire [1:0] q; wire n, c;
  DFFRE a (.D(d), .CK(clk), .RN(r), .E(s), .Q(q[0]));
  XOR2 x (.A(q[0]), .B(s), .Y(n));
  XOR2 y (.A(r), .B(s), .Y(c));
  DFFRE b (.D(n), .CK(clk), .RN(c), .E(d), .Q(q[1]));
endmodule
"""
WARM_UP = 2


@pytest.fixture(scope="module", autouse=True)
def _needs_verilator():
    try:
        toolchain.environment()
    except toolchain.ToolchainError as error:
        pytest.skip(str(error))


def compare(path: Path) -> None:
    """Three streams of different lengths: the sums of Verilator's counts are ours, net by net."""
    gates = netlist.read(path, liberty.read(TINY))
    clock = gates.nets[compile_netlist(gates).clock]
    binary = gate_level.build(gates, path.read_text(), clock)
    streams = [
        np.random.default_rng(seed).integers(0, 2, (200 + 50 * seed, gates.inputs.size), dtype=np.uint8)
        for seed in range(3)
    ]
    ours = activity.count(gates, activity.from_streams(streams, WARM_UP))
    theirs = sum(gate_level.toggles(binary, gates, bits, WARM_UP) for bits in streams)
    data = np.arange(len(gates.nets)) != gates.net_index[clock]
    assert ours.toggles[data].sum() > 1000
    np.testing.assert_array_equal(theirs[data], ours.toggles[data])


@pytest.mark.parametrize("name", PES)
def test_toggles_of_a_mapped_pe_equal_verilators(name):
    verilog_text = verilog.emit(ProcessingElement(PES[name]), "pe")
    recipe = synthesis.Recipe(liberty=(TINY,))
    compare(synthesis.synthesize(verilog_text, "pe", recipe, show_progress=False))


def test_toggles_of_flip_flops_with_asynchronous_clear_equal_verilators(tmp_path):
    (tmp_path / "flops.v").write_text(RESET_FLOPS)
    compare(tmp_path / "flops.v")
