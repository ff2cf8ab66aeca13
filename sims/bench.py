"""What the cocotb benches of all datapaths do."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, FallingEdge, First, Timer

RESET_CYCLES = 4


async def replay(dut: HierarchyObject) -> None:
    """Runs every job of the harness; writes their outcomes to the file named by ``OUTCOMES``."""
    await _start(dut)
    outcomes = []
    while not dut.finished.value:
        await First(dut.jobs_done.value_change, dut.finished.value_change)
        if len(outcomes) < dut.jobs_done.value.to_unsigned():
            names = ("mismatches", "violations", "cycles", "first_mismatch")
            outcomes.append({name: getattr(dut, name).value.to_unsigned() for name in names})
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(outcomes))


async def _start(dut: HierarchyObject) -> None:
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, RESET_CYCLES)
    dut.rst.value = 0


async def keep_stream_rules(dut: HierarchyObject) -> None:
    """Drives the bare array cycle by cycle, at random, with the beats in folder ``VECTORS``.

    Results must be the golden ones, must not be withdrawn or changed while they wait, and must
    not depend on whether they are taken in the same cycle.
    """
    beats = {path.stem: path.read_text().split() for path in Path(os.environ["VECTORS"]).glob("?_*.hex")}
    expected = iter([int(line, 16) for line in beats.pop("o_results")])
    inputs = {name: iter([int(line, 16) for line in lines]) for name, lines in beats.items()}
    valid, payload = dut.o_results__valid, dut.o_results__payload
    for name in inputs:
        getattr(dut, f"{name}__valid").value = 0
    dut.o_results__ready.value = 0
    await _start(dut)
    offered: dict[str, int] = {}
    waiting = None
    awaited = next(expected)
    while awaited is not None:
        await FallingEdge(dut.clk)
        _offer(dut, inputs, offered)
        seen = []
        for ready in (0, 1, random.getrandbits(1)):
            dut.o_results__ready.value = ready
            await Timer(1, unit="ns")
            seen.append(payload.value.to_unsigned() if valid.value else None)
        assert seen[0] == seen[1], "a result depends on being taken"
        assert waiting in (None, seen[0]), "a waiting result was withdrawn or changed"
        waiting = seen[0]
        if ready and waiting is not None:
            assert waiting == awaited, "a result differs from the golden one"
            waiting, awaited = None, next(expected, None)
        for name in [name for name in offered if getattr(dut, f"{name}__ready").value]:
            del offered[name]
    left = [name for name, beats in inputs.items() if name in offered or next(beats, None) is not None]
    assert not left, f"beats are left over: {left}"


def _offer(dut: HierarchyObject, inputs: dict[str, Iterator[int]], offered: dict[str, int]) -> None:
    """Offers the next beat of idle inputs, each with probability 1/2; ``offered`` are those not yet taken."""
    for name, beats in inputs.items():
        if name not in offered and random.getrandbits(1):
            beat = next(beats, None)
            if beat is not None:
                offered[name] = beat
        getattr(dut, f"{name}__valid").value = int(name in offered)
        getattr(dut, f"{name}__payload").value = offered.get(name, 0)
