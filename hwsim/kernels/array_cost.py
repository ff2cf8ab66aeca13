"""What matmul layers cost an array: its compiled cycles and events, over all layers and both loop orders.

Each datapath has a version of `costs` of its own, compiled with its functions in place and cached like any kernel.
"""

import functools
import hashlib
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.kernels._jit import jit

M, N, K, FIRST, WEIGHTS, REPEAT = range(6)
LAYER_COLUMNS = 6
START, STOP, GROUP_SIZE = range(3)
WEIGHT_COLUMNS = 3


def costs(layers, weights, switching, stats, params, e0_pj, coefficients, cycles, counts, features, each_pj, pj):
    """Fills the last five, per layer and loop order (n outer, m outer), for int64[L, 6] ``layers``.

    A layer is sizes, its first of int64[W, 3] ``weights`` (which part of the flat ``stats``, group size), how many, and
    repetitions; its matmuls run one after the other. ``switching`` float64[L, E, F] are features of its events.
    ``cycles`` int64[L, 2]; ``counts`` int64[L, 2, E];
    ``features`` float64[L, 2, E, F], averaged by count; ``each_pj`` float64[L, 2, E] picojoules of an action:
    ``e0_pj`` [E] and ``coefficients`` [E, F] times features; ``pj`` float64[L, 2], of all actions.
    """
    part = np.zeros(counts.shape[2], dtype=np.int64)
    shape = np.empty(5, dtype=np.int64)
    for i in range(len(layers)):
        shape[0], shape[1], shape[2] = layers[i, M], layers[i, N], layers[i, K]
        for order in range(2):
            shape[4] = order
            cycles[i, order] = 0
            counts[i, order] = 0
            features[i, order] = 0.0
            for w in range(layers[i, FIRST], layers[i, FIRST] + layers[i, WEIGHTS]):
                shape[3] = weights[w, GROUP_SIZE]
                known = stats[weights[w, START] : weights[w, STOP]]
                part[:] = 0
                datapath_events(shape, known, params, part)  # noqa: F821
                cycles[i, order] += datapath_cycles(shape, known, params)  # noqa: F821
                for event in range(len(part)):
                    counts[i, order, event] += part[event]
                    for f in range(coefficients.shape[1]):
                        features[i, order, event, f] += part[event] * switching[i, event, f]
            cycles[i, order] *= layers[i, REPEAT]
            pj[i, order] = 0.0
            for event in range(len(part)):
                each = 0.0
                for f in range(coefficients.shape[1]):
                    features[i, order, event, f] /= max(counts[i, order, event], 1)
                    each += coefficients[event, f] * features[i, order, event, f]
                each_pj[i, order, event] = e0_pj[event] + each
                counts[i, order, event] *= layers[i, REPEAT]
                pj[i, order] += counts[i, order, event] * each_pj[i, order, event]


@functools.cache
def compiled(cycles: Callable[..., Any], events: Callable[..., Any]) -> Callable[..., None]:
    """`costs` of a datapath with these compiled functions.

    Numba finds cached code by a function's name and line: the name says which functions these are, by
    their place and the content of their files (those outside this folder are not in the cache folder's name).
    """
    origins = [getattr(each, "py_func", each) for each in (cycles, events)]
    text = "".join(f"{each.__module__}.{each.__qualname__}" for each in origins).encode()
    content = b"".join(Path(inspect.getfile(each)).read_bytes() for each in origins)
    names = {"datapath_cycles": cycles, "datapath_events": events}
    function = types.FunctionType(costs.__code__, {**costs.__globals__, **names}, costs.__name__)
    function.__qualname__ = f"costs_{hashlib.sha256(text + content).hexdigest()[:16]}"
    function.__module__ = __name__
    return jit()(function)
