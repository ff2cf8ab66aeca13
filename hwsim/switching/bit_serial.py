"""Toggles of the bit-serial array."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from hwsim import terms
from hwsim.datapath import Array, Operand
from hwsim.switching.accumulation import accumulated, running
from hwsim.switching.bits import before, toggles
from hwsim.switching.columns import column
from hwsim.switching.steps import Steps, stationary

if TYPE_CHECKING:
    from hwsim.datapaths.bit_serial import BitSerial


def count(datapath: "BitSerial", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Toggles by feature of `BitSerial.EVENTS`."""
    if array.weight_stationary:
        values, weights, where = stationary(datapath, x, w, array)
        cycles = _Cycles.of(datapath, weights, w, array, len(values) // w.n)
        found, sums = _added(datapath, cycles, values[cycles.step])
        return found | column(datapath, weights, sums[cycles.last], where, len(x), w) | cycles.encoders(1)
    at = Steps.of(datapath, x, w)
    cycles = _Cycles.of(datapath, at.w[:, None], w, array, len(at.w) // w.n)
    found, sums = _added(datapath, cycles, at.x[cycles.step])
    return (
        found
        | accumulated(datapath, sums, cycles.last, at.at(cycles.step), w)
        | cycles.encoders(-(-len(x) // array.rows))
    )


SHIFT_BITS = 5


@dataclasses.dataclass(frozen=True, eq=False)
class _Cycles:
    """Terms of weights cycle by cycle.

    ``step`` int64[C]: which step a cycle is of; ``last`` bool[C]: its last; ``factor`` uint8[C, P, lanes]: 0, 1 or 2
    times the activation, shifted left by ``shift``, inverted where ``negative``; ``horner``: what the step's sum so far
    is shifted by.
    """

    step: np.ndarray
    last: np.ndarray
    factor: np.ndarray
    shift: np.ndarray
    negative: np.ndarray
    horner: int

    @classmethod
    def of(cls, datapath: "BitSerial", weights: np.ndarray, w: Operand, array: Array, per_column: int) -> "_Cycles":
        """Of int64[T, P, lanes] weights, ``per_column`` steps of each column of ``w``."""
        values, which = np.unique(weights, return_inverse=True)
        which = which.reshape(weights.shape)
        bits = w.integer_bits
        own = datapath.skip == "zero" or datapath.scheme == "naf"
        table = _own_terms(values, bits, datapath.scheme) if own else _common_terms(values, bits, datapath.scheme)
        if datapath.skip == "none":
            each = np.full(len(weights), terms.per_step(w, datapath.scheme))
        else:
            longest = terms.count(values, bits, datapath.scheme)[which].max(axis=(1, 2))
            each = _in_lock_step(np.maximum(longest, 1), array.cols if datapath.fifo_depth == 1 else 1, per_column)
        step = np.repeat(np.arange(len(weights)), each)
        position = np.arange(len(step)) - np.repeat(np.cumsum(each) - each, each)
        chosen = np.minimum(position, table.shape[2] - 1)[:, None, None]
        factor, shift, negative = (part[which[step], chosen] for part in table)
        horner = 0 if own else 2 if datapath.scheme == "booth" else 1
        return cls(step, position == each[step] - 1, factor, shift, negative, horner)

    def encoders(self, times: int) -> dict[str, int]:
        """Of all recoders, ``times`` over: what they tell the lanes, own terms that they note as taken until the step
        ends, whether it does, and cycles, also of those that have nothing to do."""
        taken = 0 if self.horner else int((self.factor[~self.last] > 0).sum())
        encoders = self.factor.shape[1] * times
        return {
            "term_changes": toggles(self.factor + 4 * self.negative + 8 * self.shift, 8) * times,
            "retired_toggles": 2 * taken * times,
            "step_end_toggles": toggles(self.last, 1) * encoders,
            "encoder_cycles": len(self.step) * encoders,
        }


def _own_terms(values: np.ndarray, bits: int, scheme: terms.Scheme) -> np.ndarray:
    """int64[3, U, terms + 1]: factor, shift, sign of the terms of each value, the lowest first, then none."""
    found = [[term for term in terms.decompose(int(value), bits, scheme) if term] for value in values]
    table = np.zeros((3, len(values), max(map(len, found)) + 1), np.int64)
    for i, each in enumerate(found):
        for c, term in enumerate(each):
            table[:, i, c] = 1, abs(term).bit_length() - 1, term < 0
    return table


def _common_terms(values: np.ndarray, bits: int, scheme: terms.Scheme) -> np.ndarray:
    """int64[3, U, terms]: likewise of every position, the highest first; nothing is shifted."""
    count = terms.per_weight(bits, scheme)
    position = np.arange(count)[::-1]
    if scheme == "twos_complement":
        factor = values[:, None] >> position & 1
        return np.stack([factor, np.zeros_like(factor), np.broadcast_to(position == bits - 1, factor.shape)])
    low, middle, high = (values[:, None] << 1 >> 2 * position + i & 1 for i in range(3))
    factor = (low != middle) + 2 * ((low == middle) & (middle != high))
    return np.stack([factor, np.zeros_like(factor), high])


def _in_lock_step(each: np.ndarray, cols: int, per_column: int) -> np.ndarray:
    """Cycles of steps where ``cols`` columns take as many as the slowest of them."""
    by_column = each.reshape(-1, per_column).copy()
    for first in range(0, len(by_column), cols):
        by_column[first : first + cols] = by_column[first : first + cols].max(axis=0)
    return by_column.reshape(-1).astype(np.int64)


def _added(datapath: "BitSerial", cycles: _Cycles, x: np.ndarray) -> tuple[dict[str, int], np.ndarray]:
    """Toggles of what adds terms of activations int64[C, PEs, lanes], and the steps' sums so far int64[C, PEs]."""
    shifted, negative = x * cycles.factor << cycles.shift, cycles.negative == 1
    if cycles.horner == 1:  # all lanes have one sign, applied to their sum
        inverted, total = shifted, shifted.sum(axis=2)
        inverted_sum = np.where(negative[:, :, 0], ~total, total)
        total = np.where(negative[:, :, 0], -total, total)
    else:
        inverted = np.where(negative, ~shifted, shifted)
        inverted_sum = inverted.sum(axis=2)
        total = inverted_sum + np.broadcast_to(negative, shifted.shape).sum(axis=2)
    sums = running(total, cycles.step) if cycles.horner == 0 else _horner(total, cycles)
    carried = np.where(before(cycles.last)[:, None], 0, before(sums)) << cycles.horner
    rows = x.shape[1] // cycles.negative.shape[1]
    return {
        "shifted_toggles": toggles(shifted, datapath.activation_bits + datapath.weight_bits - 1),
        "shifted_magnitude_toggles": toggles(np.abs(shifted), datapath.activation_bits + datapath.weight_bits - 1),
        "shift_toggles": toggles(cycles.shift, SHIFT_BITS) * rows,
        "sign_toggles": toggles(negative & (cycles.factor > 0), 1) * rows,
        "inverted_toggles": toggles(inverted, datapath.step_bits),
        "inverted_sum_toggles": toggles(inverted_sum, datapath.step_bits),
        "sum_toggles": toggles(total, datapath.step_bits),
        "last_toggles": toggles(cycles.last, 1) * x.shape[1],
        "carries": int((carried != 0).sum()),
        "carry_toggles": toggles(carried, datapath.step_bits),
    }, sums


def _horner(total: np.ndarray, cycles: _Cycles) -> np.ndarray:
    """Sums so far where each cycle weighs ``2**horner`` of the next; all steps take equally many."""
    each = len(total) // (int(cycles.step[-1]) + 1)
    sums = total.reshape(-1, each, total.shape[1]).copy()
    for c in range(1, each):
        sums[:, c] += sums[:, c - 1] << cycles.horner
    return sums.reshape(total.shape)
