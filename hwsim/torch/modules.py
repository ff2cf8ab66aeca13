"""Modules that compute with quantized weights and binary activations, and still train.

Forward passes see exactly what export writes; gradients pass straight through
(Bengio et al., arXiv 1308.3432).
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwsim.torch.weights import WeightFormat, Weights


class _StraightThrough(torch.autograd.Function):
    """Returns its second argument; the gradient goes to the first."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class _StraightThroughSign(torch.autograd.Function):
    """+1 where x >= 0, else -1; the gradient passes where |x| <= 1."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0] * (x.abs() <= 1)


class Sign(nn.Module):
    """Binary activation: +1 where x >= 0, else -1.

    The gradient passes straight through where |x| <= 1 (Courbariaux et al., arXiv
    1602.02830). After a batch norm it is exported as an exact integer threshold.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """±1 of the shape and dtype of ``x``."""
        return _StraightThroughSign.apply(x)


class QuantLinear(nn.Linear):
    """`torch.nn.Linear` that multiplies by its quantized weights.

    ``weights`` is a format's name or ``{"format": name, **parameters}``, as in `export`,
    which writes the very codes that the forward pass decodes.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, weights: Weights) -> None:
        super().__init__(in_features, out_features, bias)
        self.weight_format = WeightFormat.parse(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As `torch.nn.Linear`, with the decoded weights."""
        return functional.linear(x, decoded(self.weight, self.weight_format), self.bias)

    def extra_repr(self) -> str:
        """The layer's sizes and weight format."""
        return f"{super().extra_repr()}, weights=({self.weight_format})"


class QuantConv2d(nn.Conv2d):
    """`torch.nn.Conv2d` that multiplies by its quantized weights; see `QuantLinear`.

    ``pad_value`` is what padding contributes. Hardware with ±1 activations has no 0, so
    layers behind a `Sign` pad with +1 or -1.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1, groups: int = 1, bias: bool = True,
        *, weights: Weights, pad_value: float = 0.0,
    ) -> None:  # fmt: skip
        if isinstance(padding, str):
            raise TypeError(f"QuantConv2d: padding must be whole numbers, not {padding!r}")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.weight_format = WeightFormat.parse(weights)
        self.pad_value = pad_value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As `torch.nn.Conv2d`, with the decoded weights and ``pad_value``."""
        rows, columns = map(int, self.padding)
        padded = functional.pad(x, (columns, columns, rows, rows), value=self.pad_value)
        weight = decoded(self.weight, self.weight_format)
        return functional.conv2d(padded, weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """The layer's sizes, weight format and padding value."""
        return f"{super().extra_repr()}, weights=({self.weight_format}), pad_value={self.pad_value}"


def decoded(weight: torch.Tensor, weight_format: WeightFormat) -> torch.Tensor:
    """The values that hardware multiplies by, with the gradient of ``weight``."""
    value = torch.tensor(weight_format.quantize(weight).dequantize(), dtype=weight.dtype, device=weight.device)
    return _StraightThrough.apply(weight, value)
