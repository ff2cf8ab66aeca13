"""Toggles of arrays that add activations up by the codes of their weights."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.switching.accumulation import offsets
from hwsim.switching.bits import before, ones, toggles
from hwsim.switching.steps import Steps
from hwsim.switching.turns import taking_turns

if TYPE_CHECKING:
    from hwsim.datapaths.lut_buckets import LutBuckets


def count(datapath: "LutBuckets", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Toggles by feature of `LutBuckets.EVENTS`.

    Lanes that are added at once are counted behind the gates of each bucket; their adders as if lanes took turns.
    """
    at = Steps.of(datapath, x, w)
    lanes = at.w.shape[1]
    activations = np.moveaxis(at.x, 2, 1).reshape(-1, len(x))  # lane after lane
    codes = at.w.reshape(-1)
    at_cycle = at.at(np.repeat(np.arange(len(at.w)), lanes))
    found = taking_turns(datapath, activations, codes, w.codebook.mantissas.shape[1], at_cycle, w)
    found |= offsets(datapath, at, w)
    if datapath.adders == "serial":
        return found | {
            "code_toggles": toggles(codes, datapath.weight_bits) * len(x),
            "addend_toggles": toggles(activations, datapath.activation_bits),
        }
    return found | {
        "code_toggles": toggles(at.w, datapath.weight_bits) * len(x),
        "addend_toggles": _gated(at, datapath.activation_bits),
    }


def _gated(at: Steps, bits: int) -> int:
    """Toggles of lanes' activations behind gates, one for each code, of which theirs is open."""
    same = (at.w == before(at.w))[:, None]
    there, gone = ones(at.x, bits), ones(before(at.x), bits)
    return int(np.where(same, ones(at.x ^ before(at.x), bits), there + gone).sum())
