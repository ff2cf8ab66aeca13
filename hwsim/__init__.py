"""hwsim: simulator, matching RTL and energy for low-bit neural network hardware."""

from hwsim import workloads
from hwsim.cluster import dask_executor
from hwsim.comparison import compare, compare_designs
from hwsim.crossbar.chips import chips
from hwsim.crossbar.parameters import Adc, Device, SenseAmplifier, Wires
from hwsim.datapath import Array, Datapath, Rule
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.fp_mac import FpMac
from hwsim.datapaths.lmul import LMul
from hwsim.datapaths.lut import Lut
from hwsim.datapaths.lut_buckets import LutBuckets
from hwsim.datapaths.lut_products import LutProducts
from hwsim.datapaths.mac import Mac
from hwsim.datapaths.rram import Rram
from hwsim.design import Design, Dram, Override, Sram
from hwsim.errors import HwsimError
from hwsim.evaluation import evaluate
from hwsim.exploration import pareto, sweep
from hwsim.formats import quantize
from hwsim.inference import run
from hwsim.lowering import lower
from hwsim.network import Network, Node
from hwsim.optimization import search
from hwsim.qtensor import QTensor
from hwsim.reporting import report
from hwsim.result import Result
from hwsim.simulation import simulate
from hwsim.space import Space
from hwsim.transports import transport
from hwsim.workload import Workload

__version__ = "0.1.0"

__all__ = [
    "Adc", "Array", "BitSerial", "Datapath", "Design", "Device", "Dram", "FpMac", "HwsimError", "LMul", "Lut",
    "LutBuckets", "LutProducts", "Mac", "Network", "Node", "Override", "QTensor", "Result", "Rram", "Rule",
    "SenseAmplifier", "Space", "Sram", "Wires", "Workload", "chips", "compare", "compare_designs", "dask_executor",
    "evaluate", "lower", "pareto", "quantize", "report", "run", "search", "simulate", "sweep", "transport", "workloads",
]  # fmt: skip
