"""One GEMM on a 32 x 32 weight-stationary array in ZigZag, run by the Python that has it: prints JSON.

The array is the one that ZigZag ships as ``tpu_like``, with the spatial mapping it ships for it.
"""

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import yaml
import zigzag
from zigzag.api import get_hardware_performance_zigzag

MAPPING = [
    {
        "name": "default",
        "spatial_mapping": {"D1": ["K, 32"], "D2": ["C, 32"]},
        "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
    }
]


def gemm(m: int, n: int, k: int) -> dict:
    """The layer in ZigZag's words: its K are our columns N, its C the reduction."""
    return {
        "id": 0, "name": "gemm", "operator_type": "Gemm", "equation": "O[b][k]+=I[b][c]*W[c][k]",
        "loop_dims": ["B", "K", "C"], "loop_sizes": [m, n, k], "dimension_relations": [],
        "operand_precision": {"O": 16, "O_final": 8, "W": 8, "I": 8}, "operand_source": {},
    }  # fmt: skip


def main() -> None:
    """Sizes M, N and K are the arguments."""
    layer = gemm(*map(int, sys.argv[1:4]))
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.chdir(folder)
        Path("workload.yaml").write_text(yaml.safe_dump([layer]))
        Path("mapping.yaml").write_text(yaml.safe_dump(MAPPING))
        array = Path(zigzag.__file__).parent / "inputs" / "hardware" / "tpu_like.yaml"
        start = time.perf_counter()
        energy_pj, cycles, _ = get_hardware_performance_zigzag(
            "workload.yaml", str(array), "mapping.yaml", opt="latency", dump_folder=folder,
            loma_show_progress_bar=False,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    print(json.dumps({"cycles": int(cycles), "energy_pj": float(energy_pj), "seconds": seconds}))


if __name__ == "__main__":
    main()
