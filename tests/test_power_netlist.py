"""The Liberty and netlist readers: what they say of a library of our own, and of what they refuse."""

import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import PowerError
from hwsim.power import expression, liberty, netlist
from hwsim.power.cells import Table
from hwsim.power.expression import Expression
from hwsim.power.liberty import Library
from hwsim.power.netlist import ABSENT, Netlist

TINY = Path(__file__).parent / "data" / "tiny.lib"


@pytest.fixture(scope="module")
def library() -> Library:
    return liberty.read(TINY)


def value(of: Expression, **inputs: bool) -> bool:
    index = sum(inputs[name] << k for k, name in enumerate(of.inputs))
    return bool(of.bits()[index])


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("A & B | C", lambda a, b, c: (a and b) or c),
        ("A | B & C", lambda a, b, c: a or (b and c)),
        ("A * B + C'", lambda a, b, c: (a and b) or not c),
        ("A B + !C", lambda a, b, c: (a and b) or not c),
        ("A & B ^ C", lambda a, b, c: a and (b != c)),
        ("!(A ^ B)' C", lambda a, b, c: (a != b) and c),
        ("(!A) (B + C)'", lambda a, b, c: not a and not (b or c)),
        ("(A*!B)+(1 C)", lambda a, b, c: (a and not b) or c),
    ],
)
def test_expressions_mean_what_the_liberty_manual_says(text: str, meaning) -> None:
    parsed = expression.parse(text)
    for a, b, c in itertools.product((False, True), repeat=3):
        assert value(parsed, A=a, B=b, C=c) == meaning(a, b, c), (a, b, c)


@pytest.mark.parametrize("text", ["A &", "(A", "A)", "& B", "A ? B : C", "'"])
def test_other_text_is_no_expression(text: str) -> None:
    with pytest.raises(PowerError, match="is not a Boolean expression"):
        expression.parse(text)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**16 - 1), st.integers(0, 3))
def test_difference_and_sense_of_any_function(table: int, k: int) -> None:
    names = ("A", "B", "C", "D")
    of = Expression(names, table)
    changes = []
    for row in range(16):
        inputs = {name: bool((row >> j) & 1) for j, name in enumerate(names)}
        low = value(of, **inputs | {names[k]: False})
        high = value(of, **inputs | {names[k]: True})
        assert value(of.difference(names[k]), **inputs) == (low != high)
        changes.append(high - low)
    expected = {(False, True): "negative_unate", (True, True): "non_unate"}.get(
        (1 in changes, -1 in changes), "positive_unate"
    )
    assert of.sense(names[k]) == expected


def test_wide_truth_tables_are_words() -> None:
    of = expression.parse("A & B & C & D & E & F & G")
    assert of.words().tolist() == [0, 1 << 63]
    assert expression.parse("A").words().tolist() == [2]


def test_the_library_in_our_units(library: Library) -> None:
    assert (library.name, library.voltage_v, library.temperature_c) == ("tiny", 1.0, 30.0)
    inverter = library.cell("INV")
    pin, output = inverter.pins["A"], inverter.pins["Y"]
    assert (pin.rise_capacitance_ff, pin.fall_capacitance_ff) == (1.0, 0.8)
    assert [(value(group.when, A=True), group.power_nw) for group in inverter.leakage] == [(True, 2), (False, 4)]
    arc, power = output.arcs[0], output.internal_power[0]
    assert arc.rise_transition.at(50.0, 40.0) == 10 + 40 + 5
    assert arc.fall_transition.at(-10.0, 200.0) == (10 + 200 - 1) / 2
    assert power.rise.at(10.0, 20.0) == pytest.approx(0.5 + 0.2 + 0.01)
    assert library.cell("NOR2").pins["Y"].arcs[0].sense == "negative_unate"
    assert library.cell("MUX2").pins["Y"].arcs[2].sense == "non_unate"


def test_other_units_scale_to_ours(tmp_path: Path) -> None:
    text = TINY.read_text().replace('time_unit : "1ps"', 'time_unit : "10ns"')
    text = text.replace("(1, ff)", "(100.0, pf)").replace('"1nW"', '"1uW"')
    (tmp_path / "other.lib").write_text(text)
    cell = liberty.read(tmp_path / "other.lib").cell("INV")
    assert cell.pins["A"].rise_capacitance_ff == pytest.approx(1e5)
    assert cell.pins["Y"].arcs[0].rise_transition.at(0, 0) == pytest.approx(1e5)
    assert cell.pins["Y"].internal_power[0].rise.at(0, 0) == pytest.approx(0.5e5)
    assert cell.leakage_nw == pytest.approx(3000)


