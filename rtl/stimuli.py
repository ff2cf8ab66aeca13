"""A whole matmul as beats of the array's streams, with the simulator's answer.

What each stream carries, and in which order, is in docs/hardware.md.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from amaranth.lib import data

from hwsim import array_datapath, mapping
from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.floating import FloatDatapath
from hwsim.qtensor import QTensor
from hwsim.requantization import Quantizer
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
        "i_quantizers": _quantizers, RESULTS: _results,
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
    m_tile: np.ndarray  # int[T]
    n_tile: np.ndarray  # int[T]
    rows: np.ndarray  # int[T], of M

    @classmethod
    def make(cls, datapath: ArrayDatapath, array: Array, matmul: Matmul) -> "Plan":
        tiles = list(mapping.tiles(len(matmul.x), matmul.w.n, array, matmul.m_outer))
        return cls(
            datapath=datapath, array=array, matmul=matmul,
            m_tile=np.array([tile.m0 // array.tile_rows for tile in tiles]),
            n_tile=np.array([tile.n0 // array.cols for tile in tiles]),
            rows=np.array([tile.m1 - tile.m0 for tile in tiles]),
        )  # fmt: skip

    @property
    def activations(self) -> np.ndarray:
        """[M, K]: integers, or their codes."""
        x = self.matmul.x
        return self.datapath.encode(x) if isinstance(self.datapath, FloatDatapath) else x

    @property
    def weights(self) -> np.ndarray:
        """[N, K]: integers, or codes."""
        w = self.matmul.w
        return self.datapath.codes(w) if isinstance(self.datapath, FloatDatapath) else w.integers

    @functools.cached_property
    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """`steps` of the matmul, output-stationary."""
        return steps(self.matmul.w.k, self.matmul.w.group_size, self.datapath.lanes)

    def columns(self, values: np.ndarray, missing: int = 0) -> np.ndarray:
        """[n_tiles, cols, ...] of ``values`` [N, ...]."""
        return _blocks(values, self.array.cols, missing)

    def per_tile(self, packed: np.ndarray, unique: np.ndarray) -> np.ndarray:
        """Beats of all tiles, tile i taking run ``unique[i]`` of the equally long runs in ``packed``."""
        runs = packed.reshape(int(unique.max()) + 1, -1, packed.shape[1])
        return runs[unique].reshape(-1, packed.shape[1])


def steps(k: int, group_size: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """int[steps, lanes]: the k of each lane (``k`` where it has none); bool[steps]: last of its group."""
    index, last = [], []
    for start in range(0, k, group_size):
        stop = min(start + group_size, k)
        for first in range(start, stop, lanes):
            lane = np.arange(first, first + lanes)
            index.append(np.where(lane < stop, lane, k))
            last.append(first + lanes >= stop)
    return np.array(index), np.array(last)


def _blocks(values: np.ndarray, size: int, missing: int = 0) -> np.ndarray:
    """[blocks, size, ...]: the first axis cut into blocks, the last one filled up with ``missing``."""
    short = -len(values) % size
    padded = np.pad(values, [(0, short)] + [(0, 0)] * (values.ndim - 1), constant_values=missing)
    return padded.reshape(-1, size, *values.shape[1:])


def _by_step(plan: Plan, values: np.ndarray, size: int) -> np.ndarray:
    """[blocks * steps, size, lanes] of values [outputs, K]."""
    index, _ = plan.steps
    lanes = np.pad(values, ((0, 0), (0, 1)))[:, index]
    blocks = np.moveaxis(_blocks(lanes, size), 2, 1)
    return blocks.reshape(-1, size, index.shape[1])


def _activations(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    values = _by_step(plan, plan.activations, plan.array.rows)
    return plan.per_tile(beats.pack(layout, {"values": values}), plan.m_tile)


def _weights(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    w = plan.matmul.w
    values = _by_step(plan, plan.weights, plan.array.cols)
    _, last_in_group = plan.steps
    count = len(last_in_group)
    blocks = len(values) // count
    fields = {
        "values": values,
        "last_in_group": np.tile(last_in_group, blocks),
        "last_in_tile": np.tile(np.arange(count) == count - 1, blocks),
    }
    for name, value in implementation(plan.datapath).Feeder.extra(plan.datapath, w).items():
        fields[name] = np.full(len(values), value)
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)


def _scales(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    w = plan.matmul.w
    offset = np.zeros_like(w.scale) if w.offset is None else w.offset
    fields = {
        name: np.moveaxis(plan.columns(values), 2, 1).reshape(-1, plan.array.cols)
        for name, values in (("scale", w.scale), ("offset", offset))
    }
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)


def _quantizers(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    quantizer = plan.matmul.quantizer
    tiles = len(plan.rows)
    fields = {
        "columns": {
            name: plan.columns(getattr(quantizer, name), missing)[plan.n_tile]
            for name, missing in MISSING_COLUMN.items()
        },
        "low": np.full(tiles, quantizer.low),
        "high": np.full(tiles, quantizer.high),
        "threshold": np.full(tiles, quantizer.threshold),
        "rows": plan.rows,
    }
    if isinstance(plan.datapath, FloatDatapath):
        fields["exponent"] = np.full(tiles, plan.datapath.sum_exponent(plan.matmul.w, quantizer.sum_shift))
    return beats.pack(layout, fields)


def _results(plan: Plan, layout: data.StructLayout) -> np.ndarray:
    matmul, quantizer = plan.matmul, plan.matmul.quantizer
    sums = array_datapath.sums(plan.datapath, matmul.x, matmul.w, quantizer)
    results = array_datapath.results(plan.datapath, sums, quantizer)
    missing = quantizer.high if quantizer.threshold else min(max(0, quantizer.low), quantizer.high)
    columns = plan.columns(results.T, missing)
    tile = np.repeat(np.arange(len(plan.rows)), plan.rows)
    row = np.arange(len(tile)) - np.repeat(np.cumsum(plan.rows) - plan.rows, plan.rows)
    values = columns[plan.n_tile[tile], :, plan.m_tile[tile] * plan.array.tile_rows + row]
    return beats.pack(layout, {"values": values, "last": row == plan.rows[tile] - 1})
