"""Changing bits at both ends of arrays against what the RTL's signals do, cycle by cycle."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

import hwsim
from hwsim import Array, BitSerial, Lut, Mac
from hwsim.array_datapath import ArrayDatapath
from hwsim.requantization import Quantizer
from hwsim.switching import ends

pytest.importorskip("amaranth")

from amaranth.sim import Simulator

from rtl.array import RESULTS, PeArray
from rtl.generator import generate
from rtl.stimuli import Matmul, Stimuli, stimuli
from rtl.weight_stationary import WeightStationaryArray

OUTPUT = Array(rows=2, cols=1)
STATIONARY = Array(rows=2, cols=1, dataflow="weight_stationary", accumulator_rows=8)
DRAINING = 8
"""Cycles after the last result."""


def matmul(m: int, n: int, k: int, name: str, group_size: int) -> Matmul:
    rng = np.random.default_rng(0)
    w = hwsim.lower(hwsim.quantize(rng.normal(size=(n, k)), name, group_size=group_size, pad=True))
    quantizer = Quantizer.dyadic(np.full(n, 0.01), rng.normal(size=n) * 100, -127, 127)
    return Matmul(x=rng.integers(-128, 128, (m, w.k)), w=w, quantizer=quantizer)


@pytest.fixture
def elaborated(monkeypatch):
    """The modules that arrays elaborate to, the last one last."""
    modules = []
    for kind in (PeArray, WeightStationaryArray):

        def elaborate(self, platform, original=kind.elaborate):
            modules.append(original(self, platform))
            return modules[-1]

        monkeypatch.setattr(kind, "elaborate", elaborate)
    return modules


def simulated(datapath: ArrayDatapath, array: Array, job: Stimuli, elaborated: list) -> dict[str, list[int]]:
    """Of every cycle what the requantizer takes: biased sum, bias, multiplier; and whether the operand registers do."""
    top = generate(datapath, array)
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    requantizers = elaborated[-1].submodules.requantizers
    accept = requantizers.i.ready if array.weight_stationary else elaborated[-1].submodules.operand_queue.accept
    found: dict[str, list[int]] = {name: [0] for name in ("biased", "bias", "multiplier", "accepted")}

    def source(name: str, beats: np.ndarray) -> Callable:
        stream = getattr(top, name)

        async def drive(ctx):
            for beat in beats:
                ctx.set(stream.payload.as_value(), int.from_bytes(bytes(beat), "little"))
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
            ctx.set(stream.valid, 0)

        return drive

    async def watch(ctx):
        ctx.set(top.o_results.ready, 1)
        inputs = requantizers.i.p
        for _ in range(job.cycles + DRAINING):
            column = inputs.constants.columns[0]
            signals = requantizers.i.ready, inputs.sums[0], column.bias, column.multiplier, accept
            *_, ready, total, bias, multiplier, taken = await ctx.tick().sample(*signals)
            now = {"biased": total + bias, "bias": bias, "multiplier": multiplier}
            for name, value in now.items():
                found[name].append(value if ready else found[name][-1])
            found["accepted"].append(taken)

    for name, beats in job.streams.items():
        if name != RESULTS:
            simulator.add_testbench(source(name, beats))
    simulator.add_testbench(watch)
    simulator.run()
    return found


def changes(values: list[int], bits: int) -> int:
    mask = (1 << bits) - 1
    return sum(((a ^ b) & mask).bit_count() for a, b in itertools.pairwise(values))


@pytest.mark.parametrize(
    ("datapath", "array", "shape"),
    [
        (Mac(), OUTPUT, (2, 2, 8, "int8", 8)),  # results leave as fast as they come
        (Mac(), OUTPUT, (3, 2, 64, "int4", 32)),
        (BitSerial(), OUTPUT, (4, 2, 64, "int8", 64)),
        (BitSerial(skip="zero", lanes=1), OUTPUT, (2, 2, 64, "int4", 64)),
        (Lut(), OUTPUT, (2, 2, 64, "int4", 64)),
        (Mac(lanes=4), STATIONARY, (8, 2, 64, "int8", 64)),
        (Mac(lanes=4), STATIONARY, (8, 2, 8, "int8", 8)),  # one slice
        (BitSerial(lanes=4, skip="zero"), STATIONARY, (8, 2, 64, "int4", 64)),
        (BitSerial(lanes=1, skip="zero"), STATIONARY, (8, 6, 9, "bitmod_fp4", 9)),  # some columns end with one term
    ],
)
def test_requantizers_and_registers_change_as_in_the_rtl(datapath, array, shape, elaborated):
    job = matmul(*shape)
    seen = simulated(datapath, array, stimuli(datapath, array, job), elaborated)
    found = ends.count(datapath, job.x, job.w, job.quantizer, array)
    rescaled = [a * b for a, b in zip(seen["biased"], seen["multiplier"], strict=True)]
    assert found["biased_toggles"] == changes(seen["biased"], datapath.result_bits)
    assert found["bias_toggles"] == changes(seen["bias"], ends.BIAS_BITS)
    assert found["multiplier_toggles"] == changes(seen["multiplier"], ends.MULTIPLIER_BITS)
    assert found["rescaled_toggles"] == changes(rescaled, ends.RESCALED_BITS)
    assert found["rescaled_magnitude_toggles"] == changes([abs(each) for each in rescaled], ends.RESCALED_BITS)
    if not array.weight_stationary:
        (registers,) = (part for part in datapath.components(array) if part.name == "operand_register")
        assert min(found["hold_set_bits"], found["hold_unset_bits"]) >= 0
        assert (
            found["hold_set_bits"] + found["hold_unset_bits"]
            == changes(seen["accepted"], 1) * registers.parameters["register_bits"]
        )
