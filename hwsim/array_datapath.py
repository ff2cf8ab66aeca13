"""Datapaths that the array generator builds, and what such an array answers."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hwsim.datapath import Operand
from hwsim.floating import FloatDatapath
from hwsim.integer import IntegerDatapath
from hwsim.operators import DynamicMatmul, Matmul
from hwsim.requantization import Quantizer, requantize

ArrayDatapath = IntegerDatapath | FloatDatapath
"""A datapath with RTL: both kinds have what the generator reads."""


def operands(
    datapath: ArrayDatapath, operator: Matmul, inputs: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, Operand]]:
    """`Matmul.operands`; of second operands that are activations too, what the datapath makes of them."""
    pairs = operator.operands(*inputs)
    if isinstance(operator, DynamicMatmul) and isinstance(datapath, FloatDatapath):
        return [(a, datapath.dynamic(w)) for a, w in pairs]
    return pairs


def sums(datapath: ArrayDatapath, x: np.ndarray, w: Operand, quantizer: Quantizer) -> np.ndarray:
    """int32[M, N]: what reaches the requantizers for a network's activations int[M, K]."""
    if isinstance(datapath, FloatDatapath):
        return datapath.layer_sums(x, w, quantizer.sum_shift)
    return datapath.matmul(x, w)


def results(datapath: ArrayDatapath, sums: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """int32 results of what `sums` gave."""
    return requantize(sums, dataclasses.replace(quantizer, sum_shift=0), datapath.result_overflow)
