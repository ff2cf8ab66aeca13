"""What all cocotb benches do: clock and reset the harness, wait for its jobs, write what they showed."""

import json
import os
from pathlib import Path

from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, First

RESET_CYCLES = 4


async def replay(dut: HierarchyObject) -> None:
    """Runs every job of the harness; writes their outcomes to the file named by ``OUTCOMES``."""
    await start(dut)
    outcomes = []
    while not dut.finished.value:
        await First(dut.jobs_done.value_change, dut.finished.value_change)
        if len(outcomes) < dut.jobs_done.value.to_unsigned():
            names = ("mismatches", "violations", "cycles", "first_mismatch")
            outcomes.append({name: getattr(dut, name).value.to_unsigned() for name in names})
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(outcomes))


async def start(dut: HierarchyObject) -> None:
    """Starts the clock and resets."""
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, RESET_CYCLES)
    dut.rst.value = 0
