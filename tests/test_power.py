"""Power of gate-level netlists: answers worked out by hand on a library of our own, and reference figures if given.

With HWSIM_LIBERTY (a folder of Liberty files) and HWSIM_POWER_REFERENCE (a folder with opensta.csv, netlists and
dumps) in the environment the figures of OpenSTA are checked too; nobody sets them by default.
"""

import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from hwsim.cli import main
from hwsim.errors import PowerError
from hwsim.power import calculator, liberty, netlist, waveforms
from hwsim.power.calculator import Power
from hwsim.power.liberty import Library
from hwsim.power.waveforms import Activity

TINY = Path(__file__).parent / "data" / "tiny.lib"
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")

INV_NAND = """module m (a, b, y); input a, b; output y; wire n;
  INV i (.A(a), .Y(n)); NAND2 g (.A(n), .B(b), .Y(y));
endmodule"""
INV_NAND_VCD = """$timescale 1ps $end
$scope module tb $end $scope module dut $end
$var wire 1 ! a $end $var wire 1 " b $end $var wire 1 # n $end $var wire 1 $ y $end
$upscope $end $upscope $end $enddefinitions $end
#0
$dumpvars 0! 1" 1# 0$ $end
#1000
1! 0# 1$
#2000
0"
#3000
0! 1#
#4000
"""
XOR = "module m (a, b, y); input a, b; output y; XOR2 x (.A(a), .B(b), .Y(y)); endmodule"
XOR_VCD = """$timescale 1 ns $end $scope module m $end
$var wire 1 ! a $end $var wire 1 " b $end $var wire 1 # y $end
$upscope $end $enddefinitions $end
#0 0! 0" 0# #1 1! 1# #2 0! 0# #3 1" 1# #4
"""
CHAIN_VCD = """$timescale 1ns $end $scope module m $end
$var wire 1 a a $end $var wire 1 n n $end $var wire 1 y y $end $upscope $end $enddefinitions $end
"""
FLOP = "module m (d, clk, q, qn); input d, clk; output q, qn; DFF f (.D(d), .CK(clk), .Q(q), .QN(qn)); endmodule"
FLOP_VARS = '$timescale 1ps $end $scope module m $end $var wire 1 d d $end $var wire 1 q q $end $var wire 1 " qn $end'
FLOP_CHANGES = {0: "0d 0q 1\"", 2000: "1d", 2500: "1q 0\"", 4000: ""}  # fmt: skip


def flop_vcd(*, clock: bool) -> str:
    changes = dict(FLOP_CHANGES)
    if clock:
        for step in range(9):
            time = 500 * step
            changes[time] = changes.get(time, "") + f" {step % 2}c"
    head = FLOP_VARS + (" $var wire 1 c clk $end" if clock else "") + " $upscope $end $enddefinitions $end\n"
    return head + "\n".join(f"#{time} {changes[time]}" for time in sorted(changes))


@pytest.fixture(scope="module")
def library() -> Library:
    return liberty.read(TINY)


def activity_of(
    tmp_path: Path, library: Library, verilog: str, dump: str, name: str = "dump.vcd", **options
) -> Activity:
    (tmp_path / "net.v").write_text(verilog)
    (tmp_path / name).write_text(dump)
    return waveforms.read(tmp_path / name, netlist.read(tmp_path / "net.v", library), 1.0, **options)


def power_of(
    tmp_path: Path, library: Library, verilog: str, dump: str, wire_load: str | None = None, **options
) -> Power:
    activity = activity_of(tmp_path, library, verilog, dump, **options)
    gates = netlist.read(tmp_path / "net.v", library)
    return calculator.compute(gates, activity, library.wire_load(wire_load) if wire_load else None)


def test_two_gates_by_hand(tmp_path: Path, library: Library) -> None:
    power = power_of(tmp_path, library, INV_NAND, INV_NAND_VCD)
    inverter = 2 * (0.5 + 0.01 * 1.0 - 0.1) / 2
    output = 1 * (1.0 * 0.75 + 0.5 * 1.5) / 1.5
    hidden = 1 * (0.5 * 0.15 + 0.5 * 0.5)
    assert power.cycles == 4
    assert power.switching_pj * 4e3 == pytest.approx(0.5 * 1.0 * 2)
    assert power.internal_pj * 4e3 == pytest.approx(inverter + output + hidden)
    assert power.total_pj == pytest.approx(power.switching_pj + power.internal_pj)
    assert power.leakage_uw * 1e3 == pytest.approx((0.5 * 2 + 0.5 * 4) + (0.25 * 8 + 0.5 * 4 + 0.25 * 6))
    assert power.input_nets_pj * 4e3 == pytest.approx(0.5 * 1.0 * 2 + 0.5 * 1.2 * 1)


