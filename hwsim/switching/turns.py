"""What changes where several sums of a group, each with a scale of its own, take turns."""

import numpy as np

from hwsim.datapath import Operand
from hwsim.integer import IntegerDatapath
from hwsim.switching.accumulation import running
from hwsim.switching.bits import row_toggles, toggles
from hwsim.switching.steps import Steps


def taking_turns(
    datapath: IntegerDatapath, addends: np.ndarray, which: np.ndarray, at: Steps, w: Operand
) -> dict[str, int]:
    """Toggles of adding int64[C, M] to the sum ``which`` int[C] of its group, and of one multiplier behind all sums.

    Of what is added, of the adder, and where the sums of a group, one after the other, meet their scales.
    """
    sums = datapath.scales_per_group
    group = at.tile * w.groups + at.group
    key = group * sums + which
    order = np.argsort(key, kind="stable")
    total = running(addends[order], key[order])
    adder = np.empty_like(total)
    adder[order] = total
    ends = np.flatnonzero(np.append(np.diff(key[order]) != 0, True))
    complete = np.zeros((w.n * w.groups * sums, addends.shape[1]), np.int64)
    complete[key[order][ends]] = total[ends]
    scales = datapath.group_constants(w)["scale"].astype(np.int64).reshape(-1, 1)
    bits = datapath.group_accumulator_bits
    return {
        "addend_toggles": toggles(addends, bits),
        "accumulator_toggles": toggles(adder, bits),
        "scale_toggles": row_toggles(complete, scales, bits, datapath.scale_bits),
    }
