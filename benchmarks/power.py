"""Gate-level activity against Verilator's SAIF counts: gate evaluations per second on one netlist, equal counts."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measurement import Measurement, seconds
from hwsim.datapaths.mac import Mac
from hwsim.power import activity, delays, liberty, netlist, synthesis, timing
from hwsim.power.program import compile_netlist
from rtl import verilog
from rtl.pe import ProcessingElement
from sims import gate_level

LIBRARY = Path(__file__).parent.parent / "tests" / "data" / "tiny.lib"
PE = Mac(lanes=2, accumulator_bits=24, scale_bits=0)
CYCLES, STREAMS, WARM_UP = 64000, 512, 2


def measure() -> Iterator[Measurement]:
    """A MAC PE in the cells of the tests' library, uniform random inputs; Verilator runs them as one stream."""
    recipe = synthesis.Recipe(liberty=(LIBRARY,))
    path = synthesis.synthesize(verilog.emit(ProcessingElement(PE), "pe"), "pe", recipe, show_progress=False)
    gates = netlist.read(path, liberty.read(LIBRARY))
    bits = np.random.default_rng(0).integers(0, 2, (CYCLES, gates.inputs.size), dtype=np.uint8)
    stimulus = activity.cut(bits, STREAMS, WARM_UP)
    program = compile_netlist(gates)
    clock = gates.nets[program.clock]
    start = time.perf_counter()
    binary = gate_level.build(gates, path.read_text() + f"// {start}\n", clock)  # another text: it is built anew
    build_s = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as name:
        gate_level.write_stimulus(Path(name) / "in.hex", bits)
        files = Path(name) / "in.hex", Path(name) / "out.saif"
        verilator_s = seconds(lambda: gate_level.run(binary, files[0], CYCLES, files[1], WARM_UP), repeats=3)
    theirs = gate_level.toggles(binary, gates, bits, WARM_UP)
    whole = activity.count(gates, activity.from_streams([bits], WARM_UP), program)
    data = np.arange(len(gates.nets)) != program.clock
    assert np.array_equal(whole.toggles[data], theirs[data])
    ours = seconds(lambda: activity.count(gates, stimulus, program))
    evaluations = gates.gate_net.size * CYCLES
    note = f"{gates.gate_net.size} gates, {CYCLES} cycles in {STREAMS} streams; one stream's counts equal Verilator's"
    for against, time_s in (("run", verilator_s), ("build and run", build_s + verilator_s)):
        yield Measurement(
            name="zero-delay activity", value=evaluations / ours / 1e9, unit="G gate evaluations/s",
            baseline=f"Verilator with SAIF, {against}", ratio=time_s / ours, note=f"{note}; Verilator {time_s:.2f} s",
        )  # fmt: skip
    part = activity.cut(bits[:4000], STREAMS, WARM_UP)
    slow = timing.analyse(gates, None)
    timed_s = seconds(lambda: delays.count(gates, part, slow), repeats=3)
    events = int(delays.count(gates, part, slow).toggles.sum())
    yield Measurement(
        name="activity with gate delays", value=events / timed_s / 1e6, unit="M events/s",
        baseline="", ratio=None, note=f"{gates.gate_net.size} gates, {events} events",
    )  # fmt: skip
