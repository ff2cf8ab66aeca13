"""Bit allocation (section 5)."""

import re

import numpy as np

from hwsim import allocation
from tests import hawq_resnet18 as resnet18
from tests.vector_checks import close


def check_hawq_ilp(case):
    found = re.search(r"4bit \+ ([\d.]+)\*\(8bit-4bit\) on (\w+)", case["name"])
    assert found is not None
    share, name = float(found[1]), found[2]
    cost = resnet18.COSTS[name]
    limit = allocation.between(cost, share)
    close(np.round(limit, 5), case["limit"])
    chosen = allocation.allocate(resnet18.SENSITIVITY, {name: cost}, {name: limit}, resnet18.TIED)
    rows = np.arange(len(chosen))
    assert resnet18.BITS[chosen].tolist() == case["bits"]
    close(np.round(resnet18.SENSITIVITY[rows, chosen].sum(), 5), case["perturbation"])
    close(np.round(cost[rows, chosen].sum(), 5), case["cost"])


def check_baq(case):
    if "c" in case:
        close(allocation.optimal_bits(case["c"], 2), case["R"])
        return
    found = re.search(r"R=([\d.]+), slope th=([\d.]+)", case["name"])
    assert found is not None
    levels = allocation.allocated_levels(case["loss"], float(found[1]), float(found[2]))
    assert levels.tolist() == case["levels"]
    close(np.log2(levels), case["R_levels"])


def check_layerwise(case):
    close(allocation.input_modification(case["x_in"], case["x_out"]), case["LIM"])
    close(allocation.outstanding_share(case["w"]), case["ZD"])
