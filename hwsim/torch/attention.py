"""Attention as the operators that it is made of, so that it can be traced and quantized."""

import math
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from hwsim.errors import ExportError


def root_of_width(x: torch.Tensor) -> float:
    """Square root of the last axis: what scores are divided by."""
    return math.sqrt(x.shape[-1])


def expand(traced: fx.GraphModule) -> None:
    """Replaces every ``scaled_dot_product_attention`` by two matmuls and a softmax."""
    for node in list(traced.graph.nodes):
        if node.target is not functional.scaled_dot_product_attention:
            continue
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        for name in ("attn_mask", "dropout_p", "is_causal", "enable_gqa"):
            if given.get(name):
                raise ExportError(f"{node.name}: operator scaled_dot_product_attention: {name} is not supported")
        with traced.graph.inserting_before(node):
            call = traced.graph.call_function
            scores = call(torch.matmul, (given["query"], call(torch.transpose, (given["key"], -2, -1))))
            if given.get("scale") is None:
                scaled = call(torch.div, (scores, call(root_of_width, (given["query"],))))
            else:
                scaled = call(torch.mul, (scores, given["scale"]))
            result = call(torch.matmul, (call(functional.softmax, (scaled,), {"dim": -1}), given["value"]))
        node.replace_all_uses_with(result)
        traced.graph.erase_node(node)
    traced.recompile()


def replace_modules(model: nn.Module) -> None:
    """Replaces every `torch.nn.MultiheadAttention` below ``model`` by `Attention`, in place."""
    for path, module in list(model.named_modules()):
        if type(module) is nn.MultiheadAttention and path:
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, Attention(module, path))


class Attention(nn.Module):
    """`torch.nn.MultiheadAttention` (batch first, without masks) of four linear layers, matmuls and softmax."""

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
        """The result, and None for the attention weights."""
        if key_padding_mask is not None or attn_mask is not None or is_causal:
            raise ExportError(f"{self.path}: operator MultiheadAttention: masks are not supported")
        q, k, v = self.split(self.q_proj(query)), self.split(self.k_proj(key)), self.split(self.v_proj(value))
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(self.width)
        mixed = torch.matmul(functional.softmax(scores, dim=-1), v).transpose(1, 2)
        return self.out_proj(mixed.reshape(mixed.size(0), mixed.size(1), self.heads * self.width)), None

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, heads * width] as [batch, heads, tokens, width]."""
        return x.reshape(x.size(0), x.size(1), self.heads, self.width).transpose(1, 2)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device=weight.device, dtype=weight.dtype)
    layer.weight.data = weight.clone()
    if bias is not None:
        layer.bias.data = bias.detach().clone()
    return layer