def test_wires_load_nets_and_ports(tmp_path: Path, library: Library) -> None:
    power = power_of(tmp_path, library, INV_NAND, INV_NAND_VCD, wire_load="small")
    assert power.switching_pj * 4e3 == pytest.approx(0.5 * 1.5 * 2 + 0.5 * 0.5 * 1)
    assert power.internal_pj * 4e3 == pytest.approx(2 * (0.5 + 0.015 - 0.1) / 2 + 1.0 + 0.325)


def test_slews_reach_the_tables(tmp_path: Path, library: Library) -> None:
    """Slews behind one inverter: 10 + 1.0 rising, (10 + 0.8) / 2 falling; the next one's output rises on the fall."""
    chain = "module m (a, y); input a; output y; wire n; INV i (.A(a), .Y(n)); INV j (.A(n), .Y(y)); endmodule"
    power = power_of(tmp_path, library, chain, CHAIN_VCD + "#0 0a 1n 0y #1 1a 0n 1y #2")
    second = power.instances()["internal_pj"][1] * 2e3
    assert second == pytest.approx((0.5 + 0.001 * (10 + 0.8) / 2 - 0.1) / 2)


def test_groups_of_states(tmp_path: Path, library: Library) -> None:
    """XOR2: 2 fJ by A while B is 0, 4 fJ by A while B is 1, 2 fJ by B; two toggles of A, one of B, three of Y."""
    alike = power_of(tmp_path, library, XOR, XOR_VCD)
    joint = power_of(tmp_path, library, XOR, XOR_VCD, joint_states=True)
    assert alike.internal_pj * 4e3 == pytest.approx(3 * (2 * 2 + 2 * 4 + 1 * 2) / 5)
    assert joint.internal_pj * 4e3 == pytest.approx(3 * (2 * 0.75 * 2 + 2 * 0.25 * 4 + 1 * 2) / 3)


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("open_output", [False, True])
@pytest.mark.parametrize("joint", [False, True])
def test_a_flip_flop_by_hand(tmp_path: Path, library: Library, clock: bool, open_output: bool, joint: bool) -> None:
    """Clock in the dump or left out; QN connected or not; q is high for 3/8 of the time."""
    verilog = FLOP.replace(".QN(qn)", ".QN()").replace("q, qn", "q") if open_output else FLOP
    power = power_of(tmp_path, library, verilog, flop_vcd(clock=clock), joint_states=joint)
    pairs = 1.0 if joint else 0.375**2 + 0.625**2
    outputs = 3 if open_output else 3 + 1
    assert power.internal_pj * 4e3 == pytest.approx(0.3 + 8 * (0.5 * 2 + 0.5 * 3) * pairs + outputs)
    high = 0.25 if joint and clock else 0.5 * 0.375
    assert power.leakage_uw * 1e3 == pytest.approx(12 * high + 8 * (0.5 - high) + 10 * 0.5)
    assert power.input_nets_pj * 4e3 == pytest.approx(0.5 * (8 * 1.5 + 1 * 1.0))


def test_a_left_out_clock_passes_buffers(tmp_path: Path, library: Library) -> None:
    verilog = FLOP.replace("DFF f (", "wire c; BUF b (.A(clk), .Y(c)); DFF f (").replace(".CK(clk)", ".CK(c)")
    power = power_of(tmp_path, library, verilog, flop_vcd(clock=False))
    buffer = power.by("cell").set_index("cell").loc["BUF"]
    assert buffer["internal_pj"] * 4e3 == pytest.approx(8 * 1.0)
    assert buffer["switching_pj"] * 4e3 == pytest.approx(0.5 * 1.5 * 8)


