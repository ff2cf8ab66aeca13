"""cocotb bench of the floating-point MAC array."""

import cocotb
from cocotb.handle import HierarchyObject

from sims import bench


@cocotb.test()
async def replays_jobs(dut: HierarchyObject) -> None:
    """Every job of the harness, judged in HDL."""
    await bench.replay(dut)


@cocotb.test()
async def keeps_stream_rules(dut: HierarchyObject) -> None:
    """The bare array, judged cycle by cycle."""
    await bench.keep_stream_rules(dut)
