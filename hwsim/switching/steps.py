"""The operands of PEs cycle by cycle."""

import dataclasses

import numpy as np

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array, Operand
from hwsim.kernels import weight_stationary


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


@dataclasses.dataclass(frozen=True, eq=False)
class Steps:
    """Steps of output-stationary PEs, one after the other: the tiles of N columns, S steps each; T = N * S.

    A PE stands for each row of activations.

    Attributes:
        x: int64[T, M, lanes].
        w: int64[T, lanes].
        ends: bool[T], last of its group.
        tile: int64[T], the column that the step is of.
        group: int64[T], its group.
    """

    x: np.ndarray
    w: np.ndarray
    ends: np.ndarray
    tile: np.ndarray
    group: np.ndarray

    def at(self, times: np.ndarray) -> "Steps":
        """The steps int[T'], for cycles that take them."""
        return Steps(*(getattr(self, field.name)[times] for field in dataclasses.fields(self)))

    @classmethod
    def of(cls, datapath: ArrayDatapath, x: np.ndarray, w: Operand) -> "Steps":
        """The steps of activations int[M, K] as the network has them, with the columns of ``w`` [N, K]."""
        index, ends = steps(w.k, w.group_size, datapath.lanes)
        lanes = np.pad(datapath.encode(x).astype(np.int64), ((0, 0), (0, 1)))[:, index]
        weights = datapath.operands(w, index).astype(np.int64)
        group = np.cumsum(ends) - ends
        return cls(
            x=np.tile(np.moveaxis(lanes, 0, 1), (w.n, 1, 1)), w=weights.reshape(-1, weights.shape[2]),
            ends=np.tile(ends, w.n), tile=np.repeat(np.arange(w.n), len(ends)), group=np.tile(group, w.n),
        )  # fmt: skip


def stationary(
    datapath: ArrayDatapath, x: np.ndarray, w: Operand, array: Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The steps of weight-stationary PEs: the slices of each column one after the other, T cycles in all.

    Returns activations and weights int64[T, rows, lanes], and int64[T, 2]: column and group of each cycle.
    """
    parts = weight_stationary.slices(w.k, w.group_size, array.rows, datapath.lanes)
    k = parts[:, :1] + np.arange(array.rows * datapath.lanes)
    k = np.where(k < parts[:, 1:2], k, w.k).reshape(len(parts), array.rows, datapath.lanes)
    m = len(x)
    streamed = np.pad(x.astype(np.int64), ((0, 0), (0, 1)))[:, k]  # [M, slices, rows, lanes]
    streamed = np.moveaxis(streamed, 0, 1).reshape(-1, *k.shape[1:])
    kept = np.repeat(datapath.operands(w, k.reshape(-1, datapath.lanes)).reshape(-1, *k.shape[1:]), m, axis=0)
    where = np.stack(np.broadcast_arrays(np.arange(w.n)[:, None], parts[:, 0] // w.group_size), axis=-1)
    return np.tile(streamed, (w.n, 1, 1)), kept.astype(np.int64), np.repeat(where.reshape(-1, 2), m, axis=0)
