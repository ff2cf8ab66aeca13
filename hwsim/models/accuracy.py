"""Accuracy of the shipped networks through the hardware's arithmetic; needs no PyTorch."""

import numpy as np

from hwsim import digits
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.datapaths.mac import Mac
from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.inference import run
from hwsim.network import Network

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


def bits_per_weight(network: Network) -> float:
    """Stored bits per weight, group and channel scales included."""
    bits = weights = 0
    for node in network.matmuls():
        w = node.operator.weight  # type: ignore[attr-defined]
        bits += w.storage_bits
        weights += w.codes.size
    return bits / weights


def table() -> str:
    """Markdown: what training recorded beside the accuracy computed now from the shipped files."""
    recorded = digits.recorded()
    lines = [
        "| network | weights | bits per weight | float | trained model | fake-quant | hwsim "
        "| largest logit difference |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in digits.networks():
        network, seen = digits.load(name), recorded[name]
        count = sum(node.operator.weight.codes.size for node in network.matmuls())  # type: ignore[attr-defined]
        cells = [
            name, f"{count}", f"{bits_per_weight(network):.2f}", _percent(seen["float"]), _percent(seen["trained"]),
            _percent(seen["fake_quant"]), _percent(hwsim_accuracy(network)), f"{seen['max_logit_difference']:.2g}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
