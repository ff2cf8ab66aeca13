"""The digits networks as PyTorch modules."""

from torch import Tensor, nn
from torch.nn import functional

from hwsim.torch import QuantConv2d, QuantLinear, Sign, SplitLinear
from hwsim.torch.weights import Weights

UNSCALED: Weights = {"format": "binary", "scale": "one"}
"""Binary weights of exactly ±1; the batch norm behind them carries the scale."""


def linear(inputs: int, outputs: int, weights: Weights | None, *, bias: bool = True) -> nn.Linear:
    """A linear layer; quantized in training if ``weights`` names a format."""
    if weights is None:
        return nn.Linear(inputs, outputs, bias)
    return QuantLinear(inputs, outputs, bias, weights=weights)


def conv(inputs: int, outputs: int, weights: Weights | None, pad_value: float = 0.0) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size; quantized in training if ``weights`` names a format."""
    if weights is None:
        return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return QuantConv2d(inputs, outputs, 3, padding=1, bias=False, weights=weights, pad_value=pad_value)


def activation(binary: bool) -> nn.Module:
    """±1, or its real counterpart."""
    return Sign() if binary else nn.Hardtanh()


class Mlp(nn.Module):
    """64-100-50-10: widths that divide neither arrays nor groups evenly; or others."""

    def __init__(self, weights: Weights | None = None, widths: tuple[int, int] = (100, 50)) -> None:
        super().__init__()
        first, second = widths
        self.first, self.first_norm = linear(64, first, weights), nn.BatchNorm1d(first)
        self.dropout = nn.Dropout(0.3)
        self.second, self.second_norm = linear(first, second, weights), nn.BatchNorm1d(second)
        self.head = linear(second, 10, weights)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [batch, 10] of images [batch, 1, 8, 8]."""
        x = functional.relu(self.first_norm(self.first(x.flatten(1))))
        x = functional.relu(self.second_norm(self.second(self.dropout(x))))
        return self.head(x)


class BinaryMlp(nn.Module):
    """64-256-256-10 with ±1 weights and activations; the input is int8. Real with ``binary=False``."""

    def __init__(self, binary: bool = True) -> None:
        super().__init__()
        hidden, head = (UNSCALED, "binary") if binary else (None, None)
        self.first, self.first_norm = linear(64, 256, hidden, bias=False), nn.BatchNorm1d(256)
        self.second, self.second_norm = linear(256, 256, hidden, bias=False), nn.BatchNorm1d(256)
        self.head, self.head_norm = linear(256, 10, head), nn.BatchNorm1d(10)
        self.activation = activation(binary)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [batch, 10] of images [batch, 1, 8, 8]."""
        x = self.activation(self.first_norm(self.first(x.flatten(1))))
        x = self.activation(self.second_norm(self.second(x)))
        return self.head_norm(self.head(x))


class WideMlp(nn.Module):
    """64-1024-1024-10 with ±1 weights and activations; the input is int8. Real with ``binary=False``.

    Its hidden layer is too wide for one crossbar; see `SplitMlp`.
    """

    def __init__(self, binary: bool = True) -> None:
        super().__init__()
        hidden, head = (UNSCALED, "binary") if binary else (None, None)
        self.first, self.first_norm = linear(64, 1024, hidden, bias=False), nn.BatchNorm1d(1024)
        self.second, self.second_norm = linear(1024, 1024, hidden, bias=False), nn.BatchNorm1d(1024)
        self.head, self.head_norm = linear(1024, 10, head), nn.BatchNorm1d(10)
        self.activation = activation(binary)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [batch, 10] of images [batch, 1, 8, 8]."""
        x = self.activation(self.first_norm(self.first(x.flatten(1))))
        x = self.activation(self.second_norm(self.second(x)))
        return self.head_norm(self.head(x))


class SplitMlp(nn.Module):
    """A `WideMlp` whose hidden layer is split for crossbars of ``rows`` inputs."""

    def __init__(self, whole: WideMlp, rows: int) -> None:
        super().__init__()
        self.first, self.first_norm, self.activation = whole.first, whole.first_norm, whole.activation
        self.second = SplitLinear.of(whole.second, whole.second_norm, rows)
        self.head, self.head_norm = whole.head, whole.head_norm

    def forward(self, x: Tensor) -> Tensor:
        """Logits [batch, 10] of images [batch, 1, 8, 8]."""
        x = self.activation(self.first_norm(self.first(x.flatten(1))))
        return self.head_norm(self.head(self.second(x)))


class Cnn(nn.Module):
    """Convolutions, batch norms, a residual add, max and average pooling; ``head``: weights of the last layer."""

    def __init__(self, weights: Weights | None = None, *, head: Weights | None = None, width: int = 12) -> None:
        super().__init__()
        self.stem, self.stem_norm = conv(1, width, weights), nn.BatchNorm2d(width)
        self.first, self.first_norm = conv(width, width, weights), nn.BatchNorm2d(width)
        self.second, self.second_norm = conv(width, width, weights), nn.BatchNorm2d(width)
        self.wide, self.wide_norm = conv(width, 2 * width, weights), nn.BatchNorm2d(2 * width)
        self.shrink = nn.MaxPool2d(2)
        self.average = nn.AvgPool2d(2)
        self.head = linear(8 * width, 10, head or weights)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [batch, 10] of images [batch, 1, 8, 8]."""
        x = functional.relu(self.stem_norm(self.stem(x)))
        y = functional.relu(self.first_norm(self.first(x)))
        x = functional.relu(x + self.second_norm(self.second(y)))
        x = self.shrink(x)
        x = functional.relu(self.wide_norm(self.wide(x)))
        return self.head(self.average(x).flatten(1))


class BinaryCnn(nn.Module):
    """±1 weights and activations; integer sums of the residual branch are added, then thresholded.

    Real with ``binary=False``.
    """

    def __init__(self, binary: bool = True) -> None:
        super().__init__()
        hidden, head = (UNSCALED, "binary") if binary else (None, None)
        self.stem, self.stem_norm = conv(1, 32, hidden), nn.BatchNorm2d(32)
        self.first, self.first_norm = conv(32, 32, hidden, -1), nn.BatchNorm2d(32)
        self.second, self.sum_norm = conv(32, 32, hidden, -1), nn.BatchNorm2d(32)
        self.wide, self.wide_norm = conv(32, 48, hidden, -1), nn.BatchNorm2d(48)
        self.shrink = nn.MaxPool2d(2)
        self.activation = activation(binary)
        self.head, self.head_norm = linear(192, 10, head), nn.BatchNorm1d(10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [batch, 10] of images [batch, 1, 8, 8]."""
        x = self.activation(self.stem_norm(self.stem(x)))
        sums = self.first(x)
        y = self.activation(self.first_norm(sums))
        x = self.activation(self.sum_norm(sums + self.second(y)))
        x = self.shrink(x)
        x = self.activation(self.wide_norm(self.wide(x)))
        return self.head_norm(self.head(self.shrink(x).flatten(1)))
