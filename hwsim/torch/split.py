"""Binary layers split over their inputs for crossbars: a batch norm and a sign per group, a majority, straight-through.

Kim, Kim, Kim, "Neural Network-Hardware Co-design for Scalable RRAM-based BNN Accelerators", arXiv 1811.02187.
"""

import math
from typing import Self

import torch
from torch import nn
from torch.nn import functional

from hwsim.splitting import splits
from hwsim.torch.modules import QuantConv2d, Sign
from hwsim.torch.weights import WeightFormat

UNSCALED = {"format": "binary", "scale": "one"}


class Split(nn.Module):
    """Base of split layers: weights of ±1 [splits * outputs, inputs / splits], a batch norm for each row, signs, and
    their majority, a tie being +1.

    The gradient of the majority goes to every group. ``sense_noise`` is the standard deviation of a sense amplifier's
    noise in currents of one cell: in training a bit is 1 with probability Phi((I - Iref) / noise).
    """

    def __init__(self, inputs: int, outputs: int, rows: int, norm: nn.Module, sense_noise: float) -> None:
        super().__init__()
        if not (math.isfinite(sense_noise) and sense_noise >= 0):
            raise ValueError(f"sense_noise {sense_noise!r} is not a standard deviation, 0 or more")
        self.splits = splits(inputs, rows)
        self.outputs = outputs
        self.weight = nn.Parameter(torch.empty(self.splits * outputs, inputs // self.splits))
        nn.init.uniform_(self.weight, -1, 1)
        self.norm = norm
        self.sign = Sign()
        self.sense_noise = sense_noise
        self.weight_format = WeightFormat.parse(UNSCALED)

    def weights(self) -> torch.Tensor:
        """±1 [splits, outputs, inputs / splits]."""
        return self.sign(self.weight).reshape(self.splits, self.outputs, -1)

    def noisy(self, sums: torch.Tensor) -> torch.Tensor:
        """Sums as the amplifiers see them: a match more is a current of one cell, and two in the sum."""
        if not (self.training and self.sense_noise):
            return sums
        return sums + 2 * self.sense_noise * torch.randn_like(sums)

    def merge(self, bits: torch.Tensor) -> torch.Tensor:
        """The majority of ``bits`` [batch, splits * outputs, ...]."""
        total = bits.unflatten(1, (self.splits, self.outputs)).sum(dim=1)
        return total + (torch.where(total >= 0, 1.0, -1.0).to(total.dtype) - total).detach()

    def adopt(self, weight: torch.Tensor, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        """Takes the weights [outputs, inputs] of an unsplit layer; each group its share of the threshold."""
        groups = weight.detach().reshape(self.outputs, self.splits, -1).transpose(0, 1)
        self.weight.data.copy_(groups.reshape(self.weight.shape))
        own = self.norm
        assert isinstance(own, nn.BatchNorm1d | nn.BatchNorm2d)
        own.eps = norm.eps / self.splits

        def shared(value: torch.Tensor, divisor: float) -> torch.Tensor:
            return value.detach().div(divisor).repeat(self.splits)

        assert own.running_mean is not None
        assert own.running_var is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        own.running_mean.copy_(shared(norm.running_mean, self.splits))
        own.running_var.copy_(shared(norm.running_var, self.splits))
        own.weight.data.copy_(shared(norm.weight, 1))
        own.bias.data.copy_(shared(norm.bias, math.sqrt(self.splits)))

    def extra_repr(self) -> str:
        """The groups."""
        return f"outputs={self.outputs}, splits={self.splits} of {self.weight.shape[1]} inputs"


class SplitLinear(Split):
    """In place of a binary linear layer, its batch norm and its `Sign`: ±1 [batch, outputs] of ±1 [batch, inputs].

    FormatError, naming sizes that work, if ``inputs`` do not divide into even groups of at most ``rows``.
    """

    def __init__(self, inputs: int, outputs: int, rows: int, *, sense_noise: float = 0.0) -> None:
        super().__init__(inputs, outputs, rows, nn.BatchNorm1d(splits(inputs, rows) * outputs), sense_noise)

    @classmethod
    def of(cls, layer: nn.Linear, norm: nn.BatchNorm1d, rows: int, *, sense_noise: float = 0.0) -> Self:
        """From an unsplit layer and the batch norm behind it."""
        split = cls(layer.in_features, layer.out_features, rows, sense_noise=sense_noise)
        split.adopt(layer.weight, norm)
        return split

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        groups = x.unflatten(1, (self.splits, -1))
        sums = torch.einsum("bsk,snk->bsn", groups, self.weights()).flatten(1)
        return self.merge(self.sign(self.norm(self.noisy(sums))))


class SplitConv2d(Split):
    """In place of a binary convolution, max pooling of its sums, batch norm and `Sign`.

    The inputs (channels, *kernel) are cut into even groups of at most ``rows``; sums are pooled within each group over
    windows of ``pool`` before its batch norm. ``pad_value`` is +1 or -1.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, rows: int, *, stride: int = 1, padding: int = 0,
        dilation: int = 1, pool: int = 1, pad_value: float = -1.0, sense_noise: float = 0.0,
    ) -> None:  # fmt: skip
        inputs = in_channels * kernel_size**2
        norm = nn.BatchNorm2d(splits(inputs, rows) * out_channels)
        super().__init__(inputs, out_channels, rows, norm, sense_noise)
        if pad_value not in (-1, 1):
            raise ValueError(f"pad_value {pad_value!r} is neither -1 nor 1")
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.pool, self.pad_value = pool, pad_value

    @classmethod
    def of(
        cls, layer: QuantConv2d, norm: nn.BatchNorm2d, rows: int, *, pool: int = 1, sense_noise: float = 0.0
    ) -> Self:  # fmt: skip
        """From an unsplit layer and the batch norm behind it and its pooling."""
        square = all(len(set(size)) == 1 for size in (layer.kernel_size, layer.stride, layer.padding, layer.dilation))
        if not square or layer.groups != 1:
            raise ValueError("SplitConv2d.of: only square convolutions without groups are split")
        split = cls(
            layer.in_channels, layer.out_channels, layer.kernel_size[0], rows, stride=layer.stride[0],
            padding=int(layer.padding[0]), dilation=layer.dilation[0], pool=pool, pad_value=layer.pad_value or -1.0,
            sense_noise=sense_noise,
        )  # fmt: skip
        split.adopt(layer.weight.flatten(1), norm)
        return split

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """±1 [batch, out_channels, *out] of ±1 [batch, in_channels, height, width]."""
        padded = functional.pad(x, (self.padding,) * 4, value=self.pad_value)
        columns = functional.unfold(padded, self.kernel_size, self.dilation, 0, self.stride)
        groups = columns.unflatten(1, (self.splits, -1))
        sums = torch.einsum("bskl,snk->bsnl", groups, self.weights()).flatten(1, 2)
        height, width = (
            (size - self.dilation * (self.kernel_size - 1) - 1) // self.stride + 1 for size in padded.shape[2:]
        )
        pooled = functional.max_pool2d(self.noisy(sums.unflatten(2, (height, width))), self.pool)
        return self.merge(self.sign(self.norm(pooled)))
