"""A PyTorch model whose matrix products are those of a datapath, bit for bit."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from hwsim.array_datapath import ArrayDatapath
from hwsim.design import Design
from hwsim.errors import DesignError, ExportError, FormatError
from hwsim.floating import FloatDatapath
from hwsim.formats import quantize
from hwsim.integer import IntegerDatapath
from hwsim.lowering import lower
from hwsim.minifloat import Minifloat
from hwsim.operators.attention import OPERAND_BITS, operand
from hwsim.torch import attention
from hwsim.torch.replacements import replace_modules


def emulate(
    model: nn.Module, design: Design, *, weights: str | None = None, gain: float = 1.0, group_size: int | None = None
) -> nn.Module:
    """A copy of ``model`` that multiplies matrices as ``design`` does; everything else stays PyTorch's.

    Linear layers, convolutions of one and two axes, ``matmul``, ``bmm``, ``@`` and attention run on the datapath,
    with the design's overrides by module path. Operands take its numbers: activations one scale per tensor (the
    largest magnitude becomes the largest number), weights one per output channel; formats of 16 bits none. With
    ``group_size`` both have one per so many consecutive k instead, on floating-point datapaths: the groups' sums
    leave the array and are scaled and added in float64. Integer datapaths multiply activations of
    ``activation_bits`` with weights of format ``weights`` (``int<weight_bits>`` unless it is given). Sums are divided
    by ``gain``, which a layer's scale would hold. Forward only.

    Raises DesignError for datapaths that compute no values, ExportError (when called) for products of
    tensors that it does not know, FormatError for what the datapath does not take.
    """
    for each in (design, *(design.layer(name) for name, _ in model.named_modules())):
        if not isinstance(each.datapath, ArrayDatapath):
            raise DesignError(f"{each.datapath.name()} is a cost-only rule: it computes no values")
        if group_size is not None and not isinstance(each.datapath, FloatDatapath):
            raise DesignError(f"{each.datapath.name()}: group_size is for floating-point datapaths; use weights='...'")
    if group_size is not None and group_size < 1:
        raise DesignError(f"group_size {group_size} is not positive")
    if not (math.isfinite(gain) and gain > 0):
        raise DesignError(f"gain {gain} is not finite and positive")
    inner = replace_modules(copy.deepcopy(model).eval())
    return Emulation(inner, _Products(design, weights, gain, group_size))


class Emulation(nn.Module):
    """What `emulate` returns; ``model`` is the copy."""

    def __init__(self, model: nn.Module, products: "_Products") -> None:
        super().__init__()
        self.model = model
        self._mode = products
        for name, module in model.named_modules():
            module.register_forward_pre_hook(lambda _, __, name=name: self._mode.path.append(name))
            module.register_forward_hook(lambda _, __, ___: self._mode.leave(), always_call=True)

    @torch.no_grad()
    def forward(self, *inputs: Any, **named: Any) -> Any:
        """As the model's."""
        with self._mode:
            return self.model(*inputs, **named)


