"""Small binary networks with split layers, drawn at random."""

import numpy as np

from hwsim.codebook import Codebook
from hwsim.network import Network, Node
from hwsim.operators import Conv, Flatten, Input, Linear, SplitConv, SplitLinear
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer


def signs(rng, n, k):
    """Lowered weights of ±1 [n, k]."""
    return QTensor(
        format="binary", shape=(n, k), codes=rng.integers(0, 2, (n, k)).astype(np.uint8),
        codebook=Codebook.of([-1, 1], 1), group_size=k, scale=np.ones((n, 1), np.int32),
        channel_scale=np.ones(n, np.float32),
    )  # fmt: skip


def thresholds(rng, n, k):
    """Thresholds near the middle, some exactly reached, some beyond every sum; some inverted."""
    bias = rng.integers(-k // 3 - 1, k // 3 + 2, n)
    bias[rng.random(n) < 0.1] = k + 1
    return Quantizer.sign(bias, rng.random(n) < 0.4)


def linear_network(rng, inputs=24, hidden=12, splits=3, outputs=5):
    """±1 of an int8 layer, a split layer, a head."""
    return Network(
        name="split", output_scale=1.0,
        nodes=(
            Node(name="input", operator=Input(shape=(7,), scale=1.0, low=-9, high=9)),
            Node(name="first", inputs=("input",),
                 operator=Linear(weight=signs(rng, inputs, 7), quantizer=thresholds(rng, inputs, 7))),
            Node(name="hidden", inputs=("first",),
                 operator=SplitLinear(weight=signs(rng, splits * hidden, inputs // splits), splits=splits,
                                      quantizer=thresholds(rng, splits * hidden, inputs // splits))),
            Node(name="head", inputs=("hidden",),
                 operator=Linear(weight=signs(rng, outputs, hidden), quantizer=Quantizer.identity(outputs))),
        ),
    )  # fmt: skip


def conv_network(rng, channels=4, splits=3, pool=(2, 2), padding=(1, 1)):
    """±1 of a convolution, a split convolution whose groups cut through channels, a head."""
    ones = (1, 1)
    k = channels * 9
    conv = SplitConv(
        weight=signs(rng, splits * 5, k // splits), quantizer=thresholds(rng, splits * 5, k // splits), splits=splits,
        kernel=(3, 3), stride=ones, padding=padding, dilation=ones, pool=pool, pad_value=int(rng.choice([-1, 1])),
    )  # fmt: skip
    size = 6 - 2 + 2 * padding[0]
    out = 5 * (size // pool[0]) * (size // pool[1])
    first = signs(rng, channels, 2)
    first = QTensor(
        format="binary", shape=(channels, 2, 1, 1), codes=first.codes, codebook=first.codebook, group_size=2,
        scale=first.scale, channel_scale=first.channel_scale,
    )  # fmt: skip
    return Network(
        name="split_conv", output_scale=1.0,
        nodes=(
            Node(name="input", operator=Input(shape=(2, 6, 6), scale=1.0, low=-9, high=9)),
            Node(name="first", inputs=("input",), operator=Conv(
                weight=first, quantizer=thresholds(rng, channels, 2), stride=ones, padding=(0, 0), dilation=ones)),
            Node(name="hidden", inputs=("first",), operator=conv),
            Node(name="flat", inputs=("hidden",), operator=Flatten()),
            Node(name="head", inputs=("flat",),
                 operator=Linear(weight=signs(rng, 3, out), quantizer=Quantizer.identity(3))),
        ),
    )  # fmt: skip
