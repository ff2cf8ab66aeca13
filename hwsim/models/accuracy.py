"""Accuracy of the shipped networks through the hardware's arithmetic; needs no PyTorch."""

import numpy as np

from hwsim import digits
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.inference import run
from hwsim.network import Network
from hwsim.operators import StaticMatmul
from hwsim.qtensor import QTensor

DESIGNS = (Design(datapath=Mac()), Design(datapath=BitSerial()))


def logits(network: Network, images: np.ndarray) -> np.ndarray:
    """float64[n, 10], which every design computes alike; HwsimError if one does not."""
    first, *others = [run(network, design, images) for design in DESIGNS]
    if not all((first == other).all() for other in others):
        raise HwsimError(f"{network.name}: designs disagree about its outputs")
    return first


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

    Bits per weight are those of the formats, metadata included, and as lowered for integer arrays.
    """
    lines = [
        "| network | weights | bits per weight | lowered | float | trained model | fake-quant | hwsim "
        "| largest logit difference |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, seen in digits.recorded().items():
        cells = [
            name, f"{seen['weights']}", f"{seen['bits_per_weight']:.2f}", "-", _percent(seen["float"]),
            _percent(seen["trained"]),
        ]  # fmt: skip
        if name in digits.networks():
            network = digits.load(name)
            cells[3] = f"{lowered_bits_per_weight(network):.2f}"
            cells += [
                _percent(seen["fake_quant"]), _percent(hwsim_accuracy(network)), f"{seen['max_logit_difference']:.2g}"
            ]  # fmt: skip
        else:
            cells += ["-", "-", "-"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
