"""PyTorch's own transformer modules, written out in layers that can be traced and quantized."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwsim.errors import ExportError
from hwsim.torch import attention


def replace_modules(model: nn.Module) -> nn.Module:
    """``model`` with PyTorch's attention and encoder modules replaced by those of this file, in place.

    If it is one itself, what replaces it. Layers keep their paths, so that overrides name them as in the model.
    """
    for path, module in list(model.named_modules()):
        build = REPLACEMENTS.get(type(module))
        if build is None:
            continue
        if path:
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, build(module, path))
        else:
            model = build(module, path)
    return model


def _refuse_masks(path: str, **masks: Any) -> None:
    for name, mask in masks.items():
        if mask is not None:
            raise ExportError(f"{path}: {name} is not supported: it differs between samples; cut them to one length")


class Attention(nn.Module):
    """`torch.nn.MultiheadAttention` (batch first) of four linear layers, matmuls, a mask and softmax."""

    def __init__(self, source: nn.MultiheadAttention, path: str) -> None:
        super().__init__()
        if not source.batch_first or source.in_proj_weight is None or source.bias_k is not None or source.add_zero_attn:
            raise ExportError(
                f"{path}: operator MultiheadAttention: only batch_first=True with queries, keys and values of one "
                "width, without add_bias_kv and add_zero_attn, is supported"
            )
        self.path = path
        self.heads, self.width = source.num_heads, source.head_dim
        weights = source.in_proj_weight.detach().chunk(3)
        biases = (None,) * 3 if source.in_proj_bias is None else source.in_proj_bias.detach().chunk(3)
        self.q_proj, self.k_proj, self.v_proj = (_linear(w, b) for w, b in zip(weights, biases, strict=True))
        self.out_proj = _linear(source.out_proj.weight.detach(), source.out_proj.bias)

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, key_padding_mask: Any = None,
        need_weights: bool = True, attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[torch.Tensor, None]:  # fmt: skip
        """The result, and None for the attention weights. ``is_causal`` is a hint about ``attn_mask``."""
        _refuse_masks(self.path, key_padding_mask=key_padding_mask)
        if is_causal and attn_mask is None:
            raise ExportError(f"{self.path}: operator MultiheadAttention: is_causal needs attn_mask")
        q, k, v = self.split(self.q_proj(query)), self.split(self.k_proj(key)), self.split(self.v_proj(value))
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(self.width)
        if attn_mask is not None:
            scores = attention.excluded(scores, attn_mask)
        mixed = torch.matmul(functional.softmax(scores, dim=-1), v).transpose(1, 2)
        return self.out_proj(mixed.reshape(mixed.size(0), mixed.size(1), self.heads * self.width)), None

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, heads * width] as [batch, heads, tokens, width]."""
        return x.reshape(x.size(0), x.size(1), self.heads, self.width).transpose(1, 2)


class EncoderLayer(nn.Module):
    """`torch.nn.TransformerEncoderLayer` in evaluation mode."""

    def __init__(self, source: nn.TransformerEncoderLayer, path: str) -> None:
        super().__init__()
        self.path = path
        self.self_attn: nn.Module = source.self_attn
        self.linear1, self.linear2 = source.linear1, source.linear2
        self.norm1, self.norm2 = source.norm1, source.norm2
        self.norm_first = source.norm_first
        self.activation: Callable[[torch.Tensor], torch.Tensor] = source.activation

    def forward(
        self, src: torch.Tensor, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> torch.Tensor:
        """As `torch.nn.TransformerEncoderLayer`; ``is_causal`` is a hint about ``src_mask``."""
        _refuse_masks(self.path, src_key_padding_mask=src_key_padding_mask)
        if self.norm_first:
            x = src + self.attend(self.norm1(src), src_mask)
            return x + self.feed_forward(self.norm2(x))
        x = self.norm1(src + self.attend(src, src_mask))
        return self.norm2(x + self.feed_forward(x))

    def attend(self, x: torch.Tensor, mask: Any) -> torch.Tensor:
        """Self-attention."""
        return self.self_attn(x, x, x, attn_mask=mask)[0]

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        """The two linear layers."""
        return self.linear2(self.activation(self.linear1(x)))


class Encoder(nn.Module):
    """`torch.nn.TransformerEncoder`; its layers are replaced on their own."""

    def __init__(self, source: nn.TransformerEncoder, path: str) -> None:
        super().__init__()
        self.path = path
        self.layers, self.norm = source.layers, source.norm

    def forward(
        self, src: torch.Tensor, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> torch.Tensor:
        """As `torch.nn.TransformerEncoder`; ``is_causal`` is a hint about ``mask``."""
        _refuse_masks(self.path, src_key_padding_mask=src_key_padding_mask)
        for layer in self.layers:
            src = layer(src, mask)
        return src if self.norm is None else self.norm(src)


REPLACEMENTS: dict[type[nn.Module], Callable[[Any, str], nn.Module]] = {
    nn.TransformerEncoder: Encoder, nn.TransformerEncoderLayer: EncoderLayer, nn.MultiheadAttention: Attention,
}  # fmt: skip


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device=weight.device, dtype=weight.dtype)
    layer.weight.data = weight.clone()
    if bias is not None:
        layer.bias.data = bias.detach().clone()
    return layer
