"""How a matmul becomes tiles: sizes and order. The only place that decides it.

Simulator and RTL benches iterate the same sequence.
"""

import dataclasses
from collections.abc import Iterator

from hwsim.datapath import Array


@dataclasses.dataclass(frozen=True)
class Tile:
    """Outputs ``[m0:m1, n0:n1]`` of a matmul, over all of K."""

    m0: int
    m1: int
    n0: int
    n1: int


def tiles(m: int, n: int, array: Array, m_outer: bool = False) -> Iterator[Tile]:
    """The tiles of an [m, n] output in the order in which they run."""
    rows = [(low, min(low + array.rows, m)) for low in range(0, m, array.rows)]
    cols = [(low, min(low + array.cols, n)) for low in range(0, n, array.cols)]
    if m_outer:
        yield from (Tile(*row, *col) for row in rows for col in cols)
    else:
        yield from (Tile(*row, *col) for col in cols for row in rows)
