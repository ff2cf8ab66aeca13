"""Area and energy of L-Mul's adder and of the rounding multiplier, alone and in a PE, from synthesis.

Every unit is fed with the same normal numbers in its format; its netlist must give the simulator's answers. Energies
are counted with gate delays and hold what cells of the part spend, the charging of its clock net apart.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim.datapath import Array
from hwsim.datapaths.fp_mac import FpMac
from hwsim.datapaths.lmul import LMul
from hwsim.errors import PowerError
from hwsim.floating import FloatDatapath
from hwsim.formats import quantize
from hwsim.lowering import lower
from hwsim.power import activity, calculator, delays, feed, liberty, netlist, synthesis, timing
from hwsim.power.synthesis import Recipe
from hwsim.progress import track
from hwsim.requantization import Quantizer
from rtl import beats, verilog
from rtl.array import RESULTS, PeArray
from rtl.pe import implementation
from rtl.stimuli import Matmul, stimuli

FORMATS = {"e2m1": "fp4_e2m1", "e3m2": "fp6_e3m2", "e2m3": "fp6_e2m3", "e4m3": "fp8_e4m3", "e5m2": "fp8_e5m2",
           "fp16": "fp16", "bf16": "bf16"}  # fmt: skip
"""Formats that are measured, and what weights are quantized to."""
LANES = 4
"""Of the PEs."""
FIXED_BITS = {"e5m2": 48, "fp16": 56}
"""Fixed-point accumulators that hold a sum of any products, where 32 bits are too few."""
STREAMS, PAIRS = 8, 128
"""Independent runs of a unit, and operands of each."""
K, SUMS = 64, 8
"""Products of a PE's sum, and its sums."""