def test_supplies_add_up(tmp_path: Path, library: Library) -> None:
    """Groups of two supplies are averaged apart and then added; leakage likewise."""
    text = TINY.read_text()
    start = text.index("      internal_power", text.index("  cell (XOR2)"))
    stop = text.index("    }\n  }\n  cell (AOI21)")
    split = "".join(
        text[start:stop].replace('related_pin : "', f'related_pg_pin : {rail}; related_pin : "')
        for rail in ("VDD", "VSS")
    )
    rows = "".join(
        f"leakage_power () {{ related_pg_pin : {rail}; {when} value : {value}; }}\n"
        for rail, when, value in [("VDD", "", 3), ("VDD", 'when : "A";', 5), ("VSS", 'when : "A";', 1)]
    )
    split = text[:start] + split + text[stop:]
    (tmp_path / "split.lib").write_text(split.replace("cell (XOR2) {", f"cell (XOR2) {{\n{rows}"))
    both, one = (power_of(tmp_path, of, XOR, XOR_VCD) for of in (liberty.read(tmp_path / "split.lib"), library))
    assert both.internal_pj == pytest.approx(2 * one.internal_pj)
    joint = power_of(tmp_path, liberty.read(tmp_path / "split.lib"), XOR, XOR_VCD, joint_states=True)
    assert joint.leakage_uw * 1e3 == pytest.approx(0.25 * (5 + 1) + 0.75 * 3)


def test_two_outputs_and_a_tie(tmp_path: Path, library: Library) -> None:
    """A half adder whose B is tied high: S follows A always, CO too; both outputs cost."""
    verilog = "module m (a, s, c); input a; output s, c; wire t; TIE1 k (.Y(t)); "
    verilog += "HA h (.A(a), .B(t), .CO(c), .S(s)); endmodule"
    dump = "$timescale 1ns $end $scope module m $end $var wire 1 a a $end $var wire 1 s s $end $var wire 1 c c $end\n"
    dump += "$upscope $end $enddefinitions $end #0 0a 1s 0c #1 1a 0s 1c #2 0a 1s 0c #4"
    power = power_of(tmp_path, library, verilog, dump)
    assert power.internal_pj * 4e3 == pytest.approx(2 * 2 + 2 * 1)
    assert power.switching_pj == 0
    assert power.leakage_uw * 1e3 == pytest.approx(1 + 7)


def test_saif_gives_what_the_dump_gives(tmp_path: Path, library: Library) -> None:
    saif = """(SAIFILE (SAIFVERSION "2.0") (DIRECTION "backward") (DIVIDER / ) (TIMESCALE 1 ps) (DURATION 4000)
      (INSTANCE tb (INSTANCE dut (NET
        (a (T0 2000) (T1 2000) (TX 0) (TC 2) (IG 0)) (b (T0 2000) (T1 2000) (TX 0) (TC 1))
        (n (T0 2000) (T1 2000) (TC 2)) (y (T0 1000) (T1 3000) (TC 1))))))"""
    from_dump = power_of(tmp_path, library, INV_NAND, INV_NAND_VCD)
    from_saif = power_of(tmp_path, library, INV_NAND, saif, name="run.saif")
    assert from_saif.instances().equals(from_dump.instances())
    with pytest.raises(PowerError, match="SAIF has no joint states"):
        power_of(tmp_path, library, INV_NAND, saif, name="run.saif", joint_states=True)
    with pytest.raises(PowerError, match=r"run\.saif is truncated"):
        power_of(tmp_path, library, INV_NAND, saif[:-4], name="run.saif")
    with pytest.raises(PowerError, match=r"no activity for 1 nets of 'm': 'b'"):
        power_of(tmp_path, library, INV_NAND, saif.replace("(b (", "(z ("), name="run.saif")
    with pytest.raises(PowerError, match="net 'b' lacks T1 or TC"):
        power_of(tmp_path, library, INV_NAND, saif.replace("(TC 1))\n", ")\n"), name="run.saif")


VECTOR_NET = """module m (a, y); input [2:0] a; output [2:0] y;
  INV i0 (.A(a[0]), .Y(y[0])); INV i1 (.A(a[1]), .Y(y[1])); INV i2 (.A(a[2]), .Y(y[2]));
endmodule"""
TAIL = " $upscope $end $enddefinitions $end\n"


