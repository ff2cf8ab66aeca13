"""The emitted text: its ports, one module per distinct component, the same each time."""

import re

from amaranth.hdl import Module, Shape, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, Out

from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from rtl.accumulator import GroupSum
from rtl.array import PeArray
from rtl.library import Library, place
from rtl.verilog import emit


def modules(text: str) -> list[str]:
    return re.findall(r"^module (\S+?) ?\(", text, re.MULTILINE)


def test_streams_are_flat_ports() -> None:
    array = PeArray(Mac(lanes=2, offset_bits=4), Array(rows=2, cols=3))
    text = emit(array, "accelerator")
    top = text[text.index("module accelerator(") :]
    for name in ("i_activations", "i_weights", "i_scales", "i_quantizers", "o_results"):
        stream = getattr(array, name)
        width = Shape.cast(stream.payload.shape()).width
        direction, back = ("output", "input") if name == "o_results" else ("input", "output")
        assert f"  {direction} [{width - 1}:0] {name}__payload;" in top
        assert f"  {direction} {name}__valid;" in top
        assert f"  {back} {name}__ready;" in top


def test_equal_components_are_one_module() -> None:
    datapath = BitSerial(lanes=2, skip="zero", offset_bits=4)
    small = modules(emit(PeArray(datapath, Array(rows=2, cols=1)), "top"))
    large = modules(emit(PeArray(datapath, Array(rows=3, cols=4)), "top"))
    assert small == large
    assert len(set(large)) == len(large)
    assert large[0] == "top"
    assert {"top_ProcessingElement", "top_GroupSum", "top_Recoder", "top_Requantizer"} < set(large)


def test_the_same_design_gives_the_same_text() -> None:
    datapath, array = Mac(lanes=2), Array(rows=2, cols=2)
    text = emit(PeArray(datapath, array), "top")
    assert text == emit(PeArray(datapath, array), "top")


class Pair(Component):
    """Two components of one kind that differ in their parameters."""

    o: Out(8)

    def elaborate(self, platform: Library | None) -> Module:
        m = Module()
        for lanes in (1, 2):
            steps = Signal(data.ArrayLayout(signed(8), lanes))
            inputs = {"activations": steps, "add": 1, "first_in_group": 1}
            group_sum = place(m, platform, f"sum_{lanes}", GroupSum, (Mac(lanes=lanes),), inputs)
            m.d.comb += self.o[lanes].eq(group_sum.value[0])
        return m


def test_kinds_differ_by_their_parameters() -> None:
    assert modules(emit(Pair(), "pair")) == ["pair", "pair_GroupSum", "pair_GroupSum_1"]
