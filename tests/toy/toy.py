"""A datapath in one file: two lanes, one cycle per output, no values worth having."""

import dataclasses

import numba
import numpy as np

from hwsim.datapath import Component, Event, Rule, Stats


@numba.njit
def cycles(shape, stats, params):
    return shape[0] * shape[1] * stats[0]


@numba.njit
def events(shape, stats, params, activation, counts, features):
    counts[0] = shape[0] * shape[1] * shape[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Rule):
    slowness: int = 1

    EVENTS = (Event(component="requantizer", action="requantize"),)
    cycles = staticmethod(cycles)
    events = staticmethod(events)

    def stats(self, w, array):
        return Stats(values=np.array([self.slowness], dtype=np.int64))

    def params(self, array):
        return np.array([array.rows, array.cols], dtype=np.int64)

    def components(self, array):
        return (Component("requantizer", 1, {}),)

    def peak_macs(self, w, array):
        return 2.0
