"""Zero-delay evaluation of a netlist, 64 stimulus streams per word.

A netlist is a list of selections in levelised order (see `hwsim.power.activity.Program`): row
(out, select, low, high) of int32 means value[out] = value[select] ? value[high] : value[low].
Values are uint64[values, WORDS], one bit per stream; values 0 and 1 are the constants.
"""

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from hwsim.kernels._jit import jit

WORDS = 4
"""Words of one block: what a thread evaluates at a time."""

UNSETTLED = -1
RESET_CYCLES = 2
"""How long `drive` holds the reset."""


@intrinsic
def count_ones(typing, value):
    """How many bits of a uint64 are 1."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@jit()
def _evaluate(selections, values, start, stop):
    """Selections start:stop of the list."""
    for i in range(start, stop):
        out, select, low, high = selections[i, 0], selections[i, 1], selections[i, 2], selections[i, 3]
        s0, s1, s2, s3 = values[select, 0], values[select, 1], values[select, 2], values[select, 3]
        l0, l1, l2, l3 = values[low, 0], values[low, 1], values[low, 2], values[low, 3]
        h0, h1, h2, h3 = values[high, 0], values[high, 1], values[high, 2], values[high, 3]
        values[out, 0] = l0 ^ ((l0 ^ h0) & s0)
        values[out, 1] = l1 ^ ((l1 ^ h1) & s1)
        values[out, 2] = l2 ^ ((l2 ^ h2) & s2)
        values[out, 3] = l3 ^ ((l3 ^ h3) & s3)


@jit()
def _overridden(flops, f, values, w, state):
    """Word ``w`` of flip-flop ``f``'s ``state``, where clear and preset let it be."""
    clear, preset = values[flops[f, 2], w], values[flops[f, 3], w]
    return (state & ~clear) | (preset & (~clear | values[flops[f, 4], w]))


@jit()
def settle(selections, parts, flops, values):
    """Combinational values and what the flip-flops will take; asynchronous set and reset act at once.

    ``parts`` int64[3]: ends of the selections of gates, of clear and preset, of next states. ``flops`` int32[F, 5]:
    state, next, clear, preset (values; 0 where there is none) and the state where both are active. False if
    asynchronous loops do not come to rest.
    """
    for _ in range(flops.shape[0] + 2):
        _evaluate(selections, values, 0, parts[0])
        _evaluate(selections, values, parts[0], parts[1])
        changed = False
        if parts[1] > parts[0]:
            for f in range(flops.shape[0]):
                state = flops[f, 0]
                for w in range(WORDS):
                    new = _overridden(flops, f, values, w, values[state, w])
                    if new != values[state, w]:
                        values[state, w] = new
                        changed = True
        if not changed:
            _evaluate(selections, values, parts[1], parts[2])
            return True
    return False


@jit()
def _clock(flops, values):
    """A rising edge: every flip-flop takes its next state, unless clear or preset hold it."""
    for f in range(flops.shape[0]):
        for w in range(WORDS):
            values[flops[f, 0], w] = _overridden(flops, f, values, w, values[flops[f, 1], w])


