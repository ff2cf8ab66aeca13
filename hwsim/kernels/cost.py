"""Cycles, traffic and energy of layers and design points: the one place that works them out.

An array costs a layer what `ARRAY_COSTS` says, in both loop orders; `layer_costs` adds buffers and DRAM and picks the
order; `total` adds layers up. `hwsim.pricing` makes the tables.

A *unit* is a matmul layer as one array sees it: int64[U, 16], `UNIT_COLUMNS`, ``MERGED`` being the elements that the
host merges meanwhile, cycles those of all its matmuls with n outer, with m outer; and float64[U, 2] picojoules of the
array likewise. A host operator
is int64[H, 4], `HOST_COLUMNS`. A *buffer* is int64[4], `BUFFER_COLUMNS`, and float64[2] picojoules per read and write.
A point is int64 `POINT_COLUMNS` and float64 `FIGURE_COLUMNS`. A layer's costs are int64 `COUNT_COLUMNS` and
float64[5] picojoules per category of `hwsim.result.CATEGORIES`.
"""

import numba
import numpy as np

from hwsim.kernels import mapping
from hwsim.kernels._jit import jit
from hwsim.kernels.tiles import ceil_div

(
    M, N, K, TILE_ROWS, COLS, STEPS, INPUT_BITS, WEIGHT_BITS, OUTPUT_BITS, ACTIVATION_BITS, MATMULS, TOGETHER, BEAT,
    MERGED, CYCLES,
) = range(15)  # fmt: skip
UNIT_COLUMNS = 16
ELEMENTS, READ_BITS, WRITE_BITS, REPEAT = range(4)
HOST_COLUMNS = 4
CAPACITY, WIDTH, PER_CYCLE, WHOLE_STEPS = range(4)
BUFFER_COLUMNS = 4
"""Bits held, of an access, delivered per cycle (0: as many as the array takes); whether a step is an access."""
(ARRANGEMENT, ACTIVATION, WEIGHT, OUTPUT, PER_TILE, PER_BUFFER, PARTIAL_DRAM, LEAKS, HOST_COUNTS, LANES) = range(10)
POINT_COLUMNS = 10
"""Rows of tables, the output buffer -1 if there is none; flags; lanes of the vector unit."""
DRAM_BITS_PER_CYCLE, DRAM_READ_PJ, DRAM_WRITE_PJ, VECTOR_PJ, LEAKAGE_PJ = range(5)
FIGURE_COLUMNS = 5
(
    TOTAL_CYCLES, COMPUTE_CYCLES, DRAM_CYCLES, ACTIVATION_SUPPLY, WEIGHT_SUPPLY, OUTPUT_SUPPLY, M_OUTER, DRAM_READ,
    DRAM_WRITE, ACTIVATION_WRITES, ACTIVATION_READS, WEIGHT_WRITES, WEIGHT_READS, OUTPUT_WRITES, OUTPUT_READS, HOST,
) = range(16)  # fmt: skip
COUNT_COLUMNS = 16
PE, BUFFERS, DRAM, HOST_ENERGY, LEAKAGE = range(5)
CATEGORIES = 5
ENERGY, ARRAY_ENERGY, BY_CATEGORY = range(3)
"""Of a point's picojoules; `BY_CATEGORY` and the four after it are those of the categories."""

BLOCK = 128
"""Points that one thread prices at a time."""


