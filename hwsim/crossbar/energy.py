"""Energy of reads for all inputs of a batch, cell by cell; costs of a layer take a sample of its inputs."""

import numpy as np

from hwsim.crossbar.chips import crossbar_layers
from hwsim.datapaths.rram import Rram, cells
from hwsim.design import Design
from hwsim.inference import trace
from hwsim.network import Network
from hwsim.operators import StaticMatmul


def read_energy_pj(rram: Rram, x: np.ndarray, states: np.ndarray) -> np.ndarray:
    """float64[M, N]: ``V**2 t sum(G)`` of the open cells of every column, for ±1 inputs [M, K] and bool[2, K, N].

    Nominal conductances, ideal wires.
    """
    lines = (x > 0).astype(np.float64)
    first, second = np.where(states, rram.device.g_on, rram.device.g_off)
    closed = second if rram.mapping == "xnor" else 0.0
    opened = first if rram.mapping == "xnor" else first + second
    conductance = lines @ opened + (1 - lines) @ np.broadcast_to(closed, opened.shape)
    return conductance * rram.read_v**2 * rram.read_ns * 1e3


def array_energy_pj(network: Network, design: Design, x: np.ndarray) -> dict[str, float]:
    """Picojoules that the cells of each layer on crossbars take for real inputs [batch, ...], all reads together."""
    rrams = {node.name: (node, rram) for node, rram in crossbar_layers(network, design)}
    values: dict[str, np.ndarray] = {}
    energy: dict[str, float] = {}
    for node, value in trace(network, None, x):
        values[node.name] = value
        if node.name in rrams:
            operator, rram = node.operator, rrams[node.name][1]
            assert isinstance(operator, StaticMatmul)
            parts = zip(operator.unfold(values[node.inputs[0]]), operator.split_weight(), strict=True)
            energy[node.name] = float(sum(read_energy_pj(rram, a, cells(w)).sum() for a, w in parts))
    return energy
