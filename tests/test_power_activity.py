"""Gate-level activity: against evaluators that are obvious, answers by hand, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import PowerError
from hwsim.power import activity, calculator, delays, liberty, netlist, timing
from hwsim.power.netlist import Netlist
from tests import naive_gates

TINY = Path(__file__).parent / "data" / "tiny.lib"
LIBRARY = liberty.read(TINY)
GATES = {"INV": "A", "NAND2": "AB", "NOR2": "AB", "XOR2": "AB", "AOI21": "ABC", "MUX2": "ABS"}


def parsed(folder: Path, text: str) -> Netlist:
    path = folder / "m.v"
    path.write_text(text)
    return netlist.read(path, LIBRARY)


def pins(cell: str) -> list[str]:
    return [pin.name for pin in LIBRARY.cell(cell).inputs]


@st.composite
def netlists(draw) -> str:
    """Gates and flip-flops, with and without asynchronous clear and enable, at random."""
    nets = ["a", "b", "c"]
    flops = draw(st.integers(0, 4))
    states = [f"q{k}" for k in range(flops)]
    lines = []
    for k in range(draw(st.integers(1, 25))):
        cell = draw(st.sampled_from(sorted(GATES)))
        operands = [draw(st.sampled_from(nets + states)) for _ in pins(cell)]
        out = LIBRARY.cell(cell).outputs[0].name
        wires = "".join(f".{pin}({net}), " for pin, net in zip(pins(cell), operands, strict=True))
        lines.append(f"{cell} g{k} ({wires}.{out}(n{k}));")
        nets.append(f"n{k}")
    for k, state in enumerate(states):
        data, enable = (draw(st.sampled_from(nets + states)) for _ in range(2))
        if draw(st.booleans()):
            lines.append(f"DFF f{k} (.D({data}), .CK(clk), .Q({state}));")
        else:  # cleared by a port: a loop through its own clear need not come to rest
            lines.append(f"DFFRE f{k} (.D({data}), .E({enable}), .RN(c), .CK(clk), .Q({state}));")
    ports = "input clk, a, b, c; output y;"
    return f"module m (clk, a, b, c, y); {ports} {' '.join(lines)} assign y = {nets[-1]}; endmodule"


@settings(max_examples=30, deadline=None)
@given(text=netlists(), seed=st.integers(0, 2**32 - 1))
def test_zero_delay_counts_are_those_of_a_plain_evaluator(tmp_path_factory, text, seed):
    gates = parsed(tmp_path_factory.mktemp("v"), text)
    rng = np.random.default_rng(seed)
    streams = [rng.integers(0, 2, (length, gates.inputs.size), dtype=np.uint8) for length in (2, 9, 30)]
    counts = activity.count(gates, activity.from_streams(streams, 2))
    toggles, ones, cycles = naive_gates.zero_delay(gates, streams, 2)
    data = np.setdiff1d(np.arange(len(gates.nets)), gates.net_index["clk"])
    assert counts.cycles == cycles == 35
    np.testing.assert_array_equal(counts.toggles[data], toggles[data])
    np.testing.assert_allclose(counts.probability[data] * cycles, ones[data])


@settings(max_examples=25, deadline=None)
@given(text=netlists(), seed=st.integers(0, 2**32 - 1))
def test_timed_counts_are_those_of_a_plain_scheduler(tmp_path_factory, text, seed):
    gates = parsed(tmp_path_factory.mktemp("v"), text)
    rng = np.random.default_rng(seed)
    streams = [rng.integers(0, 2, (length, gates.inputs.size), dtype=np.uint8) for length in (3, 12)]
    stimulus = activity.from_streams(streams)
    counts = delays.count(gates, stimulus, timing.analyse(gates, None))
    toggles = naive_gates.timed(gates, streams, timing.analyse(gates, None))
    data = np.setdiff1d(np.arange(len(gates.nets)), gates.net_index["clk"])
    np.testing.assert_array_equal(counts.toggles[data], toggles[data])
    settled = activity.count(gates, stimulus)
    assert (counts.toggles >= settled.toggles).all()
    np.testing.assert_array_equal(counts.toggles % 2, settled.toggles % 2)
    np.testing.assert_array_equal(counts.probability, settled.probability)


GLITCH = """module m (a, y); input a; output y; wire n;
  INV i (.A(a), .Y(n)); {chain} NAND2 g (.A(a), .B({last}), .Y(y));