@jit()
def layer_costs(unit, pe_pj, point, figures, buffers, buffer_pj, sizes, counts, energy):
    """Fills ``counts`` and ``energy`` for a unit; ``sizes`` int64[7] is scratch."""
    activation = buffers[point[ACTIVATION], unit[BEAT]]
    weight = buffers[point[WEIGHT], unit[BEAT]]
    together = unit[TOGETHER] if point[PER_BUFFER] else np.int64(1)
    mapping.measure(
        unit[M], unit[N], unit[TILE_ROWS], unit[COLS], together, unit[INPUT_BITS], unit[WEIGHT_BITS],
        unit[OUTPUT_BITS], activation[CAPACITY], weight[CAPACITY], sizes,
    )  # fmt: skip
    m_outer, activation_passes, weight_passes = mapping.loop_order(sizes, point[PER_BUFFER] != 0)
    count = unit[MATMULS] // together
    m_tiles, n_tiles = sizes[mapping.M_TILES], sizes[mapping.N_TILES]
    beats = unit[STEPS] * m_tiles * n_tiles * unit[MATMULS]
    activation_reads = unit[MATMULS] * n_tiles * unit[M] * unit[K] * unit[ACTIVATION_BITS]
    if activation[WHOLE_STEPS]:
        activation_reads = beats * activation[WIDTH]
    weight_reads = count * m_tiles * sizes[mapping.WEIGHT]
    if weight[WHOLE_STEPS]:
        weight_reads = beats * weight[WIDTH]
    results = count * sizes[mapping.OUTPUT]
    activation_writes = count * activation_passes * sizes[mapping.INPUT]
    if point[OUTPUT] < 0:
        activation_writes += results
    counts[ACTIVATION_WRITES] = ceil_div(activation_writes, activation[WIDTH])
    counts[ACTIVATION_READS] = ceil_div(activation_reads, activation[WIDTH])
    counts[WEIGHT_WRITES] = ceil_div(count * weight_passes * sizes[mapping.WEIGHT], weight[WIDTH])
    counts[WEIGHT_READS] = ceil_div(weight_reads, weight[WIDTH])
    counts[ACTIVATION_SUPPLY] = supply(activation_reads, activation[PER_CYCLE])
    counts[WEIGHT_SUPPLY] = supply(weight_reads, weight[PER_CYCLE])
    counts[OUTPUT_WRITES] = counts[OUTPUT_READS] = counts[OUTPUT_SUPPLY] = 0
    if point[OUTPUT] >= 0:
        output = buffers[point[OUTPUT], unit[BEAT]]
        counts[OUTPUT_WRITES] = counts[OUTPUT_READS] = ceil_div(results, output[WIDTH])
        counts[OUTPUT_SUPPLY] = supply(results, output[PER_CYCLE])
    slowest = max(counts[ACTIVATION_SUPPLY], counts[WEIGHT_SUPPLY], counts[OUTPUT_SUPPLY])
    compute = unit[CYCLES + m_outer]
    cycles, dram_cycles = mapping.total_cycles(
        compute / count, slowest / count, sizes, activation_passes, weight_passes, figures[DRAM_BITS_PER_CYCLE],
        point[PER_TILE] != 0, point[PARTIAL_DRAM] != 0,
    )  # fmt: skip
    counts[TOTAL_CYCLES] = np.int64(cycles) * count
    counts[COMPUTE_CYCLES] = compute
    counts[DRAM_CYCLES] = dram_cycles * count
    counts[M_OUTER] = m_outer
    read = activation_passes * sizes[mapping.INPUT] + weight_passes * sizes[mapping.WEIGHT]
    counts[DRAM_READ] = count * read
    counts[DRAM_WRITE] = results
    counts[HOST] = unit[MERGED] if point[HOST_COUNTS] else 0
    energy[PE] = pe_pj[m_outer]
    energy[BUFFERS] = buffer_energy(counts, point, unit[BEAT], buffer_pj)
    energy[DRAM] = counts[DRAM_READ] * figures[DRAM_READ_PJ] + counts[DRAM_WRITE] * figures[DRAM_WRITE_PJ]
    energy[HOST_ENERGY] = counts[HOST] * figures[VECTOR_PJ]
    energy[LEAKAGE] = counts[TOTAL_CYCLES] * figures[LEAKAGE_PJ] if point[LEAKS] else 0.0


@jit()
def supply(bits, per_cycle):
    """Cycles in which a buffer delivers ``bits``; it keeps up with anything if ``per_cycle`` is 0."""
    return ceil_div(bits, per_cycle) if per_cycle else min(bits, np.int64(1))


@jit()
def buffer_energy(counts, point, beat, buffer_pj):
    """Picojoules of the accesses to all buffers."""
    activation, weight = buffer_pj[point[ACTIVATION], beat], buffer_pj[point[WEIGHT], beat]
    total = counts[ACTIVATION_WRITES] * activation[1] + counts[ACTIVATION_READS] * activation[0]
    total += counts[WEIGHT_WRITES] * weight[1] + counts[WEIGHT_READS] * weight[0]
    if point[OUTPUT] >= 0:
        output = buffer_pj[point[OUTPUT], beat]
        total += counts[OUTPUT_WRITES] * output[1] + counts[OUTPUT_READS] * output[0]
    return total


