"""One GEMM on a 32 x 32 weight-stationary array in SCALE-Sim, run by the Python that has it: prints JSON."""

import contextlib
import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from scalesim.scale_sim import scalesim

CONFIG = """
# With InterfaceBandwidth = USER operands come from DRAM at so many words per cycle as the banks' bandwidth says.
[general]
run_name = gemm
[architecture_presets]
ArrayHeight = 32
ArrayWidth = 32
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = ws
Bandwidth = 64
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 64
IfmapSRAMBankNum = 8
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 64
FilterSRAMBankNum = 8
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
SparseRep = ellpack_block
OptimizedMapping = false
BlockSize = 8
RandomNumberGeneratorSeed = 40
[run_presets]
InterfaceBandwidth = USER
UseRamulatorTrace = False
"""


def main() -> None:
    """Sizes M, N and K are the arguments."""
    m, n, k = map(int, sys.argv[1:4])
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.chdir(folder)
        Path("gemm.cfg").write_text(CONFIG)
        Path("gemm.csv").write_text(f"Layer,M,N,K,\ngemm,{m},{n},{k},\n")
        Path("layout.csv").write_text("Layer,layout,\ngemm," + "1," * 20 + "\n")
        start = time.perf_counter()
        model = scalesim(
            save_disk_space=True, verbose=False, config="gemm.cfg", topology="gemm.csv", layout="layout.csv",
            input_type_gemm=True,
        )  # fmt: skip
        model.run_scale(top_path=folder)
        seconds = time.perf_counter() - start
        (report,) = Path(folder).rglob("COMPUTE_REPORT.csv")
        with report.open() as file:
            (row,) = csv.DictReader(file, skipinitialspace=True)
    print(json.dumps({"cycles": int(float(row["Total Cycles"])), "energy_pj": None, "seconds": seconds}))


if __name__ == "__main__":
    main()