class _Products(TorchFunctionMode):
    """Sends products of tensors to the datapath of the module that makes them."""

    def __init__(self, design: Design, weights: str | None, gain: float, group_size: int | None) -> None:
        super().__init__()
        self.path: list[str] = []
        self._design, self._weights, self._gain, self._group_size = design, weights, gain, group_size

    def leave(self) -> None:
        """A module returned."""
        self.path.pop()

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in REFUSED:
            raise ExportError(f"{self._name}: operator {getattr(func, '__name__', func)} is not emulated")
        handler = HANDLERS.get(func)
        if handler is None:
            return func(*args, **kwargs)
        return handler(self, *args, **kwargs)

    @property
    def _name(self) -> str:
        return self.path[-1] if self.path else ""

    def _multiply(self, x: torch.Tensor, w: torch.Tensor, static: bool) -> torch.Tensor:
        """[M, N] of real [M, K] and [N, K]."""
        datapath = self._design.layer(self._name).datapath
        a, b = (each.detach().to(torch.float64).cpu().numpy() for each in (x, w))
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise FormatError(f"{self._name}: an operand holds NaN or infinity")
        if isinstance(datapath, FloatDatapath):
            grouped = self._group_size is not None
            step = self._group_size or max(1, a.shape[1])
            parts = [slice(k, k + step) for k in range(0, a.shape[1], step)]
            y = sum(
                (_floating(datapath, a[:, part], b[:, part], grouped, grouped or static) for part in parts),
                np.zeros((len(a), len(b))),
            )
        else:
            assert isinstance(datapath, IntegerDatapath)
            y = _integer(datapath, a, b, self._weights if static else None, static)
        return torch.from_numpy(y / self._gain).to(device=x.device, dtype=x.dtype)

    def linear(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """As `torch.nn.functional.linear`."""
        y = self._multiply(x.reshape(-1, x.shape[-1]), weight, static=True)
        y = y.reshape(*x.shape[:-1], len(weight))
        return y if bias is None else y + bias

    def matmul(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """As `torch.matmul`."""
        if x.dim() < 2 or w.dim() < 2:
            raise ExportError(f"{self._name}: operator matmul of a vector is not emulated")
        leading = torch.broadcast_shapes(x.shape[:-2], w.shape[:-2])
        rows = x.expand(*leading, *x.shape[-2:]).reshape(-1, *x.shape[-2:])
        columns = w.expand(*leading, *w.shape[-2:]).reshape(-1, *w.shape[-2:]).transpose(1, 2)
        parts = [self._multiply(a, b, static=False) for a, b in zip(rows, columns, strict=True)]
        return torch.stack(parts).reshape(*leading, x.shape[-2], w.shape[-1])

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> torch.Tensor:  # fmt: skip
        """As `torch.nn.functional.scaled_dot_product_attention`."""
        if dropout_p or enable_gqa:
            raise ExportError(f"{self._name}: attention with dropout_p or enable_gqa is not emulated")
        scores = self.matmul(query, key.transpose(-2, -1)) * (scale or 1 / math.sqrt(query.shape[-1]))
        if attn_mask is not None:
            scores = attention.masked(scores, attn_mask)
        if is_causal:
            scores = attention.causal(scores)
        return self.matmul(functional.softmax(scores, dim=-1), value)

    def convolve(
        self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1,
    ) -> torch.Tensor:  # fmt: skip
        """As `torch.nn.functional.conv2d`, or ``conv1d``."""
        axes = weight.dim() - 2
        if isinstance(padding, str):
            raise ExportError(f"{self._name}: convolution padding {padding!r} is not emulated; give numbers")
        if x.dim() != weight.dim():
            return self.convolve(x[None], weight, bias, stride, padding, dilation, groups)[0]
        sizes = [_per_axis(each, axes) for each in (stride, padding, dilation)]
        if axes == 1:
            x, weight = x.unsqueeze(-2), weight.unsqueeze(-2)
            sizes = [(first, *each) for first, each in zip((1, 0, 1), sizes, strict=True)]
        (stride, padding, dilation), kernel = sizes, weight.shape[2:]
        columns = functional.unfold(x, kernel, dilation, padding, stride)
        out = [
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, p, d, k, s in zip(x.shape[2:], padding, dilation, kernel, stride, strict=True)
        ]
        rows = columns.transpose(1, 2).reshape(-1, groups, weight[0].numel())
        filters = weight.reshape(groups, len(weight) // groups, -1)
        y = torch.cat([self._multiply(rows[:, g], filters[g], static=True) for g in range(groups)], dim=1)
        y = y.reshape(len(x), *out, len(weight)).permute(0, 3, 1, 2)
        if axes == 1:
            y = y.squeeze(-2)
        return y if bias is None else y + bias.reshape(-1, *[1] * axes)


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    return (
        tuple(value) if isinstance(value, (tuple, list)) and len(value) == axes else (int(np.ravel(value)[0]),) * axes
    )


def _floating(datapath: FloatDatapath, x: np.ndarray, w: np.ndarray, x_own: bool, w_own: bool) -> np.ndarray:
    """float64[M, N]: codes of both operands, multiplied, scales applied; rows have scales of their own, or one."""
    kind = datapath.kind
    x_scale, w_scale = (_row_scales(each, own, kind) for each, own in ((x, x_own), (w, w_own)))
    codes = [kind.encode(each / scale[:, None], signed_zero=False) for each, scale in ((x, x_scale), (w, w_scale))]
    values = [np.abs(kind.decode(each)).max(initial=0) for each in codes]
    division = datapath.least_division(float(values[0] * values[1]))
    datapath.check_length(w.shape[1])
    sums = datapath.sums(codes[0], codes[1], division).astype(np.float64)
    exponent = division + (datapath.product_exponent if datapath.accumulation == "fixed" else 0)
    return np.ldexp(sums, exponent) * x_scale[:, None] * w_scale


def _row_scales(values: np.ndarray, own: bool, kind: Minifloat) -> np.ndarray:
    """[rows]: what takes each row's values, or all, to the format's range; 1 for formats of 16 bits."""
    if kind.bits >= 16:
        return np.ones(len(values))
    largest = np.abs(values).max(axis=1 if own else None, initial=0)
    return np.broadcast_to(_scale(largest, kind.max), len(values))


def _integer(datapath: IntegerDatapath, x: np.ndarray, w: np.ndarray, weights: str | None, static: bool) -> np.ndarray:
    """float64[M, N]: integers of both operands, multiplied, scales applied."""
    most = (1 << (datapath.activation_bits - 1)) - 1
    x_scale = _scale(np.abs(x).max(initial=0), most)
    if static:
        q = lower(quantize(w.astype(np.float32), weights or f"int{min(datapath.weight_bits, 8)}"))
        w_scale = q.channel_scale.astype(np.float64)
    else:
        bits = min(OPERAND_BITS, datapath.weight_bits)
        scale = _scale(np.abs(w).max(initial=0), (1 << (bits - 1)) - 1)
        q, w_scale = operand(np.rint(w / scale).astype(np.int64), bits), np.broadcast_to(scale, len(w))
    return datapath.matmul(np.rint(x / x_scale).astype(np.int64), q).astype(np.float64) * x_scale * w_scale


def _scale(largest: Any, limit: float) -> np.ndarray:
    """What takes ``largest`` to ``limit``; 1 for nothing but zeros."""
    return np.where(np.asarray(largest) > 0, np.asarray(largest) / limit, 1.0)


HANDLERS: dict[Any, Callable[..., torch.Tensor]] = {
    functional.linear: _Products.linear,
    torch.matmul: _Products.matmul, torch.Tensor.matmul: _Products.matmul, torch.Tensor.__matmul__: _Products.matmul,
    torch.bmm: _Products.matmul, torch.Tensor.bmm: _Products.matmul, torch.mm: _Products.matmul,
    torch.Tensor.mm: _Products.matmul, functional.scaled_dot_product_attention: _Products.attend,
    functional.conv1d: _Products.convolve, functional.conv2d: _Products.convolve,
}  # fmt: skip
REFUSED = {
    torch.einsum, torch.addmm, torch.baddbmm, torch.addbmm, torch.tensordot, torch.mv, torch.dot,
    functional.bilinear, functional.conv3d, functional.conv_transpose1d, functional.conv_transpose2d,
    functional.conv_transpose3d, functional.multi_head_attention_forward,
}  # fmt: skip
"""Products of tensors that would otherwise silently stay PyTorch's."""
