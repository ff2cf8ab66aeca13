"""What currents are compared with: nominal, replica and trimmed references, offsets of sense amplifiers."""

import itertools

import numpy as np

from hwsim.crossbar.cells import program
from hwsim.crossbar.parameters import Device, Wires
from hwsim.crossbar.wiring import Columns, Mapping, affine, untiled

REPLICAS = 8
"""Reference columns per group of inputs."""
VECTORS = 128
"""Random input vectors that replicas and columns are measured with."""


def nominal(device: Device, mapping: Mapping, sizes: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """float64[G, N]: halfway between the currents of ``thresholds`` - 1 and of ``thresholds``, in currents of one cell,
    for ``sizes`` [G] inputs."""
    floor = device.g_off * sizes[:, None] if mapping == "xnor" else 0.0
    return floor + device.window * (thresholds - 0.5)


def replica_factor(
    device: Device, mapping: Mapping, wires: Wires, starts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """float64[G]: current of columns that half of the inputs match, over its nominal value.

    Of an XNOR column both cells of every other pair are on, so that it does not matter what the inputs are; of
    differential columns every other cell of one line.
    """
    on = np.zeros((2, starts[-1], REPLICAS), bool)
    for low, high in itertools.pairwise(starts):
        on[: 2 if mapping == "xnor" else 1, low:high:2] = True
    cells = program(device, on, rng)
    bits = rng.integers(0, 2, (VECTORS, starts[-1]), dtype=np.uint8)
    if mapping == "differential":
        cells[1] = 0
    currents = untiled(Columns(cells, starts, mapping, wires).exact(bits), REPLICAS)
    seen = currents.mean(axis=(1, 2), dtype=np.float64)
    ideal = np.where(on[0], device.g_on, device.g_off).mean(axis=1)
    share = np.ones(bits.shape) if mapping == "xnor" else bits
    expected = (share * ideal).mean(axis=0)
    return seen / np.add.reduceat(expected, starts[:-1])


def trimmed(currents: np.ndarray, counts: np.ndarray, thresholds: np.ndarray, window: float) -> np.ndarray:
    """float64[G, N]: each column's own reference, from measured ``currents`` [G, M, N] for known ``counts``.

    Counts are ideal currents in those of one cell; the line through both tells the current between ``thresholds`` - 1
    and ``thresholds``.
    """
    slope, intercept = affine(counts.astype(np.float64) * window, currents.astype(np.float64))
    return intercept + slope * window * (thresholds - 0.5)


def offsets(
    sigma: float, groups: int, outputs: int, cols: int, columns_per_sense: int, rng: np.random.Generator
) -> np.ndarray:
    """float64[G, N]: offset of the sense amplifier of each column; ``columns_per_sense`` columns share one."""
    per_crossbar = -(-cols // columns_per_sense)
    drawn = sigma * rng.standard_normal((groups, -(-outputs // cols) * per_crossbar))
    n = np.arange(outputs)
    return drawn[:, n // cols * per_crossbar + n % cols // columns_per_sense]
