"""One traced call: what translations to steps read of it, and how they refuse it."""

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from hwsim.errors import ExportError
from hwsim.qtensor import QTensor
from hwsim.torch.graph import Step

SUPPORTED = (
    "Linear, Conv1d/2d, BatchNorm1d/2d, ReLU, ReLU6, Hardtanh, max, average and adaptive pooling, flatten, "
    "reshape, add, cat on dim 1, Dropout, Identity, hwsim.torch.QuantLinear/QuantConv2d/SplitLinear/SplitConv2d/Sign; "
    "of transformers matmul, "
    "scaled_dot_product_attention, MultiheadAttention, TransformerEncoder and its layers, softmax with constant masks, "
    "LayerNorm, GELU, Embedding, transpose, permute, slices, chunk, split, unbind, mean, adding or joining constants, "
    "multiplying and dividing by a positive number"
)
Translated = Step | None
"""A step, or None for a call that passes its input on."""


def unsupported(path: str, name: str) -> ExportError:
    """The error for an operator that export does not know."""
    return ExportError(f"{path}: operator {name} is not supported; supported: {SUPPORTED}")


@dataclasses.dataclass(kw_only=True)
class Call:
    """One call in a traced model.

    Attributes:
        operands: the nodes whose tensors the step reads; filled in by `translate`.
        weight: of a product, quantized.
        shapes: of every tensor, with the batch axis.
        constants: tensors and numbers that do not depend on the samples.
        parts: shapes of the results of calls with several.
        moved: tensors whose batch axis is 1 instead of 0.
    """

    node: fx.Node
    path: str
    operator: str
    module: nn.Module | None
    weight: QTensor | None
    shapes: dict[str, tuple[int, ...]]
    constants: dict[str, Any]
    output: tuple[int, ...]
    parts: dict[str, list[tuple[int, ...]]] = dataclasses.field(default_factory=dict)
    moved: set[str] = dataclasses.field(default_factory=set)
    operands: list[fx.Node] = dataclasses.field(default_factory=list)

    def refuse(self, problem: str) -> ExportError:
        """An error that names the call."""
        return ExportError(f"{self.path}: operator {self.operator}: {problem}")

    def option(self, name: str, index: int, default: Any = None) -> Any:
        """A module's attribute, or a function's argument by position or name."""
        if self.module is not None:
            return getattr(self.module, name, default)
        return self.node.args[index] if len(self.node.args) > index else self.node.kwargs.get(name, default)

    def value(self, term: Any) -> Any:
        """``term``, or the constant that it stands for."""
        return self.constants.get(term.name) if isinstance(term, fx.Node) else term

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first operand, with the batch axis."""
        return self.shapes[self.operands[0].name]

    def spatial(self, value: Any, rank: int) -> tuple[int, ...]:
        """``value`` per spatial axis."""
        return tuple(value) if isinstance(value, tuple | list) and len(value) == rank else (_only(value),) * rank


def _only(value: Any) -> int:
    return int(value[0]) if isinstance(value, tuple | list) else int(value)


def array(tensor: torch.Tensor) -> np.ndarray:
    """float64 copy of a tensor."""
    return tensor.detach().cpu().double().numpy()
