"""The floating-point units side by side in one component, and pairs of operands for all of them."""

from collections.abc import Iterator

import numpy as np
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from hwsim import FpMac, LMul
from hwsim.minifloat import Minifloat, named
from rtl import beats, fp_mac, lmul, minifloat
from rtl.array import RESULTS
from rtl.float32 import Float32Adder
from rtl.floating import Normalizer
from rtl.harness import Job
from rtl.stimuli import Stimuli
from rtl.streams import EXPONENT

FORMATS = {
    name: named(name)
    for name in ("e4m3", "e5m2", "e3m4", "e2m5", "e3m2", "e2m3", "e2m1", "e3m0", "e6m5", "bf16", "fp16")
}
FIXED_BITS = 48
FIXED = {name: LMul(format=name, accumulation="fixed", accumulator_bits=FIXED_BITS) for name in ("e4m3", "fp16")}
"""Formats whose products also become fixed point."""
CORRECTIONS = ("paper", "best", "none")
LARGEST_DIVISION = 9

_PAIR = {
    f"{part}_{name}": unsigned(kind.bits) for name, kind in FORMATS.items() for part in ("a", "b")
} | {f"offset_{name}": lmul.OFFSET for name in FORMATS}  # fmt: skip
OPERANDS = data.StructLayout(
    {**_PAIR, "division": fp_mac.DIVISION, "x": 32, "y": 32, "sum": signed(FIXED_BITS), "exponent": EXPONENT}
)
ANSWERS = data.StructLayout(
    {f"{unit}_{name}": kind.bits for name, kind in FORMATS.items() for unit in ("lmul", "fp_mac")}
    | {f"float32_{name}": 32 for name in FORMATS}
    | {f"fixed_{name}": signed(each.product_bits) for name, each in FIXED.items()}
    | {"add": 32, "float32_integer": signed(32), "fixed_integer": signed(32)}
)
LAYOUTS = {"i_operands": OPERANDS, RESULTS: ANSWERS}


