"""`export`: from a PyTorch model to a network of integers."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hwsim.errors import ExportError, FormatError, HwsimError
from hwsim.inference import trace as run_trace
from hwsim.network import Network
from hwsim.operators import Matmul
from hwsim.torch.building import build
from hwsim.torch.fusion import fuse
from hwsim.torch.tracing import trace
from hwsim.torch.weights import WeightFormat, Weights

STATISTICS_SAMPLES = 64
"""Samples whose activations are looked at for zeros and toggles."""


def export(
    model: nn.Module,
    sample_inputs: torch.Tensor | np.ndarray,
    weights: Weights = "int8",
    activations: str = "int8",
    *,
    name: str | None = None,
    overrides: Mapping[str, Weights] | None = None,
) -> Network:
    """``model`` as a network of integers, as it computes in evaluation mode.

    Batch norms are folded. Weights are quantized to ``weights`` (a format's name, or
    ``{"format": name, **parameters of hwsim.quantize}``) and lowered; the first pattern of
    ``overrides`` that matches a layer's module path (shell pattern) replaces ``weights``
    there; `QuantLinear` and `QuantConv2d` keep the format they were trained with.
    Activations are symmetric integers with one scale per tensor, ``max|x| / qmax`` over
    ``sample_inputs`` [batch, ...] (floating point; whole numbers if an Embedding reads them), requantized
    by dyadic numbers (HAWQ-V3, arXiv 2011.10680). The model itself is left as it is.

    Products of two activations (attention) run on the array, the second operand as int8 weights made at
    run time. Softmax, layer norm and GELU are real functions of the host, on integers of 16 bits. Masks that are
    the same for all samples (causal ones) belong to the softmax. PyTorch's `MultiheadAttention` and
    `TransformerEncoder` are written out in layers: ``...self_attn.q_proj``, ``k_proj``, ``v_proj``, ``out_proj``.

    Weights wider than integer arrays take (fp8, fp16, bf16) are exported as they are: `hwsim.run` without a design
    computes their exact sums.

    Args:
        activations: ``"int2"`` to ``"int8"``.
        name: of the network; by default that of the model's class.

    Raises:
        ExportError: naming module path and operator that cannot be exported, or what is
            wrong with the samples.
        FormatError: for a weight format that does not exist.
    """
    match = re.fullmatch(r"int([2-8])", str(activations))
    if match is None:
        raise ExportError(f"activations must be 'int2' to 'int8', not {activations!r}")
    WeightFormat.parse(weights)
    graph = trace(model, sample_inputs, weights, overrides or {})
    fuse(graph)
    try:
        network = build(graph, name or type(model).__name__.lower(), (1 << (int(match[1]) - 1)) - 1)
    except FormatError:
        raise
    except HwsimError as error:
        raise ExportError(str(error)) from None
    samples = torch.as_tensor(sample_inputs)[:STATISTICS_SAMPLES].detach().cpu().double()
    return _with_statistics(network, samples.numpy())


def _with_statistics(network: Network, samples: np.ndarray) -> Network:
    """``network`` with the activation statistics of ``samples`` in every matmul."""
    values: dict[str, np.ndarray] = {}
    nodes = []
    for node, value in run_trace(network, None, samples):
        operator: Any = node.operator
        if isinstance(operator, Matmul):
            rows = [x for x, _ in operator.operands(*(values[name] for name in node.inputs))]
            operator = dataclasses.replace(operator, activation=activation_statistics(np.concatenate(rows)))
        values[node.name] = value
        nodes.append(dataclasses.replace(node, operator=operator))
    return dataclasses.replace(network, nodes=tuple(nodes))


def activation_statistics(rows: np.ndarray) -> dict[str, float]:
    """``zero_fraction`` and ``toggle_rate`` of activations int[..., K]; see `Matmul`."""
    low = rows.astype(np.uint8)
    toggles = np.bitwise_count(low[..., 1:] ^ low[..., :-1])
    return {
        "zero_fraction": float((rows == 0).mean()),
        "toggle_rate": float(toggles.mean() / 8) if toggles.size else 0.0,
    }
