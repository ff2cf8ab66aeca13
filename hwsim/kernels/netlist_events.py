"""Event-driven evaluation of a netlist with a rising and a falling delay per gate input.

Delays are inertial: a gate that is told to go back before its output has changed does not change it.
"""

import numba
import numpy as np

from hwsim.kernels._jit import jit
from hwsim.kernels.netlist_evaluation import UNSETTLED

ABSENT = -1


@jit()
def _function(function, fanin_start, fanin, table_start, tables, values):
    """Value of a function of nets."""
    row = 0
    for k in range(fanin_start[function], fanin_start[function + 1]):
        row |= values[fanin[k]] << (k - fanin_start[function])
    word = tables[table_start[function] + (row >> 6)]
    return np.int64(word >> np.uint64(row & 63)) & 1


@jit()
def _swap(heap, place, i, j):
    heap[i], heap[j] = heap[j], heap[i]
    place[heap[i]], place[heap[j]] = i, j


@jit()
def _sift(heap, place, due, size, i):
    """Restores the order of the heap around position i."""
    while i > 0 and due[heap[i]] < due[heap[(i - 1) // 2]]:
        _swap(heap, place, i, (i - 1) // 2)
        i = (i - 1) // 2
    while True:
        least = i
        for child in (2 * i + 1, 2 * i + 2):
            if child < size and due[heap[child]] < due[heap[least]]:
                least = child
        if least == i:
            return
        _swap(heap, place, i, least)
        i = least


@jit()
def _remove(heap, place, due, size, gate):
    """Takes a gate out of the heap; returns its new size."""
    i = place[gate]
    _swap(heap, place, i, size - 1)
    place[gate] = ABSENT
    if i < size - 1:
        _sift(heap, place, due, size - 1, i)
    return size - 1


@jit()
def _change(net, values, sink_start, sink_gate, sink_delay, wait, touched, count):
    """Net changes: the gates at it are touched, with the longest delay of their inputs that changed together."""
    values[net] ^= 1
    for k in range(sink_start[net], sink_start[net + 1]):
        gate = sink_gate[k]
        if wait[gate, 0] == ABSENT:
            touched[count] = gate
            count += 1
        wait[gate, 0] = max(wait[gate, 0], sink_delay[k, 0])
        wait[gate, 1] = max(wait[gate, 1], sink_delay[k, 1])
    return count


@jit()
def _propagate(functions, gate_net, sinks, values, toggles, add, scratch, count):
    """Runs until nothing changes any more, from ``count`` touched gates; returns the time of the last change."""
    fanin_start, fanin, table_start, tables = functions
    sink_start, sink_gate, sink_delay = sinks
    heap, place, due, wait, touched, fired = scratch
    size, now = 0, np.int64(0)
    while True:
        for i in range(count):
            gate = touched[i]
            value = _function(gate, fanin_start, fanin, table_start, tables, values)
            delay = wait[gate, 0] if value else wait[gate, 1]
            wait[gate, 0] = wait[gate, 1] = ABSENT
            if value == values[gate_net[gate]]:
                if place[gate] != ABSENT:
                    size = _remove(heap, place, due, size, gate)
            elif place[gate] == ABSENT:
                due[gate] = now + delay
                heap[size], place[gate] = gate, size
                size += 1
                _sift(heap, place, due, size, size - 1)
        if size == 0:
            return now
        now, count, events = due[heap[0]], 0, 0
        while size and due[heap[0]] == now:
            fired[events] = heap[0]
            events += 1
            size = _remove(heap, place, due, size, heap[0])
        for i in range(events):
            net = gate_net[fired[i]]
            toggles[net] += add
            count = _change(net, values, sink_start, sink_gate, sink_delay, wait, touched, count)


@jit()
def _overridden(functions, flops, f, values, state):
    """Flip-flop ``f``'s ``state``, where clear and preset let it be."""
    fanin_start, fanin, table_start, tables = functions
    clear = preset = 0
    if flops[f, 2] != ABSENT:
        clear = _function(flops[f, 2], fanin_start, fanin, table_start, tables, values)
    if flops[f, 3] != ABSENT:
        preset = _function(flops[f, 3], fanin_start, fanin, table_start, tables, values)
    if clear or preset:
        return preset if clear != preset else max(0, flops[f, 4])
    return state


@jit()
def _asynchronous(functions, flops, values, toggles, add, sinks, scratch, count):
    """Sets and clears flip-flops; returns the number of touched gates."""
    sink_start, sink_gate, sink_delay = sinks
    for f in range(flops.shape[0]):
        if values[flops[f, 0]] != _overridden(functions, flops, f, values, values[flops[f, 0]]):
            toggles[flops[f, 0]] += add
            count = _change(flops[f, 0], values, sink_start, sink_gate, sink_delay, scratch[3], scratch[4], count)
    return count


@jit(parallel=True)
def count(functions, gate_net, sinks, flops, settled, inputs, stimulus, counted, toggles, ones, last):
    """Runs all streams and counts, per net, all changes and the cycles that end at 1.

    ``functions`` is (fanin_start, fanin, table_start, table_words) of a netlist. ``sinks`` is (start int64[nets + 1],
    gate int32, delay int64[n, 2]): the gates at a net, with the time from its change to the gate's rise and fall.
    ``flops`` int32[F, 5]: state net, functions next, clear and preset, and the state where both are active.
    ``settled`` uint8[nets] is a state of rest with all inputs and flip-flops 0. ``stimulus`` and ``counted`` are as
    for the zero-delay evaluation. ``toggles`` and ``ones`` are int64[words, nets]; ``last`` int64[words] receives
    the latest change after a rising edge. Returns the cycle at which a word did not settle, or UNSETTLED.
    """
    cycles, words, nets, gates = stimulus.shape[0], stimulus.shape[2], settled.size, gate_net.size
    fanin_start, fanin, table_start, tables = functions
    sink_start, sink_gate, sink_delay = sinks
    failed = np.full(words, UNSETTLED, np.int64)
    for word in numba.prange(words):
        scratch = (
            np.zeros(gates, np.int32), np.full(gates, ABSENT, np.int32), np.zeros(gates, np.int64),
            np.full((gates, 2), ABSENT, np.int64), np.zeros(gates, np.int32), np.zeros(gates, np.int32),
        )  # fmt: skip
        following = np.zeros(flops.shape[0], np.int64)
        for s in range(64):
            bit = np.uint64(s)
            until = cycles
            while until and not (counted[until - 1, word] >> bit) & np.uint64(1):
                until -= 1
            values = settled.copy()
            for t in range(until):
                add = np.int64((counted[t, word] >> bit) & np.uint64(1))
                touched = 0
                if t:
                    for f in range(flops.shape[0]):
                        taken = _function(flops[f, 1], fanin_start, fanin, table_start, tables, values)
                        following[f] = _overridden(functions, flops, f, values, taken)
                    for f in range(flops.shape[0]):
                        if values[flops[f, 0]] != following[f]:
                            toggles[word, flops[f, 0]] += add
                            touched = _change(
                                flops[f, 0], values, sink_start, sink_gate, sink_delay, scratch[3], scratch[4], touched
                            )
                for i in range(inputs.size):
                    if values[inputs[i]] != np.int64((stimulus[t, i, word] >> bit) & np.uint64(1)):
                        toggles[word, inputs[i]] += add
                        touched = _change(
                            inputs[i], values, sink_start, sink_gate, sink_delay, scratch[3], scratch[4], touched
                        )
                for _ in range(flops.shape[0] + 2):
                    done = _propagate(functions, gate_net, sinks, values, toggles[word], add, scratch, touched)
                    last[word] = max(last[word], done)
                    touched = _asynchronous(functions, flops, values, toggles[word], add, sinks, scratch, 0)
                    if not touched:
                        break
                if touched:
                    failed[word] = t
                    break
                if add:
                    for n in range(nets):
                        ones[word, n] += values[n]
    return failed.max()
