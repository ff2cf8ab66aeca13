"""What energies of events depend on beside the event: changing bits, counted on a sample of a layer's operands."""

from collections.abc import Mapping

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Datapath, Operand
from hwsim.layer_sample import COLUMNS, ROWS
from hwsim.requantization import Quantizer
from hwsim.switching import ends


def totals(datapath: Datapath, array: Array, x: np.ndarray, w: Operand, quantizer: Quantizer) -> Mapping[str, int]:
    """Bits that change, by feature, while all columns of ``w`` meet rows of activations int[M, K]."""
    found = dict(datapath.toggles(x, w, array))
    if isinstance(datapath, ArrayDatapath):
        found |= ends.count(datapath, x, w, quantizer, array)
    return found


def counts(datapath: Datapath, array: Array, shape: np.ndarray, w: Operand) -> np.ndarray:
    """Events int64[E] of a matmul of this ``shape`` (`hwsim.kernels.tiles`) with ``w``."""
    found = np.zeros(len(datapath.EVENTS), np.int64)
    datapath.events(shape, datapath.stats(w, array).values, datapath.params(array), found)
    return found


def per_event(datapath: Datapath, array: Array, x: np.ndarray, w: Operand, quantizer: Quantizer) -> np.ndarray:
    """float64[E, F]: features of each event of `Datapath.EVENTS`, bits that change per event."""
    result = np.zeros((len(datapath.EVENTS), width(datapath)))
    if any(event.features for event in datapath.EVENTS):
        found = totals(datapath, array, x, w, quantizer)
        shape = np.array([len(x), w.n, w.k, w.group_size, False], np.int64)
        number = np.maximum(counts(datapath, array, shape, w), 1)
        for i, event in enumerate(datapath.EVENTS):
            for f, name in enumerate(event.features):
                result[i, f] = found.get(name, 0) / number[i]
    return result


def sampled_array(datapath: Datapath, array: Array) -> Array:
    """The array that stands for ``array``: what one of its parts does depends on no more of it.

    Requantizers rest once per tile: with more rows than a sample has, once per sample.
    """
    shared = isinstance(datapath, ArrayDatapath) and datapath.sharing(array) > 1
    cols = array.cols if shared else min(array.cols, COLUMNS)
    if array.weight_stationary:
        return Array(rows=array.rows, cols=cols, dataflow=array.dataflow, accumulator_rows=ROWS)
    return Array(rows=min(array.rows, ROWS), cols=cols)


def on_array(
    found: np.ndarray, datapath: Datapath, small: Array, array: Array, sample: tuple[int, int], whole: tuple[int, int]
) -> np.ndarray:
    """Features [E, F] on `sampled_array` as those on ``array``: its registers have more rows and columns.

    ``sample`` and ``whole`` are rows and output channels of the sample and of its layer, which fill tiles in part.
    """
    more = {"weight_register_toggles": _filled(whole[1], array.cols) / _filled(sample[1], small.cols)}
    if not array.weight_stationary:
        more["activation_register_toggles"] = _filled(whole[0], array.rows) / _filled(sample[0], small.rows)
    if isinstance(datapath, ArrayDatapath):
        larger = ends.register_bits(datapath, array) / ends.register_bits(datapath, small)
        more |= {"hold_set_bits": larger, "hold_unset_bits": larger}
    factors = [[more.get(name, 1.0) for name in event.features] for event in datapath.EVENTS]
    result = found.copy()
    for i, row in enumerate(factors):
        result[i, : len(row)] *= row
    return result


def _filled(count: int, size: int) -> float:
    """How much of tiles of ``size`` is filled on average by ``count`` in all."""
    return count / -(-count // size)


def width(datapath: Datapath) -> int:
    """F: the most features that an event has, at least 1."""
    return max([1, *(len(event.features) for event in datapath.EVENTS)])
