"""A whole layer as beats of the crossbar array's streams, with the simulator's answer."""

import dataclasses

import numpy as np
from amaranth.lib import data

from hwsim.datapath import Array
from hwsim.datapaths.rram import CrossbarWeights, Rram, cells
from hwsim.operators import Split, StaticMatmul
from hwsim.operators.split import majority
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from rtl import beats
from rtl.array import RESULTS, stream_layouts
from rtl.stimuli import Stimuli


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CrossbarLayer:
    """One layer's operands.

    Attributes:
        x: ±1 [groups, M, K]: the input vectors of each group.
        weights: [N, K] of each group.
        quantizer: thresholds of the groups' columns, group by group.
        window: consecutive vectors whose bits are pooled.
        stuck: bool[2, groups, 2, K, N]: cells stuck off, cells stuck on; None for none.
    """

    x: np.ndarray
    weights: tuple[QTensor, ...]
    quantizer: Quantizer
    window: int = 1
    stuck: np.ndarray | None = None

    @classmethod
    def of(cls, operator: StaticMatmul, x: np.ndarray, columns: slice) -> "CrossbarLayer":
        """The outputs ``columns`` of a layer for a batch of its inputs."""
        groups, outputs = operator.matmuls, operator.weight.n // operator.matmuls
        chosen = (np.arange(groups)[:, None] * outputs + np.arange(outputs)[columns]).ravel()
        weights = tuple(w.rows(columns.start, columns.stop) for w in operator.split_weight())
        window = operator.window if isinstance(operator, Split) else 1
        return cls(
            x=operator.unfold(x), weights=weights, quantizer=operator.quantizer.channels(chosen), window=window
        )  # fmt: skip

    @property
    def outputs(self) -> int:
        """N."""
        return self.weights[0].n

    def states(self, group: int) -> np.ndarray:
        """bool[2, K, N]: which cells are on."""
        faults = (None, None) if self.stuck is None else (self.stuck[0, group], self.stuck[1, group])
        return cells(self.weights[group], *faults)

    def part(self, group: int) -> Quantizer:
        """The quantizer of one group's columns."""
        return self.quantizer.channels(slice(group * self.outputs, (group + 1) * self.outputs))


def results(datapath: Rram, layer: CrossbarLayer) -> np.ndarray:
    """±1 [M / window, N] as ideal cells, some of them stuck, give them."""
    votes = []
    for group, w in enumerate(layer.weights):
        quantizer = layer.part(group)
        currents = datapath.currents(layer.x[group], layer.states(group))
        fires = (currents >= datapath.thresholds(w, quantizer.bias)) != quantizer.invert
        windows = fires.reshape(-1, layer.window, layer.outputs)
        votes.append(np.where(quantizer.invert, windows.all(axis=1), windows.any(axis=1)))
    return majority(2 * np.stack(votes).astype(np.int32) - 1, axis=0)


def stimuli(datapath: Rram, array: Array, layer: CrossbarLayer) -> Stimuli:
    """The beats of ``layer`` on every stream, results and cycles (programming included) by the simulator."""
    layouts = stream_layouts(datapath, array)
    groups, vectors, k = layer.x.shape
    weights = CrossbarWeights(n=layer.outputs, k=groups * k, groups=groups, window=layer.window)
    stats = datapath.stats(weights, array)
    shape = np.array([vectors, layer.outputs, groups * k, k, 0], dtype=np.int64)
    cycles = int(datapath.cycles(shape, stats.values, datapath.params(array)))
    streams = {
        "i_cells": _cells(array, layer, layouts["i_cells"]),
        "i_references": _references(datapath, array, layer, layouts["i_references"]),
        "i_vectors": _vectors(datapath, array, layer, layouts["i_vectors"]),
        RESULTS: _results(datapath, array, layer, layouts[RESULTS]),
    }
    return Stimuli(streams=streams, cycles=cycles + max(len(streams["i_cells"]), len(streams["i_references"])))


def _columns(array: Array, values: np.ndarray, missing: int = 0) -> np.ndarray:
    """``values`` [beats, N, ...] filled up to all columns of the array."""
    short = array.cols - values.shape[1]
    return np.pad(values, [(0, 0), (0, short)] + [(0, 0)] * (values.ndim - 2), constant_values=missing)


def _cells(array: Array, layer: CrossbarLayer, layout: data.StructLayout) -> np.ndarray:
    groups, k = len(layer.weights), layer.weights[0].k
    weight = np.concatenate([w.integers.T > 0 for w in layer.weights])
    stuck = np.zeros((2, groups, 2, k, layer.outputs), bool) if layer.stuck is None else layer.stuck
    masks = [(each[:, 0].astype(np.int64) | each[:, 1].astype(np.int64) << 1).reshape(groups * k, -1) for each in stuck]
    last = np.arange(groups * k) == groups * k - 1
    fields = {"weight": weight, "stuck_off": masks[0], "stuck_on": masks[1]}
    return beats.pack(layout, {
        "cells": {name: _columns(array, value.astype(np.int64)) for name, value in fields.items()},
        "group": np.repeat(np.arange(groups), k), "row": np.tile(np.arange(k), groups), "last": last,
    })  # fmt: skip


def _references(datapath: Rram, array: Array, layer: CrossbarLayer, layout: data.StructLayout) -> np.ndarray:
    """A beat per group of the array; columns and groups that the layer lacks never fire."""
    count, never = datapath.groups(array), datapath.rows + 1
    threshold = np.full((count, layer.outputs), never)
    invert = np.zeros((count, layer.outputs), np.int64)
    for group, w in enumerate(layer.weights):
        quantizer = layer.part(group)
        threshold[group], invert[group] = datapath.thresholds(w, quantizer.bias), quantizer.invert
    return beats.pack(layout, {
        "columns": {"threshold": _columns(array, threshold, never), "invert": _columns(array, invert)},
        "group": np.arange(count), "groups": np.full(count, len(layer.weights)),
        "last": np.arange(count) == count - 1,
    })  # fmt: skip


def _vectors(datapath: Rram, array: Array, layer: CrossbarLayer, layout: data.StructLayout) -> np.ndarray:
    groups, vectors, k = layer.x.shape
    bits = np.zeros((vectors, datapath.groups(array), datapath.rows), np.uint8)
    bits[:, :groups, :k] = layer.x.transpose(1, 0, 2) > 0
    index = np.arange(vectors)
    flags = [index % layer.window == layer.window - 1, index == vectors - 1]
    packed = np.concatenate([bits.reshape(vectors, -1), np.stack(flags, axis=1).astype(np.uint8)], axis=1)
    assert layout.size == packed.shape[1]
    return np.packbits(packed, axis=1, bitorder="little")


def _results(datapath: Rram, array: Array, layer: CrossbarLayer, layout: data.StructLayout) -> np.ndarray:
    values = results(datapath, layer)
    last = np.arange(len(values)) == len(values) - 1
    return beats.pack(layout, {"values": _columns(array, (values > 0).astype(np.int64)), "last": last})