@jit(parallel=True)
def count(selections, parts, flops, size, nets, inputs, stimulus, counted, toggles, ones):
    """Runs the streams and counts, per net, toggles and cycles at 1.

    ``stimulus`` uint64[cycles, inputs, words] is what ``inputs`` carry after each rising edge; states start at 0.
    A stream's cycle counts, with the change into it, where ``counted`` uint64[cycles, words] has its bit.
    ``toggles`` and ``ones`` int64[blocks, nets] are one row per ``WORDS`` words. Returns the cycle at
    which some block did not settle, or UNSETTLED if none.
    """
    cycles, blocks = stimulus.shape[0], toggles.shape[0]
    failed = np.full(blocks, UNSETTLED, np.int64)
    for block in numba.prange(blocks):
        values = np.zeros((size, WORDS), np.uint64)
        values[1] = ~np.uint64(0)
        before = np.zeros((nets, WORDS), np.uint64)
        first = block * WORDS
        for t in range(cycles):
            if t:
                _clock(flops, values)
            for i in range(inputs.size):
                for w in range(WORDS):
                    values[inputs[i], w] = stimulus[t, i, first + w]
            if not settle(selections, parts, flops, values):
                failed[block] = t
                break
            m0, m1 = counted[t, first], counted[t, first + 1]
            m2, m3 = counted[t, first + 2], counted[t, first + 3]
            if m0 | m1 | m2 | m3:
                for n in range(nets):
                    v0, v1, v2, v3 = values[n, 0], values[n, 1], values[n, 2], values[n, 3]
                    toggles[block, n] += (
                        count_ones((v0 ^ before[n, 0]) & m0)
                        + count_ones((v1 ^ before[n, 1]) & m1)
                        + count_ones((v2 ^ before[n, 2]) & m2)
                        + count_ones((v3 ^ before[n, 3]) & m3)
                    )
                    ones[block, n] += (
                        count_ones(v0 & m0) + count_ones(v1 & m1) + count_ones(v2 & m2) + count_ones(v3 & m3)
                    )
            before[:] = values[:nets]
    return failed.max()


@jit()
def _present(values, beats, payload, valid, position, stop, bit, word):
    """One stream's next beat, if there is one, on the payload nets."""
    if position >= stop:
        values[valid, word] &= ~bit
        return
    values[valid, word] |= bit
    for k in range(payload.size):
        if beats[position, k]:
            values[payload[k], word] |= bit
        else:
            values[payload[k], word] &= ~bit


@jit(parallel=True)
def drive(
    selections, parts, flops, size, reset, beats, bounds, payload, valid, ready, inputs, driven, watched, stimulus, out
):
    """Feeds beats by valid and ready, and writes what the inputs carried: ``stimulus`` uint64[cycles, inputs, words].

    Interface k of stream s presents the rows bounds[k][s, 0]:bounds[k][s, 1] of beats[k] (uint8[rows, bits]) on
    payload[k] while valid[k] is 1 and goes on where ready[k] is too; the rest are nets. ``reset`` is held for
    RESET_CYCLES. Inputs that are not ``driven`` are as ``stimulus`` says. ``out`` uint64[cycles, watched, words]
    receives the ``watched`` nets.
    """
    cycles, blocks, kinds = stimulus.shape[0], stimulus.shape[2] // WORDS, len(beats)
    failed = np.full(blocks, UNSETTLED, np.int64)
    for block in numba.prange(blocks):
        values = np.zeros((size, WORDS), np.uint64)
        values[1] = ~np.uint64(0)
        first = block * WORDS
        streams = max(0, min(64 * WORDS, bounds[0].shape[0] - 64 * first))
        position = np.zeros((kinds, streams), np.int64)
        for t in range(cycles):
            if t >= RESET_CYCLES:
                for k in range(kinds):
                    for s in range(streams):
                        word, bit = s // 64, np.uint64(1) << np.uint64(s % 64)
                        start, stop = bounds[k][64 * first + s, 0], bounds[k][64 * first + s, 1]
                        if t == RESET_CYCLES:
                            position[k, s] = start
                        elif values[valid[k], word] & values[ready[k], word] & bit:
                            position[k, s] += 1
                        else:
                            continue
                        _present(values, beats[k], payload[k], valid[k], position[k, s], stop, bit, word)
            if t:
                _clock(flops, values)
            for w in range(WORDS):
                values[reset, w] = ~np.uint64(0) if t < RESET_CYCLES else np.uint64(0)
                for i in range(inputs.size):
                    if driven[i]:
                        stimulus[t, i, first + w] = values[inputs[i], w]
                    else:
                        values[inputs[i], w] = stimulus[t, i, first + w]
            if not settle(selections, parts, flops, values):
                failed[block] = t
                break
            for k in range(watched.size):
                for w in range(WORDS):
                    out[t, k, first + w] = values[watched[k], w]
    return failed.max()
