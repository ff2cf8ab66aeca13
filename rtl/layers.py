"""The matmuls of a network's layers, with the activations that a batch of inputs brings there."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.design import Design
from hwsim.inference import trace
from hwsim.network import Network
from hwsim.operators import Matmul as MatmulOperator
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from hwsim.simulation import layer_mapping
from hwsim.workload import MatmulLayer, Workload
from rtl.stimuli import Matmul


def matmuls(network: Network, design: Design, x: np.ndarray) -> Iterator[tuple[str, list[Matmul]]]:
    """Each layer that runs on the array, in order, with its matmuls (one per group of a convolution).

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
        if isinstance(node.operator, MatmulOperator):
            datapath = design.layer(node.name).datapath
            assert isinstance(datapath, ArrayDatapath)
            pairs = datapath.pairs(node.operator, [values[name] for name in node.inputs])
            yield node.name, _split(node.operator, pairs, orders[node.name])


def _m_outer(layer: MatmulLayer, design: Design) -> bool:
    return layer_mapping(design.datapath.stored(layer), design).m_outer


def _split(operator: MatmulOperator, pairs: list[tuple[np.ndarray, QTensor]], m_outer: bool) -> list[Matmul]:
    return [
        Matmul(x=a, w=w, quantizer=channels(operator.quantizer, operator.JOIN_AXIS * i * w.n, w.n), m_outer=m_outer)
        for i, (a, w) in enumerate(pairs)
    ]


def channels(quantizer: Quantizer, first: int, count: int) -> Quantizer:
    """The quantizer of ``count`` output channels from ``first`` on."""
    chosen = slice(first, first + count)
    names = ("bias", "multiplier", "shift", "invert")
    return dataclasses.replace(quantizer, **{name: getattr(quantizer, name)[chosen] for name in names})