@pytest.mark.parametrize(
    "declared",
    [
        "$var wire 3 v a [2:0] $end" + TAIL + "#0 b0 v #1 b101 v #2 b11 v #3 b0xx v #4",
        "$var wire 3 v a[2:0] $end" + TAIL + "#0 b000 v #1 b101 v #2 b011 v #3 b0xx v #4",
        "$var reg 3 v a $end" + TAIL + "#0 B0 v #1 b101 v #2 b00011 v #3 b0xx v #4",
        "$var wire 3 v a [0:2] $end" + TAIL + "#0 b0 v #1 b101 v #2 b110 v #3 bxx0 v #4",
        r"$var wire 1 ! \a[2] $end $var wire 1 !! a [1] $end $var wire 1 ~ a[0] $end"
        + TAIL + "#0 $dumpvars 0! 0!! 0~ $end #1 1! 1~ #2 0! 1!! #3 x!! x~ #4",
        "$var wire 1 q a $end $upscope $end $scope module u $end $var wire 3 v a [2:0] $end"
        + TAIL + "#0 b0 v 1q #1 b101 v 0q $comment 1v $end r1.5 zz #2 b11 v #3 b0xx v #4",
        "$var wire 3 v a [2:0] $end" + TAIL + "b0 v #0 #1 b101 v #2 b11 v #3 b0xx v #4",
    ],
)  # fmt: skip
def test_ways_to_dump_a_vector(tmp_path: Path, library: Library, declared: str) -> None:
    """a[0]: 0 1 1 x, a[1]: 0 0 1 x, a[2]: 0 1 0 0; y follows from the inverters' inputs."""
    activity = activity_of(tmp_path, library, VECTOR_NET, f"$timescale 1ns $end $scope module m $end {declared}")
    gates = netlist.read(tmp_path / "net.v", library)
    nets = [gates.net_index[f"a[{bit}]"] for bit in range(3)]
    assert activity.toggles[nets].tolist() == [1.5, 1.5, 2]
    assert activity.probability[nets].tolist() == [0.5, 0.25, 0.25]
    assert activity.toggles[[gates.net_index[f"y[{bit}]"] for bit in range(3)]].tolist() == [1.5, 1.5, 2]


def test_a_dump_may_start_unknown(tmp_path: Path, library: Library) -> None:
    """From x is half a toggle, and x is not high; time counts from the first time of the dump."""
    dump = XOR_VCD.replace('#0 0! 0" 0#', '#10 x! x" x#')
    for time in (1, 2, 3, 4):
        dump = dump.replace(f"#{time} ", f"#{10 + time} ").replace(f"#{time}\n", f"#{10 + time}\n")
    activity = activity_of(tmp_path, library, XOR, dump)
    gates = netlist.read(tmp_path / "net.v", library)
    assert activity.cycles == 4
    assert activity.toggles[[gates.net_index[name] for name in "aby"]].tolist() == [1.5, 0.5, 2.5]
    assert activity.probability[gates.net_index["y"]] == 0.5


@pytest.mark.parametrize(
    "declared",
    [
        r"$var wire 1 n \u.n $end",
        r"$var wire 1 n u.n $end",
        "$scope module u $end $var wire 1 n n $end $upscope $end",
    ],
)
def test_flattened_names(tmp_path: Path, library: Library, declared: str) -> None:
    verilog = INV_NAND.replace("wire n", r"wire \u.n ").replace("(n)", r"(\u.n )")
    dump = INV_NAND_VCD.replace("$var wire 1 # n $end", declared).replace("#\n", "n\n").replace("0# ", "0n ")
    dump = dump.replace("1# ", "1n ")
    activity = activity_of(tmp_path, library, verilog, dump)
    assert activity.toggles[netlist.read(tmp_path / "net.v", library).net_index["u.n"]] == 2


