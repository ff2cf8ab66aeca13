"""What changes where integer PEs add up the sums of steps."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.array_datapath import GROUP_SUM_BITS
from hwsim.datapath import Operand
from hwsim.switching.bits import row_toggles, toggles
from hwsim.switching.steps import Steps

if TYPE_CHECKING:
    from hwsim.floating import FloatDatapath
    from hwsim.integer import IntegerDatapath


def accumulated(
    datapath: "IntegerDatapath | FloatDatapath", sums: np.ndarray, last: np.ndarray, at: Steps, w: Operand
) -> dict[str, int]:
    """Toggles of what becomes of steps' sums int64[T, M], complete where bool[T] ``last``.

    Of these as the first accumulator's adder sees them, of that adder, where group sums meet their scales, and of the
    sum of scaled groups.
    """
    complete = np.where(last[:, None], sums, 0)
    span = at.tile * w.groups + at.group if datapath.scale_stage else at.tile
    registers = running(complete, span)
    adder = registers - complete + sums
    bits = datapath.group_accumulator_bits if datapath.scale_stage else datapath.accumulator_bits
    found = {
        "addend_toggles": toggles(sums, bits),
        "addend_magnitude_toggles": toggles(np.abs(sums), bits),
        "opposite_signs": int(((sums < 0) != (adder - sums < 0)).sum()),
        "accumulator_toggles": toggles(adder, bits),
    }
    if datapath.scale_bits:
        scale = np.broadcast_to(datapath.group_constants(w)["scale"], (w.n, w.groups)).astype(np.int64)
        scales = scale[at.tile, at.group][:, None]
        scaled = registers * scales
        ends = last & np.append(span[1:] != span[:-1], True)
        total = running(np.where(ends[:, None], scaled, 0), at.tile)
        group_bits = datapath.group_accumulator_bits
        found |= {
            "scale_toggles": row_toggles(registers, scales, group_bits, datapath.scale_bits),
            "group_scale_toggles": toggles(scales, datapath.scale_bits) * registers.shape[1],
            "scaled_toggles": toggles(scaled, group_bits + datapath.scale_bits),
            "total_toggles": toggles(total, datapath.accumulator_bits),
        }
    return found | offsets(datapath, at.at(np.flatnonzero(last)), w)


def offsets(datapath: "IntegerDatapath | FloatDatapath", at: Steps, w: Operand) -> dict[str, int]:
    """Toggles of the sum of a group's activations, of what it adds up, and where it meets the group's offset."""
    if not datapath.offset_bits:
        return {}
    offset = np.broadcast_to(datapath.group_constants(w)["offset"], (w.n, w.groups)).astype(np.int64)
    lanes = at.x.sum(axis=2)
    group_sum = running(lanes, at.tile * w.groups + at.group)
    return {
        "lane_toggles": toggles(at.x, datapath.activation_bits),
        "lane_sum_toggles": toggles(lanes, GROUP_SUM_BITS),
        "group_sum_toggles": toggles(group_sum, GROUP_SUM_BITS),
        "offset_toggles": row_toggles(
            group_sum, offset[at.tile, at.group][:, None], GROUP_SUM_BITS, datapath.offset_bits
        ),
    }


def running(values: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Sums of int64[T, ...] so far within runs of equal ``span`` int[T]."""
    total = np.cumsum(values, axis=0)
    start = np.flatnonzero(np.append(True, span[1:] != span[:-1]))
    earlier = np.concatenate([np.zeros_like(total[:1]), total])[start]
    return total - np.repeat(earlier, np.diff(np.append(start, len(span))), axis=0)
