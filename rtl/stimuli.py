"""A whole matmul as beats of the array's streams, with the simulator's answer.

What each stream carries, and in which order, is in docs/hardware.md.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from amaranth.lib import data

from hwsim import mapping
from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.floating import FloatDatapath
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
from hwsim.switching.steps import steps
from rtl import beats, stationary_beats
from rtl.array import RESULTS, stream_layouts
from rtl.pe import implementation

MISSING_COLUMN = {"bias": 0, "multiplier": 0, "shift": 1, "invert": 0}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Matmul:
    """One layer's operands: activations ``x`` int[M, K], weights, requantizer, and the order of its tiles."""

    x: np.ndarray
    w: QTensor
    quantizer: Quantizer
    m_outer: bool = False

    @property
    def shape(self) -> np.ndarray:
        """int64 vector of the shape, as compiled cycle functions read it."""
        m, k = self.x.shape
        return np.array([m, self.w.n, k, self.w.group_size, self.m_outer], dtype=np.int64)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Stimuli:
    """Beats per stream (uint8[beats, bytes], see `beats.pack`), ``o_results`` the golden ones.

    ``cycles`` is what the simulator says the array takes for them without stalls.
    """

    streams: Mapping[str, np.ndarray]
    cycles: int


def stimuli(datapath: ArrayDatapath, array: Array, matmul: Matmul) -> Stimuli:
    """The beats of ``matmul`` on every stream of the array, results and cycles by the simulator."""
    plan = Plan.make(datapath, array, matmul)
    parts = {
        "i_activations": _activations, "i_weights": _weights, "i_scales": _scales,
        "i_tables": _tables, "i_quantizers": _quantizers, RESULTS: _results,
    }  # fmt: skip
    if array.weight_stationary:
        parts |= {
            "i_activations": stationary_beats.activations, "i_weights": stationary_beats.weights,
            "i_scales": stationary_beats.scales,
        }  # fmt: skip
    stats = datapath.stats(matmul.w, array)
    cycles = int(datapath.cycles(matmul.shape, stats.values, datapath.params(array)))
    return Stimuli(
        streams={name: parts[name](plan, layout) for name, layout in stream_layouts(datapath, array).items()},
        cycles=cycles,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The tiles in order."""

    datapath: ArrayDatapath
    array: Array
    matmul: Matmul
    channels: list[np.ndarray]  # per column tile int[passes, cols], N where there is none
    m_tile: np.ndarray  # int[T]
    n_tile: np.ndarray  # int[T]
    rows: np.ndarray  # int[T], of M

    @classmethod
    def make(cls, datapath: ArrayDatapath, array: Array, matmul: Matmul) -> "Plan":
        channels = datapath.channels(matmul.w, array)
        n = min(matmul.w.n, len(channels) * array.cols)
        tiles = list(mapping.tiles(len(matmul.x), n, array, matmul.m_outer))
        return cls(
            datapath=datapath, array=array, matmul=matmul, channels=channels,
            m_tile=np.array([tile.m0 // array.tile_rows for tile in tiles]),
            n_tile=np.array([tile.n0 // array.cols for tile in tiles]),
            rows=np.array([tile.m1 - tile.m0 for tile in tiles]),
        )  # fmt: skip

    @functools.cached_property
    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """`steps` of the matmul, output-stationary."""
        return steps(self.matmul.w.k, self.matmul.w.group_size, self.datapath.lanes)

    def columns(self, values: np.ndarray) -> np.ndarray:
        """[n_tiles, cols, ...] of ``values`` [N, ...]: those that the columns compute."""
        padded = np.pad(values, [(0, 1)] + [(0, 0)] * (values.ndim - 1))
        return padded[np.array([each[0] for each in self.channels])]

    @functools.cached_property
    def passes(self) -> tuple[np.ndarray, np.ndarray]:
        """int[P, cols]: the channels that each pass of each tile delivers; bool[P]: the last of its tile."""
        chosen = [self.channels[n] for n in self.n_tile]
        last = [np.arange(len(each)) == len(each) - 1 for each in chosen]
        return np.concatenate(chosen), np.concatenate(last)

    def per_pass(self, per_tile: np.ndarray) -> np.ndarray:
        """Values of tiles as values of their passes."""
        return np.repeat(per_tile, [len(self.channels[n]) for n in self.n_tile], axis=0)

    def per_tile(self, packed: np.ndarray, unique: np.ndarray) -> np.ndarray:
        """Beats of all tiles, tile i taking run ``unique[i]`` of the equally long runs in ``packed``."""
        runs = packed.reshape(int(unique.max()) + 1, -1, packed.shape[1])
        return runs[unique].reshape(-1, packed.shape[1])


def _blocks(values: np.ndarray, size: int) -> np.ndarray:
    """[blocks, size, ...]: the first axis cut into blocks, the last one filled up with zeros."""
    padded = np.pad(values, [(0, -len(values) % size)] + [(0, 0)] * (values.ndim - 1))
    return padded.reshape(-1, size, *values.shape[1:])


def _by_step(lanes: np.ndarray) -> np.ndarray:
    """[blocks * steps, size, lanes] of lanes [blocks, size, steps, lanes]."""
    return np.moveaxis(lanes, 2, 1).reshape(-1, lanes.shape[1], lanes.shape[3])


def _activations(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    index, _ = plan.steps
    lanes = np.pad(plan.datapath.encode(plan.matmul.x), ((0, 0), (0, 1)))[:, index]
    values = _by_step(_blocks(lanes, plan.array.rows))
    return plan.per_tile(beats.pack(layout, {"values": values}), plan.m_tile)


def _weights(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    w = plan.matmul.w
    index, last_in_group = plan.steps
    columns, more = plan.columns(plan.datapath.operands(w, index)), {}
    if plan.datapath.shares_sums:
        columns, more = implementation(plan.datapath).Feeder.arrange(plan.datapath, plan.array, w, columns)
    values = _by_step(columns)
    count = len(last_in_group)
    blocks = len(values) // count
    fields = {
        "values": values,
        "last_in_group": np.tile(last_in_group, blocks),
        "last_in_tile": np.tile(np.arange(count) == count - 1, blocks),
        **more,
    }
    for name, value in implementation(plan.datapath).Feeder.extra(plan.datapath, w).items():
        fields[name] = np.full(len(values), value)
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)


def _scales(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    fields = {}
    for name, values in plan.datapath.group_constants(plan.matmul.w).items():
        columns = np.moveaxis(plan.columns(values), 2, 1)
        fields[name] = columns.reshape(-1, *columns.shape[2:])
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)


def _tables(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    columns = np.array([each[0] for each in plan.channels])
    fields = implementation(plan.datapath).table_fields(plan.datapath, plan.array, plan.matmul.w, columns)
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)


def _quantizers(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    quantizer = plan.matmul.quantizer
    channels, last = plan.passes
    fields = {
        "columns": {
            name: np.append(getattr(quantizer, name), missing)[channels] for name, missing in MISSING_COLUMN.items()
        },
        "low": np.full(len(channels), quantizer.low),
        "high": np.full(len(channels), quantizer.high),
        "threshold": np.full(len(channels), quantizer.threshold),
        "rows": plan.per_pass(plan.rows),
        "last_pass": last,
    }
    if isinstance(plan.datapath, FloatDatapath):
        fields["exponent"] = np.full(len(channels), plan.datapath.sum_exponent(plan.matmul.w, quantizer.sum_shift))
    return beats.pack(layout, fields)


def _results(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    matmul, quantizer = plan.matmul, plan.matmul.quantizer
    sums = plan.datapath.layer_sums(matmul.x, matmul.w, quantizer.sum_shift)
    results = plan.datapath.requantize(sums, quantizer)
    missing = quantizer.high if quantizer.threshold else min(max(0, quantizer.low), quantizer.high)
    results = np.pad(results, ((0, 0), (0, 1)), constant_values=missing)
    rows, first = plan.per_pass(plan.rows), plan.per_pass(plan.m_tile) * plan.array.tile_rows
    each = np.repeat(np.arange(len(rows)), rows)
    row = np.arange(len(each)) - np.repeat(np.cumsum(rows) - rows, rows)
    channels, _ = plan.passes
    values = results[(first[each] + row)[:, None], channels[each]]
    return beats.pack(layout, {"values": values, "last": row == rows[each] - 1})
