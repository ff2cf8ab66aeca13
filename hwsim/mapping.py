"""How a matmul becomes tiles: sizes, loop order and refetches. The only place that decides it.

Simulator and RTL benches iterate the same sequence.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from hwsim.datapath import Array
from hwsim.kernels import mapping as kernels


@dataclasses.dataclass(frozen=True)
class Tile:
    """Outputs ``[m0:m1, n0:n1]`` of a matmul, over all of K."""

    m0: int
    m1: int
    n0: int
    n1: int


@dataclasses.dataclass(frozen=True)
class Mapping:
    """Loop order and DRAM traffic of one matmul, or of ``matmuls`` equal ones whose operands move together.

    Attributes:
        m_outer: whether the loop over row tiles is the outer one.
        activation_passes, weight_passes: how often each operand is read from DRAM.
        sizes: what `hwsim.kernels.mapping` calls sizes; its tiles are those of one matmul.
    """

    m_outer: bool
    activation_passes: int
    weight_passes: int
    sizes: np.ndarray
    matmuls: int = 1

    @property
    def dram_read_bits(self) -> int:
        """Bits read from DRAM."""
        activation = self.activation_passes * int(self.sizes[kernels.INPUT])
        return activation + self.weight_passes * int(self.sizes[kernels.WEIGHT])

    @property
    def dram_write_bits(self) -> int:
        """Bits written to DRAM."""
        return int(self.sizes[kernels.OUTPUT])


def tiles(m: int, n: int, array: Array, m_outer: bool = False) -> Iterator[Tile]:
    """The tiles of an [m, n] output in the order in which they run."""
    rows = [(low, min(low + array.tile_rows, m)) for low in range(0, m, array.tile_rows)]
    cols = [(low, min(low + array.cols, n)) for low in range(0, n, array.cols)]
    if m_outer:
        yield from (Tile(*row, *col) for row in rows for col in cols)
    else:
        yield from (Tile(*row, *col) for col in cols for row in rows)


def map_matmul(
    m: int,
    n: int,
    array: Array,
    *,
    input_bits: int,
    weight_bits: int,
    output_bits: int,
    activation_buffer_bits: int,
    weight_buffer_bits: int,
    together: int | None = None,
) -> Mapping:
    """The loop order with fewer DRAM bits (tie: n outer); bits are those of each whole operand.

    An operand that does not stay on chip is read again for every outer tile or, if ``together`` says how many
    matmuls share the buffers, for every buffer full of their other operands.
    """
    count = together or 1
    sizes = np.empty(7, dtype=np.int64)
    kernels.measure(
        m, n, array.tile_rows, array.cols, count, input_bits, weight_bits, output_bits, activation_buffer_bits,
        weight_buffer_bits, sizes,
    )  # fmt: skip
    m_outer, activation_passes, weight_passes = kernels.loop_order(sizes, together is not None)
    return Mapping(bool(m_outer), int(activation_passes), int(weight_passes), sizes, count)
