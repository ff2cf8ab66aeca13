"""`export`: from a PyTorch model to a network of integers."""

import dataclasses
import math
import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from hwsim.errors import ExportError, FormatError, HwsimError
from hwsim.network import Network
from hwsim.torch.building import build
from hwsim.torch.fusion import fuse
from hwsim.torch.tracing import trace
from hwsim.torch.weights import WeightFormat, Weights

SAMPLE_INPUTS = 16
SAMPLE_ELEMENTS = 1 << 18
"""Inputs that the network keeps, and elements of these at most (but two inputs)."""


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
    return _with_sample(network, torch.as_tensor(sample_inputs).detach().cpu().double().numpy())


def _with_sample(network: Network, inputs: np.ndarray) -> Network:
    """``network`` with the first of ``inputs``, on which switching activity is counted."""
    first = network.nodes[0]
    operator = network.input
    count = max(2, min(SAMPLE_INPUTS, SAMPLE_ELEMENTS // math.prod(operator.shape)))
    kept = dataclasses.replace(operator, sample=operator.quantize(inputs[:count]))
    return dataclasses.replace(network, nodes=(dataclasses.replace(first, operator=kept), *network.nodes[1:]))