def test_gzipped_dumps(tmp_path: Path, library: Library) -> None:
    (tmp_path / "net.v").write_text(XOR)
    packed = gzip.compress(XOR_VCD.encode())
    (tmp_path / "dump.vcd.gz").write_bytes(packed)
    gates = netlist.read(tmp_path / "net.v", library)
    assert waveforms.read(tmp_path / "dump.vcd.gz", gates, 0.5).cycles == 8
    (tmp_path / "dump.vcd.gz").write_bytes(packed[:-20])
    with pytest.raises(PowerError, match=r"VCD dump dump\.vcd\.gz is truncated"):
        waveforms.read(tmp_path / "dump.vcd.gz", gates, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$enddefinitions", "", "is not a VCD dump, or is truncated"),
        ("$timescale 1 ns $end", "", "no .timescale"),
        ("1 ns", "1 fortnight", "'1fortnight' is not a timescale"),
        ('" b', '" c', "no activity for 1 nets of 'm': 'b'"),
        ("1 ! a", "2 ! a", "no activity for 1 nets of 'm': 'a'"),
        ("wire", "real", "no scope holds nets of the netlist 'm'"),
        ("#1 1!", "#1 7!", "not a valid VCD dump at '7!"),
        ("#3 ", "#1 ", "not a valid VCD dump at '#1 "),
        ("#3 ", "#3a ", "not a valid VCD dump at '#3a "),
        ("#0 0! 0\" 0# #1 1! 1# #2 0! 0# #3 1\" 1# #4", "#0 0! 0\" 0#", "the dump has no duration"),
        ('0"', "", None),
        ('#0 0! 0" 0# #1 1! 1# #2 0! 0# #3 1"', "#0 0! 0# #1 1! 1# #2 0! 0# #3", "net 'b' is declared and never gets"),
    ],
)  # fmt: skip
def test_bad_dumps_are_named(tmp_path: Path, library: Library, old: str, new: str, message: str | None) -> None:
    assert old in XOR_VCD
    dump = XOR_VCD.replace(old, new)
    if message is None:  # a net may get its first value late
        assert activity_of(tmp_path, library, XOR, dump).toggles.sum() == 2 + 3
        return
    with pytest.raises(PowerError, match=f"dump.vcd.*{message}"):
        activity_of(tmp_path, library, XOR, dump)


def test_other_bad_input(tmp_path: Path, library: Library) -> None:
    with pytest.raises(PowerError, match=r"'run\.fst': accepted: \.vcd"):
        activity_of(tmp_path, library, XOR, XOR_VCD, name="run.fst")
    gates = netlist.read(tmp_path / "net.v", library)
    with pytest.raises(PowerError, match="a period of 0 ns"):
        waveforms.read(tmp_path / "run.vcd", gates, 0.0)
    text = TINY.read_text()
    start, stop = text.index("  cell (BUF)"), text.index("  cell (NAND2)")
    cut = text[start:stop]
    (tmp_path / "powerless.lib").write_text(text.replace(cut, cut.replace("internal_power", "other_power")))
    powerless = liberty.read(tmp_path / "powerless.lib")
    verilog = "module m (a, y); input a; output y; BUF b (.A(a), .Y(y)); endmodule"
    dump = "$timescale 1ns $end $scope module m $end $var wire 1 a a $end" + TAIL + "#0 0a #1 1a #2"
    with pytest.raises(PowerError, match="cell 'BUF' of tiny has no internal_power tables"):
        power_of(tmp_path, powerless, verilog, dump)


def test_sums_by_group(tmp_path: Path, library: Library) -> None:
    power = power_of(tmp_path, library, INV_NAND, INV_NAND_VCD)
    for key in ("cell", "kind", lambda instance: instance[0]):
        sums = power.by(key)
        assert sums["total_pj"].sum() == pytest.approx(power.total_pj)
        assert sums["instances"].sum() == 2
    assert power.by("cell")["area_um2"].sum() == 3


def run(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["power", *(str(argument) for argument in arguments)])
    return (status, *capsys.readouterr())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], library: Library) -> None:
    expected = power_of(tmp_path, library, INV_NAND, INV_NAND_VCD, wire_load="small")
    arguments = [tmp_path / "net.v", "--activity", tmp_path / "dump.vcd", "--liberty", TINY, "--period-ns", 1]
    status, out, err = run([*arguments, "--json"], capsys)
    printed = json.loads(out)
    assert (status, err) == (0, "")
    for key in ("switching_pj", "internal_pj", "total_pj", "leakage_uw"):
        assert printed[key] == getattr(expected, key)
    assert (printed["wire_load"], printed["states"], printed["voltage_v"]) == ("small", "independent pins", 1.0)
    status, out, err = run([*arguments, "--wire-load", "none", "--joint-states"], capsys)
    assert (status, err) == (0, "")
    for part in ("NAND2", "combinational", "wire load none", "states of cells: joint"):
        assert part in out


