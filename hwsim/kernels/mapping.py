"""Loop order, DRAM traffic and cycles of one matmul, compiled; see `hwsim.mapping`.

``sizes`` is int64 ``[m_tiles, n_tiles, input_bits, weight_bits, output_bits,
activation_buffer_bits, weight_buffer_bits]``; input, weight and output bits are those of
the whole matmul, each element once.
"""

import numpy as np

from hwsim.kernels._jit import jit
from hwsim.kernels.tiles import ceil_div

M_TILES, N_TILES, INPUT, WEIGHT, OUTPUT, ACTIVATION_BUFFER, WEIGHT_BUFFER = range(7)


@jit()
def measure(
    m, n, tile_rows, cols, together, input_bits, weight_bits, output_bits, activation_buffer_bits, weight_buffer_bits,
    sizes,
):  # fmt: skip
    """Fills ``sizes`` for ``together`` equal matmuls whose operands move together; bits are those of one."""
    sizes[M_TILES] = ceil_div(m, tile_rows)
    sizes[N_TILES] = ceil_div(n, cols)
    sizes[INPUT] = together * input_bits
    sizes[WEIGHT] = together * weight_bits
    sizes[OUTPUT] = together * output_bits
    sizes[ACTIVATION_BUFFER] = activation_buffer_bits
    sizes[WEIGHT_BUFFER] = weight_buffer_bits


@jit()
def passes(sizes, m_outer, per_buffer=False):
    """How often all activations and all weights are read from DRAM in the given loop order.

    The operand of the inner loop is read once if it fits its buffer as a whole; that of
    the outer loop if one tile fits twice (double buffering). ``per_buffer``: the outer operand is
    read once, a buffer full at a time, each of which the inner one passes if it does not fit.
    """
    if per_buffer:
        if m_outer:
            weights_fit = sizes[WEIGHT] <= sizes[WEIGHT_BUFFER]
            again = np.int64(1) if weights_fit else ceil_div(sizes[INPUT], sizes[ACTIVATION_BUFFER])
            return np.int64(1), again
        activations_fit = sizes[INPUT] <= sizes[ACTIVATION_BUFFER]
        again = np.int64(1) if activations_fit else ceil_div(sizes[WEIGHT], sizes[WEIGHT_BUFFER])
        return again, np.int64(1)
    activation_tile = ceil_div(sizes[INPUT], sizes[M_TILES])
    weight_tile = ceil_div(sizes[WEIGHT], sizes[N_TILES])
    activations_fit = sizes[INPUT] <= sizes[ACTIVATION_BUFFER]
    weights_fit = sizes[WEIGHT] <= sizes[WEIGHT_BUFFER]
    if m_outer:
        activations_fit = activations_fit or 2 * activation_tile <= sizes[ACTIVATION_BUFFER]
    else:
        weights_fit = weights_fit or 2 * weight_tile <= sizes[WEIGHT_BUFFER]
    activation_passes = np.int64(1) if activations_fit else sizes[N_TILES]
    weight_passes = np.int64(1) if weights_fit else sizes[M_TILES]
    return activation_passes, weight_passes


@jit()
def loop_order(sizes, per_buffer=False):
    """``(m_outer, activation_passes, weight_passes)`` with fewer DRAM bits; tie: n outer."""
    best = passes(sizes, False, per_buffer)
    other = passes(sizes, True, per_buffer)
    if other[0] * sizes[INPUT] + other[1] * sizes[WEIGHT] < best[0] * sizes[INPUT] + best[1] * sizes[WEIGHT]:
        return np.int64(1), other[0], other[1]
    return np.int64(0), best[0], best[1]


@jit()
def total_cycles(compute, buffer, sizes, activation_passes, weight_passes, bits_per_cycle, per_tile, round_up=True):
    """Cycles of a matmul with memory: ``(total, DRAM cycles)``, int64.

    ``compute`` and ``buffer`` are its cycles bound by the array and by the busiest buffer.
    Over the layer: the largest of the three. Per tile (double-buffered): for each tile the
    largest of its even share of compute and buffer cycles and of its own DRAM transfers, plus
    the first tile's load and the last tile's store. Without ``round_up`` a last cycle in which
    DRAM moves less than it could is free.
    """
    bits = activation_passes * sizes[INPUT] + weight_passes * sizes[WEIGHT] + sizes[OUTPUT]
    dram = np.int64(np.ceil(bits / bits_per_cycle) if round_up else np.floor(bits / bits_per_cycle))
    if not per_tile:
        return max(compute, buffer, dram), dram
    m_tiles, n_tiles = sizes[M_TILES], sizes[N_TILES]
    count = m_tiles * n_tiles
    busy = max(compute, buffer) / count
    activation = sizes[INPUT] / m_tiles / bits_per_cycle
    weight = sizes[WEIGHT] / n_tiles / bits_per_cycle
    store = sizes[OUTPUT] / count / bits_per_cycle
    both = np.int64(1)
    weights_only = n_tiles - 1
    activations_only = m_tiles - 1
    neither = count - both - weights_only - activations_only
    if activation_passes > 1:
        both, weights_only, activations_only, neither = n_tiles, np.int64(0), count - n_tiles, np.int64(0)
    if weight_passes > 1:
        both, weights_only = both + activations_only, weights_only + neither
        activations_only, neither = np.int64(0), np.int64(0)
    total = activation + weight + store
    total += both * max(busy, activation + weight + store)
    total += weights_only * max(busy, weight + store)
    total += activations_only * max(busy, activation + store)
    total += neither * max(busy, store)
    return np.int64(np.ceil(total)), dram
