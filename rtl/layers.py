"""The matmuls of a network's layers, with the activations that a batch of inputs brings there."""

from collections.abc import Iterator

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.design import Design
from hwsim.inference import trace
from hwsim.network import Network
from hwsim.operators import Matmul as MatmulOperator
from hwsim.operators import StaticMatmul
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from hwsim.simulation import layer_mapping
from hwsim.workload import MatmulLayer, Workload
from rtl.rram_stimuli import CrossbarLayer
from rtl.stimuli import Matmul


def matmuls(network: Network, design: Design, x: np.ndarray) -> Iterator[tuple[str, list[Matmul]]]:
    """Each layer that runs on an array of PEs, in order, with its matmuls (one per group of a convolution).

    The order of tiles is the one that `hwsim.simulate` counts cycles of.
    """
    workload = Workload.from_network(network, batch=len(x))
    orders = {
        layer.name: _m_outer(layer, design.layer(layer.name))
        for layer in workload.layers
        if isinstance(layer, MatmulLayer)
    }
    values: dict[str, np.ndarray] = {}
    for node, value in trace(network, design, x):
        values[node.name] = value
        datapath = design.layer(node.name).datapath
        if isinstance(node.operator, MatmulOperator) and isinstance(datapath, ArrayDatapath):
            pairs = datapath.pairs(node.operator, [values[name] for name in node.inputs])
            yield node.name, _split(node.operator, pairs, orders[node.name])


def _m_outer(layer: MatmulLayer, design: Design) -> bool:
    return layer_mapping(design.datapath.stored(layer), design).m_outer


def _split(operator: MatmulOperator, pairs: list[tuple[np.ndarray, QTensor]], m_outer: bool) -> list[Matmul]:
    def quantizer(i: int, n: int) -> Quantizer:
        first = operator.JOIN_AXIS * i * n
        return operator.quantizer.channels(slice(first, first + n))

    return [Matmul(x=a, w=w, quantizer=quantizer(i, w.n), m_outer=m_outer) for i, (a, w) in enumerate(pairs)]


def crossbar_parts(
    network: Network, design: Design | None, name: str, x: np.ndarray, array: Array
) -> Iterator[CrossbarLayer]:
    """The layer called ``name`` as crossbars take it, in shares of at most ``array.cols`` outputs."""
    operator = network.node(name).operator
    assert isinstance(operator, StaticMatmul)
    values = {node.name: value for node, value in trace(network, design, x)}
    vectors = values[network.node(name).inputs[0]]
    outputs = operator.weight.n // operator.matmuls
    for low in range(0, outputs, array.cols):
        yield CrossbarLayer.of(operator, vectors, slice(low, min(low + array.cols, outputs)))
