"""Beats of the streams whose order is another on the weight-stationary array."""

from typing import TYPE_CHECKING

import numpy as np
from amaranth.lib import data

from hwsim.kernels import weight_stationary
from rtl import beats
from rtl.pe import implementation

if TYPE_CHECKING:
    from rtl.stimuli import Plan


def slices(plan: "Plan") -> np.ndarray:
    """int64[S, 3]: first k, end k and array rows of each slice."""
    w = plan.matmul.w
    return weight_stationary.slices(w.k, w.group_size, plan.array.rows, plan.datapath.lanes)


def _by_slice(plan: "Plan", values: np.ndarray) -> np.ndarray:
    """[outputs, S, rows, lanes] of values [outputs, K], zeros where a slice has no k."""
    parts = slices(plan)
    rows, lanes = plan.array.rows, plan.datapath.lanes
    k = parts[:, :1] + np.arange(rows * lanes)
    k = np.where(k < parts[:, 1:2], k, values.shape[1])
    return np.pad(values, ((0, 0), (0, 1)))[:, k].reshape(len(values), len(parts), rows, lanes)


def activations(plan: "Plan", layout: data.StructLayout) -> np.ndarray:
    """One beat per pass and row of the tile."""
    values = np.moveaxis(_by_slice(plan, plan.matmul.x), 1, 0)
    count, m = values.shape[:2]
    last_rows = np.append(np.arange(m)[plan.array.tile_rows - 1 :: plan.array.tile_rows], m - 1)
    piece, row = np.indices((count, m))
    packed = beats.pack(
        layout,
        {
            "values": values.reshape(-1, *values.shape[2:]),
            "last_in_pass": np.isin(row.ravel(), last_rows),
            "first_slice": piece.ravel() == 0,
            "last_slice": piece.ravel() == count - 1,
        },
    )
    starts = plan.m_tile * plan.array.tile_rows
    order = [
        (np.arange(count)[:, None] * m + np.arange(start, start + rows)).ravel()
        for start, rows in zip(starts, plan.rows, strict=True)
    ]
    return packed[np.concatenate(order)]


def weights(plan: "Plan", layout: data.StructLayout) -> np.ndarray:
    """One beat per array row that a slice uses."""
    w = plan.matmul.w
    rows_used = slices(plan)[:, 2]
    values = np.moveaxis(plan.columns(_by_slice(plan, w.integers)), 1, 3)  # [n_tiles, S, rows, cols, lanes]
    row = np.arange(plan.array.rows)
    used = row < rows_used[:, None]
    values = values[:, used]
    blocks, count = values.shape[:2]
    fields = {
        "values": values.reshape(-1, *values.shape[2:]),
        "last_in_slice": np.tile((row == rows_used[:, None] - 1)[used], blocks),
    }
    for name, value in implementation(plan.datapath).Feeder.extra(plan.datapath, w).items():
        fields[name] = np.full(blocks * count, value)
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)


def scales(plan: "Plan", layout: data.StructLayout) -> np.ndarray:
    """One beat per pass: those of the slice's group."""
    w = plan.matmul.w
    group = slices(plan)[:, 0] // w.group_size
    offset = np.zeros_like(w.scale) if w.offset is None else w.offset
    fields = {
        name: np.moveaxis(plan.columns(values[:, group]), 2, 1).reshape(-1, plan.array.cols)
        for name, values in (("scale", w.scale), ("offset", offset))
    }
    return plan.per_tile(beats.pack(layout, fields), plan.n_tile)
