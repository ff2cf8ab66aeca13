"""cocotb bench of the plain MAC array."""

import cocotb
from cocotb.handle import HierarchyObject

from sims import bench


@cocotb.test()
async def replays_jobs(dut: HierarchyObject) -> None:
    """Every job of the harness, judged in HDL."""
    await bench.replay(dut)
