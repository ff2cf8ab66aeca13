"""What changes in the columns of weight-stationary arrays."""

import numpy as np

from hwsim.datapath import Operand
from hwsim.integer import IntegerDatapath
from hwsim.switching.bits import before, ones, product_toggles, toggles

ADDRESS_BITS = 16


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
        found["slice_product_toggles"] = product_toggles(partial, scales, bits, datapath.scale_bits)
    total = scaled.reshape(w.n, -1, m).cumsum(axis=1).ravel()
    return found | {
        **_loaded(weights[::m], datapath.weight_bits),
        "address_toggles": toggles(np.tile(np.arange(m), len(scaled) // m), ADDRESS_BITS),
        "partial_toggles": toggles(sums, datapath.step_bits) + toggles(partial, bits),
        "partial_magnitude_toggles": toggles(np.abs(partial), bits),
        "earlier_toggles": toggles(total - scaled, datapath.accumulator_bits),
        "total_toggles": toggles(total, datapath.accumulator_bits),
    }


def _loaded(weights: np.ndarray, bits: int) -> dict[str, int]:
    """Of the banks of weights int64[slices, rows, lanes]: of the one in use; of the one to load, which becomes 0 when
    its first row is loaded; and of what hands it over."""
    earlier = before(weights)
    cleared = ones(earlier[:, 1:], bits).sum() + ones(weights[:, 1:], bits).sum()
    return {
        "load_toggles": toggles(weights, bits),
        "bank_toggles": int(ones(weights[:, 0] ^ earlier[:, 0], bits).sum() + cleared),
        "swap_toggles": 2 * weights.shape[0] * weights.shape[1],
    }
