"""Step sums to groups to tiles, against Python's integers."""

import random

import pytest
from amaranth.sim import Simulator

from hwsim.datapaths.mac import Mac
from rtl.accumulator import Accumulator, GroupSum

STEP_BITS = 8
DATAPATHS = [
    Mac(scale_bits=0, accumulator_bits=14, overflow=mode) for mode in ("wrap", "saturate")
] + [
    Mac(
        scale_bits=scale, offset_bits=offset, accumulator_bits=14, group_accumulator_bits=9, overflow=mode
    )
    for scale, offset in ((4, 0), (0, 3), (4, 3))
    for mode in ("wrap", "saturate")
]  # fmt: skip


def expected(value: int, bits: int, mode: str) -> int:
    half = 1 << (bits - 1)
    return min(max(value, -half), half - 1) if mode == "saturate" else (value + half) % (2 * half) - half


def signed(noise: random.Random, bits: int) -> int:
    """Any value of ``bits``, often an extreme one."""
    half = 1 << (bits - 1)
    return noise.choice([-half, half - 1, noise.randrange(-half, half)])


@pytest.mark.parametrize("datapath", DATAPATHS, ids=repr)
def test_accumulator_follows_the_order_of_arithmetic(datapath: Mac) -> None:
    accumulator = Accumulator(datapath, STEP_BITS)
    noise = random.Random(1)
    mode = datapath.overflow

    async def add_group(ctx, steps: int) -> int:
        """Feeds steps with pauses; returns the group's sum."""
        total = 0
        for i in range(steps):
            step = signed(noise, STEP_BITS)
            total = expected(total + step, datapath.group_accumulator_bits, mode)
            ctx.set(accumulator.step, step)
            ctx.set(accumulator.first_in_group, i == 0)
            ctx.set(accumulator.add, 1)
            await ctx.tick()
            ctx.set(accumulator.add, 0)
            if noise.random() < 0.3:
                await ctx.tick()
        return total

    async def scaled(ctx, group: int) -> int:
        """Sets what the group is scaled by; returns its contribution."""
        scale = signed(noise, datapath.scale_bits) if datapath.scale_bits else 1
        if datapath.scale_bits:
            ctx.set(accumulator.scale, scale)
        if not datapath.offset_bits:
            return scale * group
        offset, total = signed(noise, datapath.offset_bits), signed(noise, 12)
        ctx.set(accumulator.offset, offset)
        ctx.set(accumulator.group_sum, total)
        return scale * group + offset * total

    async def bench(ctx) -> None:
        for _ in range(40):
            total = 0
            for group in range(noise.randrange(1, 9)):
                ctx.set(accumulator.first_in_tile, group == 0)
                if datapath.scale_stage:
                    addend = await scaled(ctx, await add_group(ctx, noise.randrange(1, 6)))
                    ctx.set(accumulator.apply, 1)
                    await ctx.tick()
                    ctx.set(accumulator.apply, 0)
                else:
                    addend = signed(noise, STEP_BITS)
                    ctx.set(accumulator.step, addend)
                    ctx.set(accumulator.add, 1)
                    await ctx.tick()
                    ctx.set(accumulator.add, 0)
                total = expected(total + addend, datapath.accumulator_bits, mode)
                assert ctx.get(accumulator.value) == total

    simulator = Simulator(accumulator)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def test_group_sum_restarts_with_each_group() -> None:
    component = GroupSum(Mac(lanes=3, activation_bits=4))

    async def bench(ctx) -> None:
        steps = [((-8, -8, -8), 1, -24), ((-8, -8, -8), 0, -48), ((7, 7, -1), 1, 13)]
        for values, first, total in steps:
            for i, value in enumerate(values):
                ctx.set(component.activations[i], value)
            ctx.set(component.first_in_group, first)
            ctx.set(component.add, 1)
            await ctx.tick()
            assert ctx.get(component.value) == total
            ctx.set(component.add, 0)
            await ctx.tick()
            assert ctx.get(component.value) == total

    simulator = Simulator(component)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
