"""Bits that change in floating-point PEs, against a model of every wire, cycle by cycle."""

import struct
from collections import Counter

import numpy as np
import pytest

from hwsim import FpMac, LMul, lower, quantize
from hwsim.datapath import Array
from hwsim.lmul import correction
from hwsim.switching.bits import ones
from tests import naive_floating as naive


def float_bits(value) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]


class Wires:
    """Values of one PE's wires, 0 after reset, and the changes of their bits by feature."""

    def __init__(self, counts: Counter) -> None:
        self.counts, self.values = counts, {}

    def drive(self, feature: str, wire, value: int, bits: int) -> bool:
        """Whether the wire's ``bits`` low bits change."""
        changed = (value ^ self.values.get((feature, wire), 0)) & ((1 << bits) - 1)
        self.values[feature, wire] = value
        self.counts[feature] += changed.bit_count()
        return changed != 0


def lmul_product(wires, datapath, lane, a, b, division) -> int:
    kind = datapath.kind
    m, sign = kind.mantissa_bits, kind.sign_bit
    code_sum = a % sign + b % sign
    added = correction(m, datapath.correction)
    result = code_sum - ((kind.bias + division) << m) + added
    wires.drive("code_sum_toggles", lane, code_sum, kind.bits)
    wires.drive("result_toggles", lane, result, 18)
    wires.drive("underflow_toggles", lane, int(result < 2**m), 1)
    return naive.lmul(kind, a, b, added, division)


def fp_mac_product(wires, datapath, lane, a, b, division) -> int:
    kind = datapath.kind
    m = kind.mantissa_bits
    parts = []
    for code in (a % kind.sign_bit, b % kind.sign_bit):
        field, mantissa = divmod(code, 2**m)
        parts.append((field or 1, mantissa + (2**m if field else 0)))
    (a_field, a_part), (b_field, b_part) = parts
    before = wires.values.get(("significands", lane), (0, 0))
    wires.counts["significand_pairs"] += a_part != before[0] and b_part != before[1]
    wires.values["significands", lane] = a_part, b_part
    wires.drive("significand_product_toggles", lane, a_part * b_part, 2 * m + 2)
    wires.drive("nonzero_toggles", lane, int(a_part * b_part != 0), 1)
    wires.drive("exponent_sum_toggles", lane, a_field + b_field, kind.exponent_bits + 1)
    return naive.rounded(kind, a, b, division)


def float32_adder(wires, name, a, b):
    x, y = float_bits(a), float_bits(b)
    wires.drive("exponent_toggles", (name, 0), x >> 23, 8)
    wires.drive("exponent_toggles", (name, 1), y >> 23, 8)
    wires.drive("order_toggles", name, int(abs(a) < abs(b)), 1)
    new = (x, y) != wires.values.get(name, (0, 0))
    wires.values[name] = x, y
    wires.counts["subtractions"] += new and (x >> 31) != (y >> 31)
    return a + b


def float32_step(wires, level):
    depth = 0
    while len(level) > 1:
        pairs = [
            float32_adder(wires, (depth, i), level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)
        ]  # fmt: skip
        level = pairs + level[2 * len(pairs) :]
        depth += 1
    return level[0]


def fixed_step(wires, datapath, operands, products) -> int:
    total = 0
    for lane, (operand, product) in enumerate(zip(operands, products, strict=True)):
        value = naive.value(datapath.kind, product) / naive.Fraction(2) ** datapath.product_exponent
        wires.drive("zero_toggles", lane, int(value == 0), 1)
        wires.drive("whole_toggles", lane, abs(int(value)), datapath.product_bits - 1)
        wires.drive("signed_toggles", lane, int(value), datapath.product_bits)
        magnitudes = [code % datapath.kind.sign_bit for code in operand]
        before = wires.values.get(("operands", lane), (0, 0))
        wires.values["operands", lane] = magnitudes
        wires.counts["both_change"] += magnitudes[0] != before[0] and magnitudes[1] != before[1]
        total += int(value)
    return total


def expected(datapath, x, w) -> Counter:
    """Counts of a PE for each row of activations, which meets the columns one after the other."""
    counts = Counter()
    codes, division = datapath.codes(w).tolist(), datapath.division(w)
    product = lmul_product if isinstance(datapath, LMul) else fp_mac_product
    for row in datapath.encode(x).tolist():
        wires = Wires(counts)
        for n, column in enumerate(codes):
            tile, tile_sum = np.float32(0), 0
            for group, start in enumerate(range(0, w.k, w.group_size)):
                stop, total = min(start + w.group_size, w.k), 0
                for first in range(start, stop, datapath.lanes):
                    ks = range(first, first + datapath.lanes)
                    operands = [(row[k], column[k]) if k < stop else (0, 0) for k in ks]
                    products = [product(wires, datapath, i, a, b, division) for i, (a, b) in enumerate(operands)]
                    if datapath.accumulation == "float32":
                        values = [np.float32(datapath.kind.values[code]) for code in products]
                        tile = float32_adder(wires, "accumulator", tile, float32_step(wires, values))
                        continue
                    step = fixed_step(wires, datapath, operands, products)
                    within = datapath.scale_stage or group == 0
                    total = step if first == start and within else total + step
                    wires.drive("addend_toggles", 0, step, datapath.accumulator_bits)
                    wires.drive("accumulator_toggles", 0, total, datapath.accumulator_bits)
                    for place in range(datapath.scale_bits):
                        entry = total if int(w.scale[n, group]) >> place & 1 else 0
                        bits = datapath.accumulator_bits + datapath.scale_bits - place
                        wires.drive("scale_toggles", place, entry, bits)
                    if datapath.scale_bits:
                        scale, bits = int(w.scale[n, group]), datapath.accumulator_bits
                        wires.drive("group_scale_toggles", 0, scale, datapath.scale_bits)
                        wires.drive("scaled_toggles", 0, total * scale, bits + datapath.scale_bits)
                        tile_sum += total * scale if first + datapath.lanes >= stop else 0
                        wires.drive("total_toggles", 0, tile_sum, bits)
    return counts


@pytest.mark.parametrize("datapath", [LMul, FpMac])
@pytest.mark.parametrize(
    ("format", "lanes", "options"),
    [
        ("e4m3", 8, {}),
        ("e4m3", 3, {}),
        ("e3m2", 1, {}),
        ("e4m3", 4, {"accumulation": "fixed"}),
        ("e3m2", 3, {"accumulation": "fixed", "accumulator_bits": 62, "scale_bits": 8}),
    ],
)
def test_counts_are_those_of_every_wire(datapath, format, lanes, options):
    rng = np.random.default_rng(lanes)
    chosen = datapath(format=format, lanes=lanes, **options)
    stored = "fp8_e4m3" if format == "e4m3" else "fp6_e3m2"
    grouped = {"group_size": 8, "pad": True} if chosen.scale_bits else {}
    w = lower(quantize(rng.standard_normal((3, 18)), stored, **grouped))
    x = rng.integers(-128, 128, (2, 18)) * (rng.random((2, 18)) > 0.3)
    found = chosen.toggles(x, w, Array(rows=2, cols=1))
    named = {name for event in chosen.EVENTS for name in event.features}
    counts = expected(chosen, x, w)
    assert {name: value for name, value in found.items() if name in named} == {name: counts[name] for name in counts}


def test_bits_beyond_those_of_integers_are_signs():
    assert ones(np.array([-1, 5, -2]), 70).tolist() == [70, 2, 69]