def test_wire_loads(library: Library) -> None:
    model = library.wire_load(library.default_wire_load)
    assert [model.capacitance_of(fanout) for fanout in (0, 1, 2, 3, 5)] == [0.0, 0.5, 1.5, 2.5, 4.5]
    with pytest.raises(PowerError, match="no wire-load model 'smal'; did you mean 'small'"):
        library.wire_load("smal")


def test_gzipped_and_several_files(tmp_path: Path) -> None:
    text = TINY.read_text()
    start = text.index("  cell (BUF)")
    head = text[: text.index("  cell (INV)")]
    (tmp_path / "a.lib.gz").write_bytes(gzip.compress((text[:start] + "}").encode()))
    (tmp_path / "b.lib").write_text(head + text[start:])
    both = liberty.read([tmp_path / "a.lib.gz", tmp_path / "b.lib"])
    assert both.cell_names == liberty.read(TINY).cell_names
    assert both.cell("BUF").area_um2 == 2


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 50), st.floats(0.5, 20), st.integers(0, 2**32 - 1))
def test_lookup_interpolates_one_axis_after_the_other(slew: float, load: float, seed: int) -> None:
    slews, loads = np.array([1.0, 2.5, 9.0, 50.0]), np.array([0.5, 4.0, 20.0])
    values = np.random.default_rng(seed).normal(size=(4, 3))
    along = [np.interp(slew, slews, values[:, j]) for j in range(3)]
    assert Table(slews, loads, values).at(slew, load) == pytest.approx(np.interp(load, loads, along))
    assert Table(slews, loads[:1], values[:, :1]).at(slew, load) == pytest.approx(along[0])
    assert Table(slews[:1], loads[:1], values[:1, :1]).at(slew, load) == values[0, 0]


def test_axes_may_fall(tmp_path: Path) -> None:
    text = TINY.read_text().replace('index_1 ("0, 100");\n    index_2', 'index_1 ("100, 0");\n    index_2', 1)
    (tmp_path / "falling.lib").write_text(text)
    table = liberty.read(tmp_path / "falling.lib").cell("INV").pins["Y"].arcs[0].rise_transition
    assert [table.at(0, 0), table.at(100, 0)] == [20, 10]


def test_buses_are_pins_bit_by_bit(tmp_path: Path) -> None:
    bus = """type (pair) { base_type : array; data_type : bit; bit_width : 2; bit_from : 1; bit_to : 0; }
      cell (DOUBLE) { area : 1;
        bus (A) { bus_type : pair; direction : input; capacitance : 2; pin (A[0]) { capacitance : 3; } }
        bundle (Y) { members (Y1, Y0); direction : output;
          pin (Y1) { function : "A[1]"; } pin (Y0) { function : "A[0]"; } }
      }"""
    text = TINY.read_text()
    (tmp_path / "bus.lib").write_text(text.replace("  cell (INV)", f"{bus}\n  cell (INV)", 1))
    library = liberty.read(tmp_path / "bus.lib")
    cell = library.cell("DOUBLE")
    assert {pin.name: pin.rise_capacitance_ff for pin in cell.inputs} == {"A[1]": 2, "A[0]": 3}
    verilog = "module m (a, y); input [1:0] a; output [1:0] y; DOUBLE d (.A(a), .Y({y[0], y[1]})); endmodule"
    of = netlist.read(written(tmp_path, verilog), library)
    assert {of.nets[net]: of.nets[of.fanin[of.fanin_start[gate]]] for gate, net in enumerate(of.gate_net)} == {
        "y[0]": "a[1]",
        "y[1]": "a[0]",
    }


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = TINY.read_text()
    assert old in text
    (tmp_path / "bad.lib").write_text(text.replace(old, new))
    return tmp_path / "bad.lib"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("capacitive_load_unit (1, ff);", "", "no capacitive_load_unit"),
        ("capacitive_load_unit (1, ff);", "capacitive_load_unit (1, bushel);", "'1bushel' is not a unit"),
        ('values ("10, 110", "20, 120")', 'values ("10, 110", "20")', "cell INV.* has 3 values"),
        ('values ("10, 110", "20, 120")', 'values ("10, ten", "20, 120")', "cell INV.*not a number"),
        ('values ("10, 110", "20, 120")', 'values ("10, nan", "20, 120")', "cell INV.*not finite"),
        ('function : "A\'"', 'function : "A &"', "cell INV.*not a Boolean expression"),
        ("input_net_transition", "normalized_voltage", "cell INV.*'normalized_voltage'"),
        ("library (tiny)", "module (tiny)", "expected a Liberty library"),
        ('index_1 ("0, 100")', 'index_1 ("7, 7")', "cell INV.*repeats a point"),
        ("capacitance : 1.0;", "capacitance : one;", "cell INV.*'one' is not a number"),
    ],
)
def test_bad_libraries_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(PowerError, match=f"bad.lib.*{message}"):
        liberty.read(edited(tmp_path, old, new)).cell("INV")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_library_is_truncated(tmp_path: Path, keep: float) -> None:
    data = TINY.read_bytes()
    (tmp_path / "cut.lib").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(PowerError, match=r"cut\.lib is truncated"):
        liberty.read(tmp_path / "cut.lib")
    packed = gzip.compress(data)
    (tmp_path / "cut.lib.gz").write_bytes(packed[: int(len(packed) * keep)])
    with pytest.raises(PowerError, match=r"cut\.lib\.gz is truncated"):
        liberty.read(tmp_path / "cut.lib.gz")


