"""The emitted text: its ports, one module per distinct component, the same each time."""

import re

from amaranth.hdl import Shape

from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from rtl.array import PeArray
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
    datapath = BitSerial(lanes=2, skip="zero")
    small = modules(emit(PeArray(datapath, Array(rows=2, cols=1)), "top"))
    large = modules(emit(PeArray(datapath, Array(rows=3, cols=4)), "top"))
    assert len(small) == len(large) == len(set(large))
    assert large[-1] == "top"
    assert sum(name.endswith("_dot") for name in large) == 1


def test_the_same_design_gives_the_same_text() -> None:
    datapath, array = Mac(lanes=2), Array(rows=2, cols=2)
    text = emit(PeArray(datapath, array), "top")
    assert text == emit(PeArray(datapath, array), "top")