def test_failures_of_the_command_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], library: Library
) -> None:
    power_of(tmp_path, library, XOR, XOR_VCD)
    files = {"net": tmp_path / "net.v", "--activity": tmp_path / "dump.vcd", "--liberty": TINY}
    (tmp_path / "latch.v").write_text(
        "module m (a, b, y); input a, b; output y; LATCH l (.D(a), .G(b), .Q(y)); endmodule"
    )
    (tmp_path / "cut.lib").write_bytes(TINY.read_bytes()[:4000])
    for key, file, message in [
        ("net", tmp_path / "none.v", "cannot read netlist"),
        ("net", tmp_path / "latch.v", "is a latch"),
        ("--activity", tmp_path / "none.vcd", "cannot read VCD dump"),
        ("--liberty", tmp_path / "cut.lib", "cut.lib is truncated"),
        ("--liberty", tmp_path / "net.v", "is not a Liberty file"),
    ]:
        chosen = files | {key: file}
        arguments = [
            chosen["net"],
            "--activity",
            chosen["--activity"],
            "--liberty",
            chosen["--liberty"],
            "--period-ns",
            1,
        ]
        status, out, err = run([*arguments, "--json"], capsys)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


@pytest.mark.skipif(not OSU018.exists(), reason="the Debian package qflow-tech-osu018 is not installed")
def test_an_inverter_of_osu018(tmp_path: Path) -> None:
    """INVX1 driving another: figures read off the tables of loads 0.005 and 0.0125 pF, slews 0.06 and 0.18 ns."""
    chain = "module m (a, y); input a; output y; wire n; INVX1 i (.A(a), .Y(n)); INVX1 j (.A(n), .Y(y)); endmodule"
    dump = CHAIN_VCD + "#0 0a 1n 0y #1 1a 0n 1y #2"
    first = power_of(tmp_path, liberty.read(OSU018), chain, dump).instances().iloc[0]
    load = 0.00932456
    along = (load - 0.005) / 0.0075
    rise = 0.023555 - (0.029044 - 0.023555) / 2, 0.023165 - (0.028621 - 0.023165) / 2
    fall = 0.009213 - (0.004772 - 0.009213) / 2, 0.009047 - (0.005677 - 0.009047) / 2
    energy = sum(edge[0] + along * (edge[1] - edge[0]) for edge in (rise, fall)) / 2
    assert first["internal_pj"] * 2 == pytest.approx(energy)
    assert first["switching_pj"] * 2 == pytest.approx(0.5 * load * 1.8**2)
    assert first["leakage_uw"] == pytest.approx(0.0221741e-3)


REFERENCE = os.environ.get("HWSIM_POWER_REFERENCE")
LIBRARIES = os.environ.get("HWSIM_LIBERTY")


@pytest.mark.skipif(not (REFERENCE and LIBRARIES), reason="HWSIM_LIBERTY and HWSIM_POWER_REFERENCE are not set")
def test_figures_of_opensta() -> None:
    """Energies within 2 % and leakage within 10 % of OpenSTA's, which are printed to four decimals."""
    with open(Path(REFERENCE) / "opensta.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        library = liberty.read(sorted((Path(LIBRARIES) / row["lib"]).glob("*.lib*")))
        stem = Path(REFERENCE) / f"{row['top']}.{row['lib']}"
        gates = netlist.read(stem.with_name(f"{stem.name}.v"), library)
        dump = stem.with_name(f"{stem.name}.{row['sim']}.vcd.gz")
        activity = waveforms.read(dump, gates, float(row["period_ns"]))
        model = library.default_wire_load
        power = calculator.compute(gates, activity, library.wire_load(model) if model else None)
        found = np.array([power.switching_pj, power.internal_pj, power.total_pj, power.leakage_uw])
        keys = ("switch_pJ", "internal_pJ", "total_pJ", "leak_uW")
        expected = np.array([float(row[f"opensta_{key}"]) for key in keys])
        assert np.all(np.abs(found - expected) <= expected * [0.02, 0.02, 0.02, 0.1]), (row["top"], found, expected)


@pytest.mark.skipif(not LIBRARIES, reason="HWSIM_LIBERTY is not set")
def test_whole_libraries_are_read() -> None:
    folders = sorted(folder for folder in Path(LIBRARIES).iterdir() if folder.is_dir())
    assert folders
    for folder in folders:
        library = liberty.read(sorted(folder.glob("*.lib*")))
        for name in library.cell_names[::7]:
            library.cell(name)