def test_a_missing_cell_is_named(library: Library) -> None:
    with pytest.raises(PowerError, match=r"no cell 'NAND3' in tiny.lib; did you mean 'NAND2'\?"):
        library.cell("NAND3")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "net.v"
    path.write_text(text)
    return path


FULL_ADDER = r"""
/* two half adders and an enable flip-flop */
(* top = 1 *)
module adder (a, cin, clk, rst_n, sum, \odd-name , one);
  input [1:0] a;  wire [1:0] a;
  input cin, clk, rst_n;
  output [2:0] sum;
  output \odd-name ;
  output one;
  wire s0, c0, c1, unused;
  wire [0:1] t;
  HA h0 (.A(a[0]), .B(a[1]), .CO(c0), .S(s0)); // first
  HA \h[1] (.A(s0), .B(cin), .CO(c1), .S(t[0]));
  MUX2 m (.A(c0), .B(1'h1), .S(c1), .Y(t[1]));
  assign sum = { 1'b0, t[1], t[0] };
  DFFRE f (.D(\odd-name ), .E(t[1]), .RN(rst_n), .CK(clk), .Q(q));
  INV i (.A(q), .Y(\odd-name ));
  TIE1 k (.Y(one));
endmodule
"""


def evaluate(of: Netlist, values: dict[int, bool]) -> dict[int, bool]:
    """Values of all nets: gates in order, each by its truth table."""
    values = {0: False, 1: True} | values
    for gate, net in enumerate(of.gate_net):
        operands = of.fanin[of.fanin_start[gate] : of.fanin_start[gate + 1]]
        index = sum(values[operand] << k for k, operand in enumerate(operands))
        word = int(of.table_words[of.table_start[gate] + index // 64])
        values[int(net)] = bool((word >> (index % 64)) & 1)
    return values


def test_a_netlist_as_arrays(tmp_path: Path, library: Library) -> None:
    of = netlist.read(written(tmp_path, FULL_ADDER), library)
    index = of.net_index
    assert (of.name, of.instances) == ("adder", ("h0", "h[1]", "m", "f", "i", "k"))
    assert [of.nets[net] for net in of.inputs] == ["a[1]", "a[0]", "cin", "clk", "rst_n"]
    assert index["sum[2]"] == 0
    assert index["sum[0]"] == index["t[0]"]
    assert index["sum[1]"] == index["t[1]"]
    assert np.all(np.diff(of.level) >= 0)
    assert of.level_start.tolist() == [np.searchsorted(of.level, k) for k in range(of.level.max() + 2)]
    for a0, a1, cin, state in itertools.product((False, True), repeat=4):
        sources = {index["a[0]"]: a0, index["a[1]"]: a1, index["cin"]: cin, int(of.flop_state[0]): state}
        values = evaluate(of, sources | {index["clk"]: False, index["rst_n"]: True})
        total = a0 + a1 + cin
        assert [values[index[f"sum[{bit}]"]] for bit in range(3)] == [bool((total >> bit) & 1) for bit in range(3)]
        assert values[index["odd-name"]] == (not state)
        assert values[index["one"]]
    assert of.nets[of.flop_state[0]] == "f/IQ"
    assert of.flop_preset.tolist() == [ABSENT]
    clear = of.flop_clear[0]
    assert of.nets[of.fanin[of.fanin_start[clear]]] == "rst_n"
    assert of.table_words[of.table_start[clear]] == 0b01
    start, stop = of.fanin_start[of.flop_next[0]], of.fanin_start[of.flop_next[0] + 1]
    assert {of.nets[net] for net in of.fanin[start:stop]} == {"sum[1]", "odd-name", "f/IQ"}
    assert of.pins_of(0) == {"A": index["a[0]"], "B": index["a[1]"], "CO": index["c0"], "S": index["s0"]}


def test_declarations_in_the_header_and_constants(tmp_path: Path, library: Library) -> None:
    text = """module m (input wire [3:0] a, input signed b, output [5:0] y, output z);
      supply1 vdd; wire c = b;
      assign y[5:2] = a, y[1:0] = {2{c}};
      NAND2 n (.A(vdd), .B(c), .Y(z));
    endmodule"""
    of = netlist.read(written(tmp_path, text), library)
    assert [of.nets[of.net_index[f"y[{bit}]"]] for bit in (5, 2, 1, 0)] == ["a[3]", "a[0]", "b", "b"]
    assert of.pins_of(0)["A"] == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("NAND3 g (.A(a), .Y(y));", "instance 'g': no cell 'NAND3'"),
        ("LATCH g (.D(a), .G(b), .Q(y));", "instance 'g': cell 'LATCH' is a latch"),
        ("BLACK g (.D(a), .Q(y));", "instance 'g': cell 'BLACK' is a black box: output Q"),
        ("INV g (.A(a), .Y(y)); INV h (.A(b), .Y(y));", "net 'y' has several drivers, one of them instance 'h'"),
        ("INV g (.A(a), .Y(y)); assign y = b;", "net 'b' has several drivers|net 'y' has several drivers"),
        ("assign y = a; assign y = b;", "net 'y' has several drivers"),
        ("INV g (.A(a), .Y(b)); assign y = a;", "net 'b' has several drivers"),
        ("assign a = b; assign y = b;", "net 'a' has several drivers"),
        ("INV g (.A(w), .Y(y));", "net 'w' at input 'A' of instance 'g' has no driver"),
        ("INV g (.Y(y));", "input 'A' of 'INV' is not connected"),
        ("INV g (.A(), .Y(y));", "input 'A' of 'INV' is not connected"),
        ("INV g (.A(a));", "output 'y' has no driver"),
        ("INV g (.A(a), .Z(y));", "cell 'INV' has no pin 'Z'"),
        ("INV g (.A({a, b}), .Y(y));", "pin 'A' of 'INV' has 1 bits, not 2"),
        ("NAND2 g (.A(a), .B(w), .Y(y)); INV h (.A(y), .Y(w));", "combinational loop through nets '[wy]', '[wy]'$"),
        ("INV g (a, y);", "line 3: instance 'g' is connected by position"),
        ("always @(posedge a) y <= b;", "line 3: 'always' is behaviour"),
        ("assign y = a & b;", "line 3: expected"),
        ("INV #(.N(2)) g (.A(a), .Y(y));", "line 3: 'INV' has parameters"),
        ("INV g (.A(1'hx), .Y(y));", 'line 3: the constant "1\'hx" is not known'),
        ("INV g (.A(a[2]), .Y(y));", r"'a' has no bits \[2:2\]"),
        ("assign y = w; assign w = y;", "net 'w' is assigned to itself"),
        ("inout z; assign y = a;", "inout"),
        ("INV g (.A(a), .Y(y)", "the file ends inside a module"),
    ],
)
def test_bad_netlists_are_named(tmp_path: Path, library: Library, body: str, message: str) -> None:
    end = "endmodule" if body.endswith(";") else ""
    with pytest.raises(PowerError, match=message) as error:
        netlist.read(written(tmp_path, f"module m (a, b, y);\n  input a, b; output y;\n{body}\n{end}"), library)
    assert str(error.value).startswith("net.v")


def test_hierarchy_is_refused(tmp_path: Path, library: Library) -> None:
    text = "module inner (a); input a; endmodule\nmodule top (a); input a; inner i (.a(a)); endmodule"
    with pytest.raises(PowerError, match="instance 'i' of 'top' is the module 'inner'; accepted: a flat netlist"):
        netlist.read(written(tmp_path, text), library)
