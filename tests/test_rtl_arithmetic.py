"""Exact sums and overflow, against Python's integers."""

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from rtl.arithmetic import overflow, tree_sum


def evaluate(m: Module, inputs: list[Signal], output: Signal, cases: list[tuple[int, ...]]) -> list[int]:
    """What ``output`` is for each of ``cases``."""
    results = []

    async def bench(ctx) -> None:
        for case in cases:
            for signal, value in zip(inputs, case, strict=True):
                ctx.set(signal, value)
            results.append(ctx.get(output))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize(("count", "bits"), [(1, 4), (2, 5), (3, 6), (5, 7), (6, 7), (8, 7), (9, 8)])
def test_tree_sum_is_exact_and_not_wider_than_needed(count: int, bits: int) -> None:
    m = Module()
    inputs = [Signal(signed(4)) for _ in range(count)]
    total = tree_sum(inputs)
    assert len(total) == bits
    output = Signal(total.shape())
    m.d.comb += output.eq(total)
    assert evaluate(m, inputs, output, [(-8,) * count, (7,) * count]) == [-8 * count, 7 * count]


@pytest.mark.parametrize("bits", [4, 6, 7, 9])
@pytest.mark.parametrize("mode", ["wrap", "saturate"])
def test_overflow(bits: int, mode: str) -> None:
    m = Module()
    value = Signal(signed(7))
    output = Signal(signed(12))
    m.d.comb += output.eq(overflow(m, value, bits, mode))
    half = 1 << (bits - 1)
    expected = [
        min(max(v, -half), half - 1) if mode == "saturate" else (v + half) % (2 * half) - half for v in range(-64, 64)
    ]
    assert evaluate(m, [value], output, [(v,) for v in range(-64, 64)]) == expected
