"""The weight-stationary array, edge by edge and in plain Python: what the closed form is tested against.

Written from docs/hardware.md alone.
"""

import dataclasses
from collections.abc import Iterator

from tests import naive


@dataclasses.dataclass
class Pass:
    """One slice of a tile: array rows it fills, cycles of each step, steps."""

    rows: int
    step: int
    m: int
    gives_results: bool


def slice_bounds(w, array, lanes: int) -> Iterator[tuple[int, int]]:
    """First and end k of each slice."""
    for start in range(0, w.k, w.group_size):
        end = min(start + w.group_size, w.k)
        yield from ((low, min(low + array.rows * lanes, end)) for low in range(start, end, array.rows * lanes))


def tile_passes(w, datapath, array, n0: int, n1: int, m: int) -> list[Pass]:
    """The passes of the tile with columns n0..n1 and m rows."""
    bounds = list(slice_bounds(w, array, datapath.lanes))
    return [
        Pass(-(-(high - low) // datapath.lanes), step_cycles(w, datapath, n0, n1, low, high), m, high == w.k)
        for low, high in bounds
    ]


def step_cycles(w, datapath, n0: int, n1: int, low: int, high: int) -> int:
    """How long each step of a pass lasts."""
    if datapath.name() == "mac":
        return 1
    if datapath.skip == "none":
        return naive.all_terms(w, datapath.scheme)
    values = [naive.integer(w, n, k) for n in range(n0, n1) for k in range(low, high)]
    return max(1, *(naive.term_count(v, w.integer_bits, datapath.scheme) for v in values))


def array_cycles(passes: list[Pass], requantizer_stages: int = 3) -> int:
    """Clock edges from the first accepted beat through the last result, both included.

    Inputs are always there, results always taken.
    """
    weight_beats = [i for i, each in enumerate(passes) for _ in range(each.rows)]
    activation_beats = [i for i, each in enumerate(passes) for _ in range(each.m)]
    results_left = sum(each.m for each in passes if each.gives_results)
    loaded, filling = 0, 0  # rows of the shadow bank, and whose they are
    active = None  # the pass whose weights are in use, while it runs
    operand, left, steps = None, 0, 0  # the pass of the step held, its cycles left; steps done of the pass
    stages: list[int | None] = [None] * (2 + requantizer_stages)  # PE sums, column sums, requantizers
    edge = 0
    while results_left:
        edge += 1
        results_left -= stages[-1] is not None
        runs = active is not None and operand == active
        ends_step = runs and left == 1
        steps += ends_step
        ends_pass = ends_step and steps == passes[active].m
        column = stages[1] if stages[1] is not None and passes[stages[1]].gives_results else None
        stages = [operand if ends_step else None, stages[0], column, *stages[2:-1]]
        full = filling < len(passes) and loaded == passes[filling].rows
        if runs:
            left -= 1
        if ends_step or operand is None:
            operand = activation_beats.pop(0) if activation_beats else None
            left = 0 if operand is None else passes[operand].step
        if ends_pass:
            active = None
        if full and active is None:
            active, steps = filling, 0
            filling, loaded = filling + 1, 0
            full = False
        if not full and weight_beats:
            assert weight_beats.pop(0) == filling
            loaded += 1
    assert not weight_beats
    assert not activation_beats
    return edge