class RegisteredUnit(Component):
    """A multiplier behind registers: a beat of operands, a cycle later its product."""

    def __init__(self, datapath: FloatDatapath) -> None:
        self.multiplier = implementation(datapath).Multiplier(datapath.kind)
        members = self.multiplier.signature.members
        self.operands = data.StructLayout({name: members[name].shape for name in ("a", "b", "register")})
        self.product = data.StructLayout({"product": unsigned(datapath.kind.bits)})
        super().__init__(
            {"i_operands": In(stream.Signature(self.operands)), RESULTS: Out(stream.Signature(self.product))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = self.multiplier
        operands = Signal.like(self.i_operands.payload)
        taken = self.o_results.ready | ~self.o_results.valid
        m.d.comb += self.i_operands.ready.eq(taken)
        with m.If(taken):
            m.d.sync += [self.o_results.valid.eq(self.i_operands.valid), operands.eq(self.i_operands.payload)]
        for name in ("a", "b", "register"):
            m.d.comb += getattr(multiplier, name).eq(operands[name])
        m.d.comb += self.o_results.p.product.eq(multiplier.product)
        return m


def measure(
    recipe: Recipe, formats: Sequence[str] = tuple(FORMATS), *, show_progress: bool = True
) -> Iterator[dict[str, Any]]:
    """Rows of `hwsim.reproductions.lmul.costs`, with the library's default wire-load model.

    PowerError where a netlist's results are not the simulator's, and as synthesis and netlist raise it.
    """
    chosen = [
        (unit, kind(format=name, lanes=LANES, **accumulation))
        for name in formats
        for unit, accumulation in _variants(name)
        for kind in (LMul, FpMac)
    ]
    for unit, datapath in track(chosen, "multipliers and PEs", show_progress):
        yield (multiplier if unit == "multiplier" else pe)(datapath, recipe)


def _variants(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "multiplier", {}
    bits = 12 if FORMATS[name] == name else 8
    yield "pe", {"activation_bits": bits}
    if name != "bf16":  # products span 262 bits
        yield "pe", {
            "activation_bits": bits, "accumulation": "fixed", "accumulator_bits": FIXED_BITS.get(name, 32),
        }  # fmt: skip


def multiplier(datapath: FloatDatapath, recipe: Recipe) -> dict[str, Any]:
    """The row of a multiplier alone."""
    unit, rng = RegisteredUnit(datapath), np.random.default_rng(0)
    values = rng.standard_normal((2, STREAMS, PAIRS))
    if datapath.kind.bits < 16:
        values *= datapath.kind.max / np.abs(values).max()
    a, b = datapath.kind.encode(values, signed_zero=False)
    largest = float(np.abs(datapath.kind.decode(np.stack([a, b]))).max())
    division = datapath.least_division(largest**2)
    register = datapath.offset(division) if isinstance(datapath, LMul) else division
    jobs = [
        {
            "i_operands": beats.pack(unit.operands, {"a": x, "b": y, "register": np.full(PAIRS, register)}),
            RESULTS: beats.pack(unit.product, {"product": datapath.products(x, y, division)}),
        }
        for x, y in zip(a, b, strict=True)
    ]
    found = _run(unit, "multiplier", jobs, [PAIRS + 1] * STREAMS, recipe, lambda part: part == "multiplier")
    return _row("multiplier", datapath, found, STREAMS * PAIRS, recipe)


def pe(datapath: FloatDatapath, recipe: Recipe) -> dict[str, Any]:
    """The row of a PE."""
    array, rng = Array(rows=1, cols=1), np.random.default_rng(0)
    w = lower(quantize(rng.standard_normal((SUMS, K)), FORMATS[datapath.format]))
    limit = (1 << (datapath.activation_bits - 1)) - 1
    x = rng.standard_normal((1, K))
    x = np.rint(x * limit / np.abs(x).max()).astype(np.int64)
    whole = int(np.frexp(float(np.abs(w.integers).max()))[1]) + datapath.activation_bits - 16
    quantizer = dataclasses.replace(Quantizer.identity(SUMS), sum_shift=max(0, whole))
    answer = stimuli(datapath, array, Matmul(x=x, w=w, quantizer=quantizer))
    found = _run(
        PeArray(datapath, array), "pe_array", [dict(answer.streams)], [answer.cycles], recipe,
        lambda part: part.startswith("pe_"),
    )  # fmt: skip
    return _row("pe", datapath, found, SUMS * K, recipe)


def _run(
    component: Component, top: str, jobs: list[dict], cycles: list[int], recipe: Recipe, belongs: Callable[[str], bool]
) -> dict[str, Any]:
    """pJ over all jobs, area, leakage and latest arrival of the part that ``belongs``."""
    text = verilog.emit(component, top)
    library = liberty.read(recipe.liberty)
    mapped = netlist.read(synthesis.synthesize(text, top, recipe, show_progress=False), library)
    name = library.default_wire_load
    wires = library.wire_load(name) if name else None
    inputs = [{name: each for name, each in job.items() if name != RESULTS} for job in jobs]
    stimulus, results = feed.feed(mapped, inputs, cycles, RESULTS)
    for number, (job, result) in enumerate(zip(jobs, results, strict=True)):
        if not np.array_equal(job[RESULTS], result):
            raise PowerError(f"{top}: the netlist's results are not the simulator's in job {number}")
    delay = timing.analyse(mapped, wires)
    counts = delays.count(mapped, stimulus, delay)
    power = calculator.compute(mapped, activity.to_activity(mapped, counts), wires)
    rows = power.instances()
    inside = rows["instance"].map(lambda name: belongs(name.partition(".")[0])).to_numpy()
    return {
        "area_um2": float(rows["area_um2"][inside].sum()),
        "energy_pj": float(rows["total_pj"][inside].sum()) * counts.cycles,
        "leakage_uw": float(rows["leakage_uw"][inside].sum()),
        "delay_ns": float(delays.arrivals(mapped, delay)[mapped.gate_net[inside[mapped.gate_instance]]].max()) / 1e3,
        "rtl_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
        "library": f"{library.name} {library.voltage_v:g} V {library.temperature_c:g} C",
        "wire_load": name or "none",
    }


def _row(unit: str, datapath: FloatDatapath, found: dict[str, Any], products: int, recipe: Recipe) -> dict[str, Any]:
    """One line of the table; energy is that of a product, in a PE with everything that it takes."""
    in_pe = unit == "pe"
    where = "combinational, between registers that do not count"
    if in_pe:
        where = f"PE of {datapath.lanes} lanes in an array of 1 x 1"
    operands = f"{SUMS} sums of {K}" if in_pe else f"{STREAMS} x {PAIRS}"
    return {
        "unit": unit, "datapath": datapath.name(), "format": datapath.format,
        "accumulation": datapath.accumulation if in_pe else "",
        "accumulator_bits": datapath.accumulator_bits if in_pe else 0, "lanes": datapath.lanes if in_pe else 1,
        "area_um2": round(found["area_um2"], 1), "energy_pj": round(found["energy_pj"] / products, 5),
        "leakage_uw": round(found["leakage_uw"], 3), "delay_ns": round(found["delay_ns"], 3),
        "source": f"own synthesis: {found['library']}; wire load {found['wire_load']}; {recipe}; {where}; "
        f"gate delays; clock net, clock tree, routing left out; {operands} products of normal numbers; "
        f"RTL {found['rtl_hash']}",
    }  # fmt: skip