endmodule"""
SLOW = "wire p, q; INV j (.A(n), .Y(p)); INV k (.A(p), .Y(q));"


def test_a_pulse_as_long_as_the_difference_of_two_paths_is_counted(tmp_path):
    # a rises: y falls, and rises again when the inverted a arrives; zero delay sees nothing.
    gates = parsed(tmp_path, GLITCH.format(chain=SLOW, last="q"))
    bits = np.array([[0], [1], [0], [1]], np.uint8)
    stimulus = activity.from_streams([bits])
    y = gates.net_index["y"]
    assert activity.count(gates, stimulus).toggles[y] == 0
    assert delays.count(gates, stimulus, timing.analyse(gates, None)).toggles[y] == 4


def test_a_pulse_shorter_than_the_gate_is_swallowed(tmp_path):
    loads = "".join(f"INV u{k} (.A(y), .Y(z{k})); " for k in range(4))
    gates = parsed(tmp_path, GLITCH.format(chain=loads, last="n"))
    stimulus = activity.from_streams([np.array([[0], [1]], np.uint8)])
    # The inverter falls 5 + 1 / 2 ps after a; the gate with its four loads would need 5 + 4 / 2.
    assert delays.count(gates, stimulus, timing.analyse(gates, None)).toggles[gates.net_index["y"]] == 0


def test_parts_of_a_long_stream_add_up_to_it(tmp_path):
    gates = parsed(
        tmp_path,
        "module m (clk, a, y); input clk, a; output y; wire n, q;"
        "XOR2 x (.A(a), .B(q), .Y(n)); DFF f (.D(a), .CK(clk), .Q(q)); DFF g (.D(n), .CK(clk), .Q(y)); endmodule",
    )
    bits = np.random.default_rng(5).integers(0, 2, (1000, gates.inputs.size), dtype=np.uint8)
    whole = activity.count(gates, activity.from_streams([bits], 4))
    parts = activity.count(gates, activity.cut(bits, 70, 4))
    assert parts.cycles == whole.cycles == 996
    np.testing.assert_array_equal(parts.toggles, whole.toggles)
    np.testing.assert_array_equal(parts.probability, whole.probability)


def test_more_streams_than_a_block_holds_are_all_counted(tmp_path):
    gates = parsed(tmp_path, "module m (a, y); input a; output y; INV i (.A(a), .Y(y)); endmodule")
    streams = [np.array([[0], [k % 2]], np.uint8) for k in range(601)]
    counts = activity.count(gates, activity.from_streams(streams))
    assert counts.toggles[gates.net_index["y"]] == 300
    assert counts.cycles == 601


def test_energy_comes_from_counts_without_a_dump(tmp_path):
    # y toggles every cycle with a load of 0: INV's switching energy is that of net a's driver, outside.
    gates = parsed(
        tmp_path,
        "module m (a, y); input a; output y; wire n; INV i (.A(a), .Y(n)); INV j (.A(n), .Y(y)); endmodule",
    )
    bits = (np.arange(101) % 2).astype(np.uint8)[:, None]
    counts = activity.count(gates, activity.from_streams([bits]))
    power = calculator.compute(gates, activity.to_activity(gates, counts))
    assert power.cycles == 100
    assert power.switching_pj == pytest.approx(0.5 * 1.0 * 1.0**2 * 1e-3)  # net n: one pin of 1 fF at 1 V


def test_ports_take_integers_in_twos_complement(tmp_path):
    gates = parsed(tmp_path, "module m (a, y); input [2:0] a; output y; NAND2 g (.A(a[2]), .B(a[0]), .Y(y)); endmodule")
    bits = activity.port_bits(gates, {"a": np.array([1, -1, 4, -4])})
    place = {gates.nets[net]: k for k, net in enumerate(gates.inputs)}
    assert bits[:, [place["a[2]"], place["a[1]"], place["a[0]"]]].tolist() == [
        [0, 0, 1],
        [1, 1, 1],
        [1, 0, 0],
        [1, 0, 0],
    ]
    for values, message in (
        ({"a": np.array([8])}, "does not fit its 3 bits"),
        ({"b": np.array([1])}, "no input port 'b'"),
    ):
        with pytest.raises(PowerError, match=message):
            activity.port_bits(gates, values)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("INV i (.A(clk), .Y(n)); DFF f (.D(a), .CK(n), .Q(y));", "clocked by net 'n', which is no input port"),
        ("DFF f (.D(a), .CK(clk), .Q(n)); DFF g (.D(n), .CK(b), .Q(y));", "several clocks"),
        ("NAND2 i (.A(clk), .B(a), .Y(n)); DFF f (.D(n), .CK(clk), .Q(y));", "'i' takes the clock 'clk' as data"),
    ],
)
def test_clocks_that_are_not_one_port_are_refused(tmp_path, body, message):
    gates = parsed(tmp_path, f"module m (clk, a, b, y); input clk, a, b; output y; wire n; {body} endmodule")
    with pytest.raises(PowerError, match=message):
        activity.count(gates, activity.from_streams([np.zeros((3, gates.inputs.size), np.uint8)]))


def test_a_stimulus_of_another_netlist_is_refused(tmp_path):
    gates = parsed(tmp_path, "module m (a, y); input a; output y; INV i (.A(a), .Y(y)); endmodule")
    with pytest.raises(PowerError, match="has 2 inputs; 'm' has 1"):
        activity.count(gates, activity.from_streams([np.zeros((3, 2), np.uint8)]))
