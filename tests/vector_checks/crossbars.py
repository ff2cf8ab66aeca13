"""Vectors of networks split over crossbars, and of multi-bit activations as binary paths."""

import dataclasses

import numpy as np

from hwsim.datapaths.rram import Rram
from hwsim.operators import SplitLinear
from hwsim.requantization import Quantizer
from tests.split_networks import signs


def _weights(values, rows=1):
    """Lowered ±1 weights."""
    w = np.array(values).reshape(rows, -1)
    return dataclasses.replace(signs(np.random.default_rng(0), *w.shape), codes=(w > 0).astype(np.uint8))


def check_rram_split(case):
    x, groups = np.array(case["x"]), len(case["partial"])
    weight = _weights(case["w"], groups)
    zero = Quantizer.sign(np.zeros(groups), np.zeros(groups, bool))
    operator = SplitLinear(weight=weight, splits=groups, quantizer=zero)
    sums = np.concatenate([Rram(rows=weight.k).matmul(a, w) for a, w in operator.operands(x[None])], axis=1)
    assert sums[0].tolist() == case["partial"]
    bits = np.where(sums >= 0, 1, -1)
    assert bits[0].tolist() == case["partial_sign"]
    assert int(bits.sum()) == case["merged"]
    assert int(operator.fold(bits, 1, (1,))[0, 0]) == case["merged_sign"]
    whole = Rram(rows=len(x)).matmul(x[None], _weights(case["w"]))
    assert int(whole[0, 0]) == case["full_dot"]
    assert (1 if whole[0, 0] >= 0 else -1) == case["full_sign"]


def check_bitsplit(case):
    w = _weights(case["w"])
    rram = Rram(rows=w.k, mapping="differential")
    states = np.stack([w.integers.T > 0, w.integers.T < 0])
    activations = np.array(case["act"])
    dots = []
    for bit, path in enumerate(case["paths"]):
        assert path == (activations >> bit & 1).tolist()
        signed = 2 * np.array([path]) - 1
        dots.append(int(rram.currents(signed, states)[0, 0]))
        assert 2 * dots[-1] == int(rram.matmul(signed, w)[0, 0]) + int(w.integers.sum())
    assert dots == case["path_dots"]
    recombined = sum(dot << bit for bit, dot in enumerate(dots))
    assert recombined == case["linear_recombined"] == int(activations @ w.integers[0])
