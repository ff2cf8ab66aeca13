"""The requantizers' stages, against Python's integers."""

import random

import pytest
from amaranth.sim import Simulator

from hwsim.datapath import Array
from hwsim.datapaths.mac import Mac
from rtl.requantizer import STAGES, RequantizerRow

INT32 = -(1 << 31), (1 << 31) - 1
COLS = 2


def reference(total: int, column: dict, tile: dict, mode: str) -> int:
    biased = total + column["bias"]
    if mode == "saturate":
        biased = min(max(biased, INT32[0]), INT32[1])
    else:
        biased = (biased + (1 << 31)) % (1 << 32) - (1 << 31)
    if tile["threshold"]:
        return tile["high"] if (biased >= 0) != column["invert"] else tile["low"]
    scaled = (biased * column["multiplier"] + (1 << (column["shift"] - 1))) >> column["shift"]
    return min(max(scaled, tile["low"]), tile["high"])


def cases(noise: random.Random, bits: int, count: int) -> list[tuple]:
    """Rows of sums, each with its own constants: extremes, ties, and anything between."""

    def signed(width: int) -> int:
        half = 1 << (width - 1)
        near = [-half, 1 - half, -1, 0, 1, half - 2, half - 1]
        return noise.choice([noise.choice(near), noise.randrange(-half, half)]) >> noise.choice([0, 0, width // 2])

    def column() -> dict[str, int]:
        shift = noise.randrange(1, 63)
        multiplier = noise.choice([0, 1, 2, 3, (1 << 31) - 1, 1 << min(shift - 1, 30), noise.randrange(1 << 31)])
        return {"bias": signed(32), "multiplier": multiplier, "shift": shift, "invert": noise.randrange(2)}

    rows = []
    for _ in range(count):
        low, high = sorted([signed(32), signed(32)])
        tile = {"low": low, "high": high, "threshold": int(noise.random() < 0.2)}
        if noise.random() < 0.5:
            tile |= dict(zip(("low", "high"), INT32, strict=True))
        rows.append(([signed(bits) for _ in range(COLS)], [column() for _ in range(COLS)], tile, noise.randrange(2)))
    return rows


@pytest.mark.parametrize("mode", ["wrap", "saturate"])
@pytest.mark.parametrize(("bits", "stall"), [(32, 0.0), (32, 0.4), (13, 0.4)])
def test_rows_come_out_as_the_formula_says(mode: str, bits: int, stall: float) -> None:
    datapath = Mac(accumulator_bits=bits, overflow=mode)
    component = RequantizerRow(datapath, Array(rows=1, cols=COLS))
    noise = random.Random(f"{mode} {bits} {stall}")
    rows = cases(noise, bits, 600)

    async def feed(ctx) -> None:
        for sums, columns, tile, last in rows:
            while noise.random() < stall:
                await ctx.tick()
            ctx.set(component.i.p.sums, sums)
            ctx.set(component.i.p.constants, {"columns": columns, "rows": 0, **tile})
            ctx.set(component.i.p.last, last)
            ctx.set(component.i.valid, 1)
            await ctx.tick().until(component.i.ready)
            ctx.set(component.i.valid, 0)

    async def drain(ctx) -> None:
        cycles = 0
        for sums, columns, tile, last in rows:
            while noise.random() < stall:
                await ctx.tick()
            ctx.set(component.o.ready, 1)
            waited, result = 0, None
            while result is None:
                waited += 1
                _, _, valid, payload = await ctx.tick().sample(component.o.valid, component.o.payload)
                result = payload if valid else None
            ctx.set(component.o.ready, 0)
            pairs = zip(sums, columns, strict=True)
            assert list(result["values"]) == [reference(total, column, tile, mode) for total, column in pairs]
            assert result["last"] == last
            cycles += waited
        if not stall:
            assert cycles == len(rows) + STAGES

    simulator = Simulator(component)
    simulator.add_clock(1e-8)
    simulator.add_testbench(feed)
    simulator.add_testbench(drain)
    simulator.run()


def test_a_waiting_row_lets_the_stages_before_it_fill() -> None:
    component = RequantizerRow(Mac(), Array(rows=1, cols=1))

    async def bench(ctx) -> None:
        accepted = 0
        for cycle in range(6 * STAGES):
            ctx.set(component.i.valid, cycle % 3 == 0)
            accepted += ctx.get(component.i.valid & component.i.ready)
            await ctx.tick()
        assert accepted == STAGES

    simulator = Simulator(component)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
