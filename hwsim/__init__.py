"""hwsim: simulator, matching RTL and energy for low-bit neural network hardware."""

from hwsim import workloads
from hwsim.datapath import Array, Datapath, Rule
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.design import Design, Dram, Override, Sram
from hwsim.errors import HwsimError
from hwsim.exploration import pareto, sweep
from hwsim.formats import quantize
from hwsim.inference import run
from hwsim.lowering import lower
from hwsim.network import Network, Node
from hwsim.qtensor import QTensor
from hwsim.reporting import report
from hwsim.result import Result
from hwsim.simulation import simulate
from hwsim.space import Space
from hwsim.transports import transport
from hwsim.workload import Workload

__version__ = "0.1.0"

__all__ = [
    "Array", "BitSerial", "Datapath", "Design", "Dram", "HwsimError", "Mac", "Network", "Node", "Override",
    "QTensor", "Result", "Rule", "Space", "Sram", "Workload", "lower", "pareto", "quantize", "report", "run",
    "simulate", "sweep", "transport", "workloads",
]  # fmt: skip
