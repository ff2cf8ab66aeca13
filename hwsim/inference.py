"""Outputs of a network through the hardware's arithmetic."""

from collections.abc import Iterator

import numpy as np

from hwsim import exact
from hwsim.design import Design
from hwsim.errors import DesignError, FormatError, NetworkError
from hwsim.integer import wide_sums
from hwsim.network import Network, Node
from hwsim.operators import HostOperator, Input, Matmul
from hwsim.requantization import requantize


def run(network: Network, design: Design | None, x: np.ndarray) -> np.ndarray:
    """Real outputs float64[batch, *shape] for real inputs [batch, *input shape].

    Every matmul is computed by the design's datapath, bit for bit; host operators by
    their integer formulas. Without a design sums are exact, for weights of any width: what every datapath
    that takes the weights computes as well. Raises FormatError if a datapath cannot take a layer.
    """
    for _, value in trace(network, design, x):
        result = value
    return result.astype(np.float64) * network.output_scale


def trace(network: Network, design: Design | None, x: np.ndarray) -> Iterator[tuple[Node, np.ndarray]]:
    """Every node with its int32 output, in order."""
    samples = np.asarray(x)
    if samples.shape[1:] != network.input.shape:
        raise NetworkError(
            f"input of shape {samples.shape}, expected [batch, {', '.join(map(str, network.input.shape))}]"
        )
    values: dict[str, np.ndarray] = {}
    for node in network.nodes:
        inputs = [values[name] for name in node.inputs]
        values[node.name] = evaluate(network, node, design, inputs or [samples])
        yield node, values[node.name]


def evaluate(network: Network, node: Node, design: Design | None, inputs: list[np.ndarray]) -> np.ndarray:
    """The int32 output of one node for its inputs; of the input node, for real samples."""
    if isinstance(node.operator, Input):
        return node.operator.quantize(inputs[0])
    if isinstance(node.operator, HostOperator):
        return node.operator.apply(*inputs)
    return _run_matmul(network, node, design, inputs)


def _run_matmul(network: Network, node: Node, design: Design | None, inputs: list[np.ndarray]) -> np.ndarray:
    operator = node.operator
    assert isinstance(operator, Matmul)
    if design is None:
        bits = network.activation_bits(node)
        sums = [exact.matmul(a, w, bits) for a, w in operator.operands(*inputs)]
        y = requantize(np.concatenate(sums, axis=operator.JOIN_AXIS), operator.quantizer)
    else:
        here = design.layer(node.name)
        datapath = here.datapath
        if datapath.verified != "rtl":
            raise DesignError(f"layer {node.name!r}: {datapath.name()} computes no values")
        datapath.check_array(here.array)
        try:
            datapath.check_results(operator.quantizer)
            shift = operator.quantizer.sum_shift
            sums = [datapath.layer_sums(a, w, shift) for a, w in datapath.pairs(operator, inputs)]
        except FormatError as error:
            raise FormatError(f"layer {node.name!r}: {error}") from None
        problem = wide_sums(operator.quantizer.sum_shift, datapath)
        if problem:
            raise FormatError(f"layer {node.name!r}: {problem}")
        y = datapath.requantize(np.concatenate(sums, axis=operator.JOIN_AXIS), operator.quantizer)
    return operator.fold(y, len(inputs[0]), network.shapes[node.name])
