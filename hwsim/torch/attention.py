"""Attention as the operators that it is made of, so that it can be traced and quantized."""

import math

import torch
from torch import fx
from torch.nn import functional

from hwsim.errors import ExportError


def root_of_width(x: torch.Tensor) -> float:
    """Square root of the last axis: what scores are divided by."""
    return math.sqrt(x.shape[-1])


@fx.wrap
def masked(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Scores [..., T, S] plus a mask; where a boolean one is False they become -inf."""
    return scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask


@fx.wrap
def excluded(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`masked` with booleans the other way round, as `torch.nn.MultiheadAttention` has them: True is -inf."""
    return masked(scores, ~mask if mask.dtype == torch.bool else mask)


@fx.wrap
def causal(scores: torch.Tensor) -> torch.Tensor:
    """Scores [..., T, S] with -inf where a token would see a later one."""
    return masked(scores, torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril())


def expand(traced: fx.GraphModule) -> None:
    """Replaces every ``scaled_dot_product_attention`` by two matmuls, a mask and a softmax."""
    for node in list(traced.graph.nodes):
        if node.target is not functional.scaled_dot_product_attention:
            continue
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
        for name in ("dropout_p", "enable_gqa"):
            if given.get(name):
                raise ExportError(f"{node.name}: operator scaled_dot_product_attention: {name} is not supported")
        with traced.graph.inserting_before(node):
            call = traced.graph.call_function
            scores = call(torch.matmul, (given["query"], call(torch.transpose, (given["key"], -2, -1))))
            if given.get("scale") is None:
                scores = call(torch.div, (scores, call(root_of_width, (given["query"],))))
            else:
                scores = call(torch.mul, (scores, given["scale"]))
            if given.get("attn_mask") is not None:
                scores = call(masked, (scores, given["attn_mask"]))
            if given.get("is_causal"):
                scores = call(causal, (scores,))
            result = call(torch.matmul, (call(functional.softmax, (scores,), {"dim": -1}), given["value"]))
        node.replace_all_uses_with(result)
        traced.graph.erase_node(node)
    traced.recompile()
