"""A datapath in one file: two lanes, one cycle per output, no values worth having."""

import dataclasses

import numba
import numpy as np

from hwsim.datapath import Component, Event, Rule, Stats


@numba.njit
def cycles(shape, stats, params):
    return shape[0] * shape[1] * stats[0]


@numba.njit
def events(shape, stats, params, counts):
    counts[0] = shape[0] * shape[1] * shape[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Rule):
    slowness: int = 1

    EVENTS = (Event(component="vector_unit", action="element"),)
    cycles = staticmethod(cycles)
    events = staticmethod(events)

    def stats(self, w, array):
        return Stats(values=np.array([self.slowness], dtype=np.int64))

    def params(self, array):
        return np.array([array.rows, array.cols], dtype=np.int64)

    def components(self, array):
        return (Component("vector_unit", 1, {"lanes": 16}),)

    def peak_macs(self, w, array):
        return 2.0