class FloatUnits(Component):
    """One beat of operands, one of answers a cycle later."""

    def __init__(self) -> None:
        super().__init__({"i_operands": In(stream.Signature(OPERANDS)), RESULTS: Out(stream.Signature(ANSWERS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operands = Signal.like(self.i_operands.payload)
        taken = self.o_results.ready | ~self.o_results.valid
        m.d.comb += self.i_operands.ready.eq(taken)
        with m.If(taken):
            m.d.sync += [self.o_results.valid.eq(self.i_operands.valid), operands.eq(self.i_operands.payload)]
        answers = self.o_results.p
        for name, kind in FORMATS.items():
            a = operands[f"a_{name}"]
            for unit, register in ((lmul, operands[f"offset_{name}"]), (fp_mac, operands["division"])):
                label = unit.__name__.rpartition(".")[2]
                m.submodules[f"{label}_{name}"] = multiplier = unit.Multiplier(kind)
                m.d.comb += [
                    multiplier.a.eq(a),
                    multiplier.b.eq(operands[f"b_{name}"]),
                    multiplier.register.eq(register),
                    answers[f"{label}_{name}"].eq(multiplier.product),
                ]
            m.d.comb += answers[f"float32_{name}"].eq(minifloat.to_float32(m, kind, a, f"float32_{name}"))
            if name in FIXED:
                bits = FIXED[name].product_bits
                m.d.comb += answers[f"fixed_{name}"].eq(minifloat.to_fixed(m, kind, a, bits, f"fixed_{name}"))
        m.submodules.adder = adder = Float32Adder()
        m.d.comb += [adder.a.eq(operands.x), adder.b.eq(operands.y), answers.add.eq(adder.sum)]
        for name, datapath, value in (("float32", LMul(), operands.x), ("fixed", FIXED["e4m3"], operands.sum)):
            m.submodules[f"normalizer_{name}"] = normalizer = Normalizer(datapath)
            m.d.comb += [
                normalizer.sum.eq(value),
                normalizer.exponent.eq(operands.exponent),
                answers[f"{name}_integer"].eq(normalizer.value),
            ]
        return m


def all_pairs(correction: str) -> Job:
    """Every pair of codes of each format of up to 8 bits, once or more; of wider ones random pairs.

    Beat ``256 a + b`` has the codes a and b of a format of 8 bits; 0 stands for those that are no number.
    """
    rng = np.random.default_rng(0)
    a, b = np.divmod(np.arange(1 << 16), 256)
    codes = {}
    for name, kind in FORMATS.items():
        if kind.bits <= 8:
            codes[name] = a % (1 << kind.bits), b % (1 << kind.bits)
        else:
            codes[name] = tuple(rng.integers(0, 1 << kind.bits, (2, len(a))))
    return _job(rng, codes, np.zeros(len(a), int), [correction] * len(a))


def random_pairs(count: int, seed: int) -> Iterator[Job]:
    """``count`` random pairs of each format, and of everything else, in jobs that fit the harness."""
    rng = np.random.default_rng(seed)
    for low in range(0, count, 1 << 16):
        size = min(1 << 16, count - low)
        codes = {name: tuple(rng.integers(0, 1 << kind.bits, (2, size))) for name, kind in FORMATS.items()}
        yield _job(rng, codes, rng.integers(0, LARGEST_DIVISION + 1, size), rng.choice(CORRECTIONS, size))


def _job(rng: np.random.Generator, codes: dict, division: np.ndarray, corrections: object) -> Job:
    size = len(division)
    fields: dict[str, np.ndarray] = {"division": division}
    answers: dict[str, np.ndarray] = {}
    for name, kind in FORMATS.items():
        a, b = (_numbers(kind, each) for each in codes[name])
        fields |= {f"a_{name}": a, f"b_{name}": b, f"offset_{name}": np.zeros(size, int)}
        for unit in ("lmul", "fp_mac"):
            answers[f"{unit}_{name}"] = np.zeros(size, int)
        for power in np.unique(division):
            here = division == power
            answers[f"fp_mac_{name}"][here] = FpMac(format=name).products(a[here], b[here], int(power))
            for correction in CORRECTIONS:
                chosen = here & (np.asarray(corrections) == correction)
                datapath = LMul(format=name, correction=correction)
                fields[f"offset_{name}"][chosen] = datapath.offset(int(power))
                answers[f"lmul_{name}"][chosen] = datapath.products(a[chosen], b[chosen], int(power))
        answers[f"float32_{name}"] = kind.decode(a).astype(np.float32).view(np.uint32)
        if name in FIXED:
            answers[f"fixed_{name}"] = np.ldexp(kind.decode(a), -FIXED[name].product_exponent)
    _sums(rng, size, fields, answers)
    streams = {
        "i_operands": beats.pack(OPERANDS, fields),
        RESULTS: beats.pack(ANSWERS, {key: np.asarray(each).astype(np.int64) for key, each in answers.items()}),
    }
    return Job(stimuli=Stimuli(streams=streams, cycles=size + 1))


def _numbers(kind: Minifloat, codes: np.ndarray) -> np.ndarray:
    """``codes``, 0 in place of those that are no number."""
    return np.where((codes & (kind.sign_bit - 1)) > kind.max_code, 0, codes)


def _sums(rng: np.random.Generator, size: int, fields: dict, answers: dict) -> None:
    """Float32 pairs far apart, close together and nearly opposite; sums of every magnitude and their exponents."""
    x = rng.integers(0, 1 << 32, size)
    exponent = rng.integers(0, 254, size)
    distance = rng.integers(-28, 29, size)
    near = np.clip(exponent + np.where(rng.random(size) < 0.5, np.sign(distance), distance), 0, 253)
    y = np.where(rng.random(size) < 0.2, x ^ rng.integers(0, 8, size) ^ 1 << 31, rng.integers(0, 1 << 32, size))
    short = np.where(rng.random(size) < 0.3, ~((1 << rng.integers(0, 23, size)) - 1), -1)  # makes ties likely
    x = (x & 0x807FFFFF & short) | exponent << 23
    y = (y & 0x807FFFFF & short) | near << 23
    total = rng.integers(-(1 << FIXED_BITS - 1), 1 << FIXED_BITS - 1, size) >> rng.integers(0, FIXED_BITS, size)
    power = np.clip(150 - exponent + rng.integers(-30, 12, size), -512, 511)
    power = np.where(rng.random(size) < 0.5, power, rng.integers(-40, 40, size))
    fields |= {"x": x, "y": y, "sum": total, "exponent": power}
    u, v = (each.astype(np.uint32).view(np.float32) for each in (x, y))
    answers["add"] = _positive_zero(u + v).view(np.uint32)
    answers["float32_integer"] = np.zeros(size, int)
    answers["fixed_integer"] = np.zeros(size, int)
    for each in np.unique(power):
        here = power == each
        answers["float32_integer"][here] = LMul().integers(u[here], int(each))
        answers["fixed_integer"][here] = FIXED["e4m3"].integers(total[here], int(each))


def _positive_zero(values: np.ndarray) -> np.ndarray:
    """-0 never reaches an adder of the array; its sum with -0 is +0 there."""
    return np.where(values == 0, np.float32(0), values)
