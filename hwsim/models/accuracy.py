"""Accuracy of the shipped networks through the hardware's arithmetic; needs no PyTorch."""

import numpy as np

from hwsim import digits
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.design import Design
from hwsim.errors import FormatError, HwsimError
from hwsim.inference import run
from hwsim.measurement import check_support
from hwsim.network import Network
from hwsim.operators import StaticMatmul
from hwsim.qtensor import QTensor
from hwsim.workload import MatmulLayer, Workload

DESIGNS = (Design(datapath=Mac()), Design(datapath=BitSerial()), Design(datapath=BitSerial(weight_bits=20)))


def designs(network: Network) -> list[Design]:
    """Those of `DESIGNS` that take every layer of the network."""
    layers = [layer for layer in Workload.from_network(network).layers if isinstance(layer, MatmulLayer)]
    return [design for design in DESIGNS if all(_takes(design, layer) for layer in layers)]


def _takes(design: Design, layer: MatmulLayer) -> bool:
    try:
        check_support(layer, design)
    except FormatError:
        return False
    return True


def logits(network: Network, images: np.ndarray) -> np.ndarray:
    """float64[n, 10]: exact sums, which every design that takes the network computes alike; HwsimError if one
    does not."""
    exact = run(network, None, images)
    for design in designs(network):
        if (run(network, design, images) != exact).any():
            raise HwsimError(f"{network.name}: {design.datapath.name()} and exact sums disagree about its outputs")
    return exact


def hwsim_accuracy(network: Network) -> float:
    """Share of held-out images that the hardware labels correctly."""
    images, labels = digits.held_out(network)
    return float((logits(network, images).argmax(axis=1) == labels).mean())


def lowered_bits_per_weight(network: Network) -> float:
    """Bits per weight as a network stores them: lowered, tiles unrolled, channel scales included."""
    weights = _weights(network)
    return sum(w.storage_bits for w in weights) / sum(w.codes.size for w in weights)


def _weights(network: Network) -> list[QTensor]:
    return [node.operator.weight for node in network.matmuls() if isinstance(node.operator, StaticMatmul)]


def table() -> str:
    """Markdown: what training recorded beside the accuracy computed now from the shipped files.

    Bits per weight are those of the formats, metadata included, and as lowered to integers.
    """
    lines = [
        "| network | weights | bits per weight | lowered | float | trained model | fake-quant | hwsim "
        "| largest logit difference | datapaths |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, seen in digits.recorded().items():
        network = digits.load(name)
        cells = [
            name, f"{seen['weights']}", f"{seen['bits_per_weight']:.2f}", f"{lowered_bits_per_weight(network):.2f}",
            _percent(seen["float"]), _percent(seen["trained"]), _percent(seen["fake_quant"]),
            _percent(hwsim_accuracy(network)), f"{seen['max_logit_difference']:.2g}",
            ", ".join(dict.fromkeys(design.datapath.name() for design in designs(network))) or "exact sums only",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
