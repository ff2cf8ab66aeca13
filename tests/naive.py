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


def dot(a: Sequence[int], w, n: int, datapath) -> int:
    """One output's accumulator."""
    v = [int(w.codebook.values[0, code]) for code in w.codes[n]]
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


def term_count(value: int, bits: int, scheme: str) -> int:
    """Non-zero terms of a weight: set bits, or overlapping bit triples that are not all alike."""
    code = value % (1 << bits)
    if scheme == "twos_complement":
        return bin(code).count("1")
    extended = [0] + [value >> i & 1 for i in range(bits + 1)]
    triples = [extended[i : i + 3] for i in range(0, bits, 2)]
    return sum(len(set(triple)) > 1 for triple in triples)


def step_cycles(w, datapath, n0: int, n1: int) -> list[int]:
    """How long each step of the tile with columns n0..n1 lasts."""
    lasts = []
    for _, low, high in step_slices(w.k, w.group_size, datapath.lanes):
        if datapath.name() == "mac":
            lasts.append(1)
        elif datapath.skip == "none":
            b = w.integer_bits
            lasts.append(b if datapath.scheme == "twos_complement" else (b + 1) // 2)
        else:
            values = [int(w.codebook.values[0, code]) for code in w.codes[n0:n1, low:high].ravel()]
            lasts.append(max(1, *(term_count(v, w.integer_bits, datapath.scheme) for v in values)))
    return lasts


@dataclasses.dataclass
class Step:
    """One step on its way through the operand register."""

    cycles: int
    ends_group: bool
    ends_tile: bool
    rows: int


def tile_steps(w, datapath, n0: int, n1: int, rows: int) -> list[Step]:
    """The steps of one tile that drains ``rows`` rows."""
    groups = [group for group, _, _ in step_slices(w.k, w.group_size, datapath.lanes)] + [None]
    lasts = step_cycles(w, datapath, n0, n1)
    return [Step(lasts[i], groups[i] != groups[i + 1], i + 1 == len(lasts), rows) for i in range(len(lasts))]


def array_cycles(steps: Sequence[Step], scale_stage: int, requantizer_stages: int = 3) -> int:
    """Clock edges from the first accepted beat through the last result, both included.

    Steps through the registers of docs/hardware.md edge by edge: inputs always there, results
    always taken.
    """
    waiting = list(reversed(steps))
    operands: Step | None = None  # in the operand register
    group_ended: Step | None = None  # its scaled sum is added at the next edge
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
        if group_ended is not None and group_ended.ends_tile:
            final = group_ended
        group_ended = None
        if operands is not None:
            operands = dataclasses.replace(operands, cycles=operands.cycles - 1)
            if operands.cycles == 0:
                if scale_stage and operands.ends_group:
                    group_ended = operands
                elif not scale_stage and operands.ends_tile:
                    final = operands
                operands = None
        if operands is None and waiting:
            operands = waiting.pop()
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
