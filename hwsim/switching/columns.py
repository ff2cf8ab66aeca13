"""What changes in the columns of weight-stationary arrays."""

import numpy as np

from hwsim.datapath import Operand
from hwsim.integer import IntegerDatapath
from hwsim.switching.bits import row_toggles, toggles


def column(
    datapath: IntegerDatapath, weights: np.ndarray, sums: np.ndarray, where: np.ndarray, m: int, w: Operand
) -> dict[str, int]:
    """Toggles of a column that adds its PEs' sums int64[T, rows] to what is accumulated, and of their weights; these
    and ``where`` as of `stationary`, of ``m`` rows of activations."""
    partial = sums.sum(axis=1)
    bits = datapath.step_bits + (sums.shape[1] - 1).bit_length()
    scaled, found = partial, {}
    if datapath.scale_bits:
        scale = np.broadcast_to(datapath.group_constants(w)["scale"], (w.n, w.groups)).astype(np.int64)
        scales = scale[where[:, 0], where[:, 1]]
        scaled = partial * scales
        found["slice_scale_toggles"] = row_toggles(partial, scales, bits, datapath.scale_bits)
    return found | {
        "load_toggles": toggles(weights, datapath.weight_bits),
        "partial_toggles": toggles(sums, datapath.step_bits) + toggles(partial, bits),
        "scaled_toggles": toggles(scaled, datapath.accumulator_bits),
        "total_toggles": toggles(scaled.reshape(w.n, -1, m).cumsum(axis=1).ravel(), datapath.accumulator_bits),
    }
