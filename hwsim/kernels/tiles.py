"""Cycles of a sequence of tiles on the output-stationary array (docs/hardware.md, Cycles).

``shape`` is int64 ``[M, N, K, group_size, m_outer]`` of one matmul; ``m_outer`` is 1 when
the loop over row tiles is the outer one.
"""

import numpy as np

from hwsim.kernels._jit import jit

M, N, K, GROUP_SIZE, M_OUTER = range(5)

REQUANTIZER_STAGES = 3
"""Register stages of the output requantizer."""


@jit()
def ceil_div(a, b):
    """a / b rounded up, for positive integers."""
    return (a + b - 1) // b


@jit()
def steps(k, group_size, lanes):
    """Steps of a tile: each group takes ceil(group / lanes), the last may be shorter."""
    whole = k // group_size
    return whole * ceil_div(group_size, lanes) + ceil_div(k - whole * group_size, lanes)


@jit()
def matmul_cycles(shape, tile_cycles, stride, rows, cols, scale_stage):
    """Cycles of one matmul whose column tile n computes for ``tile_cycles[stride * n]`` cycles."""
    m_tiles = ceil_div(shape[M], rows)
    n_tiles = ceil_div(shape[N], cols)
    last_rows = shape[M] - (m_tiles - 1) * rows
    total = tile_cycles[0] + last_rows + scale_stage + REQUANTIZER_STAGES + 2
    if shape[M_OUTER]:
        total += (m_tiles - 1) * max(tile_cycles[0], rows)
        for n in range(1, n_tiles):
            compute = tile_cycles[stride * n]
            total += (m_tiles - 1) * max(compute, rows) + max(compute, last_rows)
    else:
        for n in range(n_tiles):
            compute = tile_cycles[stride * n]
            total += (m_tiles - 1) * max(compute, rows)
            if n:
                total += max(compute, last_rows)
    return np.int64(total)
