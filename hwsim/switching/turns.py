"""What changes where several sums of a group, each with a scale of its own, take turns."""

import numpy as np

from hwsim.datapath import Operand
from hwsim.integer import IntegerDatapath
from hwsim.switching.accumulation import running
from hwsim.switching.bits import row_toggles, toggles
from hwsim.switching.steps import Steps


def taking_turns(
    datapath: IntegerDatapath, addends: np.ndarray, turn: np.ndarray, turns: int, at: Steps, w: Operand
) -> dict[str, int]:
    """Toggles of adding int64[C, M] to the sum ``turn`` int[C], of ``turns``, of the groups of steps ``at``.

    Of the adder, of the sum that it adds to, and of one multiplier and its operands, to which the sums of a group come
    one after the other.
    """
    key = (at.tile * w.groups + at.group) * turns + turn
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    total = running(addends[order], sorted_key)
    adder = np.empty_like(total)
    adder[order] = total
    ends = np.append(sorted_key[1:] != sorted_key[:-1], True)
    complete = np.zeros((w.n * w.groups * turns, addends.shape[1]), np.int64)
    complete[sorted_key[ends]] = total[ends]
    scale = datapath.group_constants(w)["scale"][..., :turns].astype(np.int64)
    scales = np.broadcast_to(scale, (w.n, w.groups, turns)).reshape(-1, 1)
    bits = datapath.group_accumulator_bits
    return {
        "accumulator_toggles": toggles(adder, bits),
        "chosen_toggles": toggles(adder - addends, bits),
        "turn_toggles": toggles(complete, bits),
        "turn_scale_toggles": toggles(scales, datapath.scale_bits) * addends.shape[1],
        "scale_toggles": row_toggles(complete, scales, bits, datapath.scale_bits),
    }
