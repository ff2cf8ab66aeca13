"""Currents of programmed columns: ideal wires, exact loss in resistive ones, a fast approximation of it.

Currents are per volt of the read pulse, in siemens: what cells without wires would add up to.
"""

import dataclasses
import functools
import itertools
from typing import Literal

import numpy as np

from hwsim.crossbar.parameters import Wires
from hwsim.errors import DesignError
from hwsim.kernels import crossbar as kernels
from hwsim.kernels.lanes import AT_ONCE, LANES

Mapping = Literal["xnor", "differential"]
IrDrop = Literal["exact", "approximate"]


def tiled(values: np.ndarray, missing: float = 0) -> np.ndarray:
    """[tiles, rows, LANES] of ``values`` [rows, N]: the columns as kernels take them, at a time."""
    out = np.full((-(-values.shape[1] // LANES), values.shape[0], LANES), missing, values.dtype)
    kernels.pack(np.ascontiguousarray(values), out)
    return out


def untiled(values: np.ndarray, cols: int) -> np.ndarray:
    """[..., rows, N] of [..., tiles, rows, LANES]."""
    rows = np.moveaxis(values, -3, -2)
    return np.ascontiguousarray(rows.reshape(*rows.shape[:-2], -1)[..., :cols])


def column_currents(gates: np.ndarray, conductance: np.ndarray, wires: Wires) -> np.ndarray:
    """Exact currents [M, N] of columns [rows, N] whose rows are open where ``gates`` [M, rows] is 1.

    Row 0 is next to the sense amplifier, which holds the bit line; the source line is held at one of its ends. One
    pass over the rows per column, in the precision of ``conductance`` (float32 or float64).
    """
    out = tile_currents(np.ascontiguousarray(gates, np.uint8), tiled(conductance), wires)
    return untiled(out, conductance.shape[1])


def tile_currents(gates: np.ndarray, conductance: np.ndarray, wires: Wires) -> np.ndarray:
    """`column_currents` [tiles, M, LANES] of conductances [tiles, rows, LANES]."""
    out = np.empty((len(conductance), len(gates), LANES), conductance.dtype)
    if wires.source_line_ohm and wires.source_feed == "far":
        for tile, each in enumerate(conductance):
            kernels.far_fed(gates, each, wires.bit_line_ohm, wires.source_line_ohm, out[tile])
    else:
        wire = conductance.dtype.type(wires.bit_line_ohm + wires.source_line_ohm)
        kernels.ladder(gates, conductance, wire, out)
    return out


def cell_voltages(conductance: np.ndarray, wires: Wires) -> np.ndarray:
    """Share of the read voltage at each cell [rows, N] if every row conducts half of its cell, float64."""
    if wires.source_line_ohm and wires.source_feed == "far":
        raise DesignError("wires: source_feed='far' has no approximation; use ir_drop='exact'")
    out = np.empty(conductance.shape)
    kernels.attenuation(conductance.astype(np.float64) / 2, wires.bit_line_ohm + wires.source_line_ohm, out)
    return out


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """The programmed cells of one layer: ``cells`` float32[2, K, N], each group of inputs on columns of its own.

    ``starts`` int64[G + 1] bounds the groups.
    """

    cells: np.ndarray
    starts: np.ndarray
    mapping: Mapping
    wires: Wires

    def exact(self, bits: np.ndarray) -> np.ndarray:
        """Currents float32[G, tiles, M, LANES] for input bits [M, K]; of differential columns the difference."""
        out = []
        for group, (low, high) in enumerate(itertools.pairwise(self.starts)):
            own = np.ascontiguousarray(bits[:, low:high])
            if self.mapping == "xnor":
                own = np.stack([own, 1 - own], axis=2).reshape(len(own), -1)
            lines = [tile_currents(own, each, self.wires) for each in self._lines[group]]
            out.append(lines[0] if len(lines) == 1 else lines[0] - lines[1])
        return np.stack(out)

    @functools.cached_property
    def _lines(self) -> list[list[np.ndarray]]:
        """Tiles of the bit lines of each group: one, or the two that are subtracted."""
        return [
            [tiled(self._interleaved(low, high))]
            if self.mapping == "xnor"
            else list(map(tiled, self.cells[:, low:high]))
            for low, high in itertools.pairwise(self.starts)
        ]

    def _interleaved(self, low: int, high: int) -> np.ndarray:
        """[rows, N]: the cells of an XNOR column as they follow one another."""
        return self.cells[:, low:high].transpose(1, 0, 2).reshape(-1, self.cells.shape[2])

    def attenuated(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells with the voltage at each under mean activity, and the sensitivity of currents to each of them."""
        if self.wires.ideal:
            return self.cells, self.cells
        voltage = np.empty(self.cells.shape)
        for low, high in itertools.pairwise(self.starts):
            if self.mapping == "xnor":
                rows = cell_voltages(self._interleaved(low, high), self.wires)
                voltage[:, low:high] = rows.reshape(high - low, 2, -1).transpose(1, 0, 2)
            else:
                for line in range(2):
                    voltage[line, low:high] = cell_voltages(self.cells[line, low:high], self.wires)
        return (self.cells * voltage).astype(np.float32), (self.cells * voltage**2).astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Packed:
    """What each input adds to each column's sum, by the value of its bit, as kernels read it."""

    base: np.ndarray
    change: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, zero: np.ndarray, one: np.ndarray, starts: np.ndarray) -> "Packed":
        """From what an input of 0 and one of 1 adds, float32[K, N] each."""
        return cls(tiled(zero), tiled(one - zero), starts)

    def sums(self, patterns: np.ndarray) -> np.ndarray:
        """float32[G, tiles, M, LANES] for `patterns` of input bits."""
        out = np.empty((len(self.starts) - 1, len(self.base), patterns.shape[1], LANES), np.float32)
        kernels.sums(patterns, self.base, self.change, self.starts, out)
        return out


def contributions(cells: np.ndarray, mapping: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """What an input of 0 and one of 1 adds to the current: of ``cells`` [2, K, N], float32[K, N] each."""
    if mapping == "xnor":
        return cells[1], cells[0]
    return np.zeros_like(cells[0]), cells[0] - cells[1]


def patterns(bits: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """uint8[G, M, blocks] of input bits [M, K], as kernels read them."""
    longest = int(np.diff(starts).max())
    step = kernels.BLOCK * AT_ONCE
    room = -(-longest // step) * step
    groups = np.zeros((len(starts) - 1, len(bits), room), np.uint8)
    for group, (low, high) in enumerate(itertools.pairwise(starts)):
        groups[group, :, : high - low] = bits[:, low:high]
    octets = np.packbits(groups, axis=2, bitorder="little")
    return np.stack([octets & 15, octets >> 4], axis=3).reshape(*groups.shape[:2], -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Approximation:
    """Currents as plain sums: cells weakened by the mean voltage at them, one affine map per column and group.

    ``residual_lsb`` is the standard deviation of what it gets wrong, on vectors it was not fitted to, in currents of
    one cell.
    """

    packed: Packed
    residual_lsb: float

    @classmethod
    def of(cls, columns: Columns, window: float, rng: np.random.Generator) -> "Approximation":
        """Fitted to, and then tested on, exact currents for `FITTED` random vectors each."""
        weakened, _ = columns.attenuated()
        zero, one = contributions(weakened, columns.mapping)
        starts = columns.starts
        raw = Packed.of(zero, one, starts)
        bits = rng.integers(0, 2, (2 * FITTED, starts[-1]), dtype=np.uint8)
        exact, plain = (
            untiled(each, columns.cells.shape[2]).astype(np.float64)
            for each in (columns.exact(bits), raw.sums(patterns(bits, starts)))
        )
        slope, intercept = affine(plain[:, :FITTED], exact[:, :FITTED])
        zero, one = zero.astype(np.float64), one.astype(np.float64)
        for group, (low, high) in enumerate(itertools.pairwise(starts)):
            for part in (zero, one):
                part[low:high] *= slope[group]
                part[low:high] += intercept[group] / (high - low)
        packed = Packed.of(zero.astype(np.float32), one.astype(np.float32), starts)
        wrong = untiled(packed.sums(patterns(bits[FITTED:], starts)), exact.shape[2]) - exact[:, FITTED:]
        return cls(packed, float(wrong.std() / window))


FITTED = 64


def affine(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept [G, N] of the least-squares lines through x, y [G, M, N]; slope 1 where x does not vary."""
    mean_x, mean_y = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    variance = ((x - mean_x) ** 2).sum(axis=1)
    covariance = ((x - mean_x) * (y - mean_y)).sum(axis=1)
    slope = np.where(variance > 0, covariance / np.where(variance > 0, variance, 1), 1.0)
    return slope, mean_y[:, 0] - slope * mean_x[:, 0]
