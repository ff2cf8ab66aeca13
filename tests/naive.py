"""Deliberately slow, obvious implementations that the fast ones are tested against.

Written from docs/hardware.md alone, with Python's own integers.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np


def overflow(value: int, bits: int, mode: str) -> int:
    """``value`` in signed ``bits``: wrapped or saturated."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if mode == "saturate":
        return low if value < low else high if value > high else value
    return (value - low) % (1 << bits) + low


def step_slices(k: int, group_size: int, lanes: int) -> Iterator[tuple[int, int, int]]:
    """Group, first k and end k of each step, ascending."""
    position = 0
    while position < k:
        group = position // group_size
        end = min(position + lanes, (group + 1) * group_size, k)
        yield group, position, end
        position = end


def matmul(x: np.ndarray, w, datapath) -> np.ndarray:
    """int64[M, N]: the accumulators of docs/hardware.md before the bias."""
    return np.array([[dot(a, w, n, datapath) for n in range(w.n)] for a in x.tolist()])


def integer(w, n: int, k: int) -> int:
    """One weight in units of the codebook's power of two, from its code and its group's table."""
    table = 0
    if w.select is not None:
        table = int(w.select[n % len(w.select), (k // w.group_size) % w.select.shape[1]])
    value = w.codebook.values[table, w.codes[n, k]] / 2.0**w.codebook.exponent
    assert value == int(value)
    return int(value)


def dot(a: Sequence[int], w, n: int, datapath) -> int:
    """One output's accumulator."""
    v = [integer(w, n, k) for k in range(w.k)]
    acc, gacc, gsum = 0, 0, 0
    all_steps = list(step_slices(w.k, w.group_size, datapath.lanes))
    for i, (group, low, high) in enumerate(all_steps):
        step = sum(a[k] * v[k] for k in range(low, high))
        if not (datapath.scale_bits or datapath.offset_bits):
            acc = overflow(acc + step, datapath.accumulator_bits, datapath.overflow)
            continue
        gacc = overflow(gacc + step, datapath.group_accumulator_bits, datapath.overflow)
        gsum += sum(a[low:high])
        if i + 1 == len(all_steps) or all_steps[i + 1][0] != group:
            s = int(w.scale[n, group]) if datapath.scale_bits else 1
            z = int(w.offset[n, group]) if datapath.offset_bits and w.offset is not None else 0
            acc = overflow(acc + s * gacc + z * gsum, datapath.accumulator_bits, datapath.overflow)
            gacc, gsum = 0, 0
    return acc


def requantize(acc: int, quantizer, n: int, mode: str) -> int:
    """One result."""
    total = overflow(acc + int(quantizer.bias[n]), 32, mode)
    if quantizer.threshold:
        return quantizer.high if (total >= 0) != bool(quantizer.invert[n]) else quantizer.low
    shift = int(quantizer.shift[n])
    value = (total * int(quantizer.multiplier[n]) + (1 << (shift - 1))) >> shift
    return min(max(value, quantizer.low), quantizer.high)


def fewest_digits(value: int) -> int:
    """The fewest signed powers of two that sum to ``value``: by odd numbers, trying both neighbours."""
    if value == 0:
        return 0
    if value % 2 == 0:
        return fewest_digits(value // 2)
    if value in (1, -1):
        return 1
    return 1 + min(fewest_digits(value - 1), fewest_digits(value + 1))


def term_count(value: int, bits: int, scheme: str) -> int:
    """Non-zero terms of one weight."""
    if scheme == "naf":
        return fewest_digits(value)
    code = value % (1 << bits)
    if scheme == "twos_complement":
        return bin(code).count("1")
    extended = [0] + [value >> i & 1 for i in range(bits + 1)]
    triples = [extended[i : i + 3] for i in range(0, bits, 2)]
    return sum(len(set(triple)) > 1 for triple in triples)


def all_terms(w, scheme: str) -> int:
    """Cycles of a step that skips nothing."""
    if scheme == "naf":
        used = w.codebook.values / 2.0**w.codebook.exponent
        return max(1, *(fewest_digits(int(value)) for value in used.ravel()))
    return w.integer_bits if scheme == "twos_complement" else (w.integer_bits + 1) // 2


@dataclasses.dataclass
class Step:
    """One step on its way through the array: cycles that each column still needs."""

    columns: list[int]
    ends_group: bool
    ends_tile: bool
    rows: int


def tile_steps(w, datapath, array, n0: int, n1: int, rows: int) -> list[Step]:
    """The steps of one tile that drains ``rows`` rows."""
    slices = list(step_slices(w.k, w.group_size, datapath.lanes))
    groups = [group for group, _, _ in slices] + [None]
    steps = []
    for i, (_, low, high) in enumerate(slices):
        columns = [1] * array.cols
        if datapath.name() == "bit_serial" and datapath.skip == "none":
            columns = [all_terms(w, datapath.scheme)] * array.cols
        elif datapath.name() == "bit_serial":
            for n in range(n0, n1):
                counts = [term_count(integer(w, n, k), w.integer_bits, datapath.scheme) for k in range(low, high)]
                columns[n - n0] = max(1, *counts, 1)
            if datapath.fifo_depth == 1:
                columns = [max(columns)] * array.cols
        steps.append(Step(columns, groups[i] != groups[i + 1], i + 1 == len(slices), rows))
    return steps


def array_cycles(steps: Sequence[Step], depth: int, scale_latency: int, requantizer_stages: int = 3) -> int:
    """Clock edges from the first accepted beat through the last result, both included.

    Steps through the registers of docs/hardware.md edge by edge: inputs always there, results
    always taken.
    """
    waiting = list(reversed(steps))
    held: list[Step] = []  # in the array, the oldest first
    position = [0] * len(steps[0].columns)  # which of them each column is at
    scaling, scaled = 0, steps[0]  # edges until a group's scaled sum is added, and its last step
    final: Step | None = None  # last step of the tile whose accumulators are final
    rows_left = 0  # in the shadow register
    pipeline = [False] * requantizer_stages  # rows in the requantizer's registers
    results_left = sum(step.rows for step in steps if step.ends_tile)
    edge = 0
    while results_left:
        edge += 1
        results_left -= pipeline[-1]
        pipeline = [rows_left > 0, *pipeline[:-1]]
        move = final is not None and rows_left <= 1
        rows_left = max(0, rows_left - 1)
        if move:
            rows_left, final = final.rows, None
        elif final is not None:
            continue  # the compute side stands still
        if scaling:
            scaling -= 1
            if scaling == 0 and scaled.ends_tile:
                final = scaled
        at_end = []
        for column, at in enumerate(position):
            if at == len(held):
                continue
            if held[at].columns[column] == 1 and held[at].ends_group:
                at_end.append(column)
                continue
            held[at].columns[column] -= 1
            position[column] += held[at].columns[column] == 0
        if len(at_end) == len(position) and scaling == 0:
            ended = held[position[0]]
            position = [at + 1 for at in position]
            if scale_latency:
                scaling, scaled = scale_latency, ended
            elif ended.ends_tile:
                final = ended
        while held and min(position) > 0:
            held.pop(0)
            position = [at - 1 for at in position]
        if waiting and len(held) < depth:
            held.append(waiting.pop())
    return edge


def rans_encode(symbols, frequencies, lower):
    """Final state and pushed bytes of one rANS stream, M = sum(frequencies)."""
    slots = sum(frequencies)
    state, pushed = lower, []
    for symbol in reversed(symbols):
        f = frequencies[symbol]
        while state >= lower // slots * 256 * f:
            pushed.append(state % 256)
            state //= 256
        state = state // f * slots + state % f + sum(frequencies[:symbol])
    return state, pushed