@jit()
def host_costs(host, beat, point, figures, buffers, buffer_pj, counts, energy):
    """Fills ``counts`` and ``energy`` for a host operator."""
    counts[:] = 0
    energy[:] = 0.0
    counts[TOTAL_CYCLES] = counts[COMPUTE_CYCLES] = ceil_div(host[ELEMENTS], point[LANES]) * host[REPEAT]
    counts[HOST] = host[ELEMENTS] * host[REPEAT]
    activation = buffers[point[ACTIVATION], beat]
    counts[ACTIVATION_READS] = ceil_div(host[READ_BITS] * host[REPEAT], activation[WIDTH])
    written = host[WRITE_BITS] * host[REPEAT]
    if point[OUTPUT] < 0:
        counts[ACTIVATION_WRITES] = ceil_div(written, activation[WIDTH])
    else:
        counts[OUTPUT_WRITES] = ceil_div(written, buffers[point[OUTPUT], beat, WIDTH])
    energy[BUFFERS] = buffer_energy(counts, point, beat, buffer_pj)
    energy[HOST_ENERGY] = counts[HOST] * figures[VECTOR_PJ]
    energy[LEAKAGE] = counts[TOTAL_CYCLES] * figures[LEAKAGE_PJ] if point[LEAKS] else 0.0


@jit()
def layer_energy(energy):
    """Picojoules of all categories."""
    return energy[PE] + energy[BUFFERS] + energy[DRAM] + energy[HOST_ENERGY] + energy[LEAKAGE]


@jit()
def total(order, units, host_counts, counts, energy, cycles, picojoules):
    """Adds up the layers in the order of ``order``: rows of ``counts``, of which the first ``units`` are matmuls.

    ``cycles`` int64[2] are those of all layers and of matmuls, ``picojoules`` float64[7] likewise and of each category.
    """
    cycles[:] = 0
    picojoules[:] = 0.0
    for row in order:
        if row >= units and not host_counts:
            continue
        each = layer_energy(energy[row])
        cycles[0] += counts[row, TOTAL_CYCLES]
        picojoules[ENERGY] += each
        if row < units:
            cycles[1] += counts[row, TOTAL_CYCLES]
            picojoules[ARRAY_ENERGY] += each
        for category in range(CATEGORIES):
            picojoules[BY_CATEGORY + category] += energy[row, category]


@jit()
def point_costs(
    point, figures, arrangements, units, pe_pj, order, hosts, buffers, buffer_pj, counts, energy, cycles, picojoules
):
    """Prices one point: ``counts`` [units + hosts, 16] and ``energy`` [units + hosts, 5] of its layers, and totals.

    A row of ``arrangements`` is int64 ``[first unit, units, first of order, layers, beat of the default array]``.
    """
    arrangement = arrangements[point[ARRANGEMENT]]
    first, size = arrangement[0], arrangement[1]
    sizes = np.empty(7, dtype=np.int64)
    for u in range(size):
        layer_costs(units[first + u], pe_pj[first + u], point, figures, buffers, buffer_pj, sizes, counts[u], energy[u])
    if point[HOST_COUNTS]:
        for h in range(len(hosts)):
            host_costs(hosts[h], arrangement[4], point, figures, buffers, buffer_pj, counts[size + h], energy[size + h])
    total(order[arrangement[2] :][: arrangement[3]], size, point[HOST_COUNTS] != 0, counts, energy, cycles, picojoules)


@jit(parallel=True)
def price(points, figures, arrangements, units, pe_pj, order, hosts, buffers, buffer_pj, cycles, picojoules):
    """`point_costs` of many points: ``cycles`` int64[P, 2] and ``picojoules`` float64[P, 7]."""
    rows = arrangements[:, 1].max() + len(hosts)
    for block in numba.prange(ceil_div(len(points), BLOCK)):
        counts = np.empty((rows, COUNT_COLUMNS), dtype=np.int64)
        energy = np.empty((rows, CATEGORIES))
        for p in range(block * BLOCK, min((block + 1) * BLOCK, len(points))):
            point_costs(
                points[p], figures[p], arrangements, units, pe_pj, order, hosts, buffers, buffer_pj, counts, energy,
                cycles[p], picojoules[p],
            )  # fmt: skip
