"""The weight format of a layer: what a user writes, and the QTensor it gives."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import torch

from hwsim.errors import FormatError
from hwsim.formats import find, quantize
from hwsim.lowering import lower
from hwsim.qtensor import QTensor

Weights = str | Mapping[str, Any]
"""A format's name, or ``{"format": name, **parameters}``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightFormat:
    """A number format and its parameters, as `hwsim.quantize` takes them."""

    format: str
    params: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def parse(cls, weights: Weights) -> Self:
        """FormatError if ``weights`` names no format."""
        if not isinstance(weights, str | Mapping):
            raise FormatError(f"weights must be a format's name or a mapping with 'format', not {weights!r}")
        data = {"format": weights} if isinstance(weights, str) else dict(weights)
        name = data.pop("format", None)
        if not isinstance(name, str):
            raise FormatError(f"weights name no format: {weights!r}")
        if find(name).complex:
            raise FormatError(f"format {name!r} is of complex weights, those of a layer are real; use bitnet158")
        return cls(format=name, params=tuple(data.items()))

    def stored(self, weight: torch.Tensor) -> QTensor:
        """The QTensor of ``weight`` [N, ...] as the format stores it."""
        real = weight.detach().cpu()
        real = real.float() if real.dtype == torch.bfloat16 else real  # which NumPy does not have
        return quantize(real.numpy(), self.format, **dict(self.params))

    def quantize(self, weight: torch.Tensor) -> QTensor:
        """The lowered QTensor of ``weight`` [N, ...]: what hardware multiplies by."""
        return lower(self.stored(weight))

    def __str__(self) -> str:
        return ", ".join([self.format, *(f"{key}={value}" for key, value in self.params)])
