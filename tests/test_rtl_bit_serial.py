"""Terms that the feeder makes, against `hwsim.terms`; sums that the PE makes of them."""

import dataclasses

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from hwsim import terms
from hwsim.datapath import Array
from hwsim.datapaths.bit_serial import BitSerial
from rtl.bit_serial import Dot, Feeder

DATAPATHS = [BitSerial(lanes=2, scheme=scheme, skip=skip) for scheme in terms.SCHEMES for skip in ("none", "zero")]


def lane_term(ctx, column, lane) -> int:
    """The term of a lane, from whichever fields say it."""

    def field(view, name: str, missing: int = 0) -> int:
        return ctx.get(view[name]) if name in view.shape().members else missing

    value = field(lane, "one") + 2 * field(lane, "two") << field(lane, "shift")
    return -value if field(lane, "negative") or field(column, "negative") else value


@pytest.mark.parametrize("datapath", DATAPATHS, ids=lambda each: f"{each.scheme}-{each.skip}")
@pytest.mark.parametrize(("weight_bits", "bits"), [(8, 8), (8, 5), (7, 4), (5, 5), (2, 2)])
def test_feeder_makes_the_terms_of_every_weight(datapath: BitSerial, weight_bits: int, bits: int) -> None:
    datapath = dataclasses.replace(datapath, lanes=1, weight_bits=weight_bits)
    m = Module()
    m.submodules.feeder = feeder = Feeder(datapath, Array(rows=1, cols=1))
    m.d.comb += feeder.restart.eq(feeder.last)
    column = feeder.operands[0]
    count = terms.per_weight(bits, datapath.scheme)

    async def step(ctx) -> list[int]:
        """The terms of one step, with its position's weight where all lanes share it."""
        found = []
        while True:
            found.append(lane_term(ctx, column, column.lanes[0]))
            last = ctx.get(feeder.last)
            ctx.set(feeder.advance, 0)
            await ctx.tick()
            assert found[-1] == lane_term(ctx, column, column.lanes[0])
            ctx.set(feeder.advance, 1)
            await ctx.tick()
            if last:
                return found

    async def bench(ctx) -> None:
        ctx.set(feeder.weights.terms, count)
        for weight in range(-(1 << (bits - 1)), 1 << (bits - 1)):
            ctx.set(feeder.weights["values"][0][0], weight)
            expected = terms.decompose(weight, bits, datapath.scheme)
            nonzero = [term for term in expected if term]
            if datapath.skip == "zero":
                assert await step(ctx) == (nonzero or [0])
            elif datapath.scheme == "naf":
                assert await step(ctx) == nonzero + [0] * (count - len(nonzero))
            else:
                base = 4 if datapath.scheme == "booth" else 2
                found = await step(ctx)
                assert [term * base**i for i, term in enumerate(reversed(found))] == expected

    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("datapath", DATAPATHS, ids=lambda each: f"{each.scheme}-{each.skip}")
def test_dot_is_exact_at_the_extremes(datapath: BitSerial) -> None:
    array = Array(rows=1, cols=2)
    m = Module()
    m.submodules.feeder = feeder = Feeder(datapath, array)
    m.submodules.dot = dot = Dot(datapath)
    m.d.comb += [
        dot.operand.eq(feeder.operands[0]), dot.last.eq(feeder.last), dot.advance.eq(feeder.advance),
        feeder.restart.eq(feeder.last),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    extremes = [-128, -127, -1, 0, 1, 85, 127]

    async def bench(ctx) -> None:
        ctx.set(feeder.advance, 1)
        ctx.set(feeder.weights.terms, terms.per_weight(8, datapath.scheme))
        for _ in range(200):
            x, w = rng.choice(extremes, 2), rng.choice(extremes, (array.cols, 2))
            for i in range(2):
                ctx.set(dot.activations[i], int(x[i]))
                for c in range(array.cols):
                    ctx.set(feeder.weights["values"][c][i], int(w[c, i]))
            cycles = 1
            while not ctx.get(feeder.last):
                cycles += 1
                await ctx.tick()
            assert ctx.get(dot.step) == int(x @ w[0])
            if datapath.skip == "zero":
                assert cycles == max(1, int(terms.count(w, 8, datapath.scheme).max()))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
