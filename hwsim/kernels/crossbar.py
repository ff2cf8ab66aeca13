"""Currents of resistive crossbars: columns of cells on a bit line, opened row by row.

Conductances are in siemens, row 0 next to the sense amplifier; currents are per volt between bit line and source line.
A row's cells conduct where its gate is open; closed rows only add wire. Sums have a fixed order, in the conductances'
own precision.
"""

import math

import numpy as np

from hwsim.kernels._jit import jit
from hwsim.kernels.lanes import AT_ONCE, LANES, above, add_rows, climb, extend

BLOCK = 4
"""Inputs whose sums are looked up together: 2**BLOCK sums per column."""
CERTAIN = 8.5
"""Standard deviations beyond which noise changes no decision: probability below 1e-16."""


@jit()
def pack(values, packed):
    """``packed[tile, k, lane]`` of ``values[k, n]``: LANES columns to a tile, missing ones as they are."""
    for tile in range(packed.shape[0]):
        width = min(LANES, values.shape[1] - tile * LANES)
        for k in range(values.shape[0]):
            for lane in range(width):
                packed[tile, k, lane] = values[k, tile * LANES + lane]


@jit()
def _tables(base, change, low, tables):
    """Sums of every pattern of AT_ONCE blocks of BLOCK inputs from ``low``: ``tables[block, pattern]``.

    Of ``base[k]`` of each input, and ``change[k]`` of those whose bit is 1; rows of LANES.
    """
    count = base.shape[0]
    for block in range(AT_ONCE):
        first = low + block * BLOCK
        tables[block, 0] = 0
        for k in range(first, min(first + BLOCK, count)):
            for c in range(LANES):
                tables[block, 0, c] += base[k, c]
        for top in range(min(BLOCK, count - first)):
            extend(tables[block], change[first + top], top)


@jit()
def _tile_sums(patterns, base, change, tables, total):
    """``total[m, lane]`` of one group and tile; ``patterns`` uint8[M, blocks]."""
    total[:] = 0
    for block in range(0, -(-base.shape[0] // BLOCK), AT_ONCE):
        _tables(base, change, block * BLOCK, tables)
        for m in range(patterns.shape[0]):
            add_rows(tables, patterns[m, block : block + AT_ONCE], total[m])


@jit()
def sums(patterns, base, change, starts, out):
    """``out[g, tile, m, lane]``: sum over the inputs k of g of ``base[k]``, and of ``change[k]`` where its bit is 1.

    ``base`` and ``change`` are packed; ``starts`` int64[G + 1] bounds the groups; ``patterns`` uint8[G, M, blocks] has
    their bits, BLOCK to an entry and 0 beyond the group, blocks a multiple of AT_ONCE.
    """
    tables = np.zeros((AT_ONCE, 1 << BLOCK, LANES), base.dtype)
    for g in range(starts.size - 1):
        low, high = starts[g], starts[g + 1]
        for tile in range(base.shape[0]):
            _tile_sums(patterns[g], base[tile, low:high], change[tile, low:high], tables, out[g, tile])


@jit()
def _vote(fires, invert, window, votes):
    """Adds bits [M, lane] of one group, pooled over windows, to the votes [M / window, lane] of its columns.

    An inverted bit is 1 where a sense amplifier's is 0; the largest sum of a window decides, so all of them must be 0.
    ``fires`` is used up.
    """
    for output in range(votes.shape[0]):
        first, votes_of = fires[output * window], votes[output]
        for m in range(output * window + 1, (output + 1) * window):
            other = fires[m]
            for lane in range(LANES):
                first[lane] |= other[lane]
        for lane in range(LANES):
            votes_of[lane] += first[lane] ^ invert[lane]


@jit()
def sense(patterns, base, change, starts, references, invert, window, votes):
    """Adds to ``votes`` uint16[tiles, M / window, LANES] the groups whose columns' `sums` are above ``references``.

    References, and ``invert`` uint8, which turns decisions around, are [tiles, G, LANES]; the decisions of ``window``
    consecutive vectors are pooled.
    """
    tables = np.zeros((AT_ONCE, 1 << BLOCK, LANES), base.dtype)
    total = np.empty((patterns.shape[1], LANES), base.dtype)
    fires = np.zeros((patterns.shape[1], LANES), np.uint8)
    for g in range(starts.size - 1):
        low, high = starts[g], starts[g + 1]
        for tile in range(base.shape[0]):
            _tile_sums(patterns[g], base[tile, low:high], change[tile, low:high], tables, total)
            for m in range(patterns.shape[1]):
                above(total[m], references[tile, g], fires[m])
            _vote(fires, invert[tile, g], window, votes[tile])


@jit()
def decide(currents, references, invert, window, votes):
    """As `sense`, for currents [G, tiles, M, LANES] that are known."""
    fires = np.zeros((currents.shape[2], LANES), np.uint8)
    for g in range(currents.shape[0]):
        for tile in range(currents.shape[1]):
            for m in range(currents.shape[2]):
                above(currents[g, tile, m], references[tile, g], fires[m])
            _vote(fires, invert[tile, g], window, votes[tile])


@jit()
def _hash(x):
    """uint64 to uint64: the finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@jit()
def normal(u):
    """The standard normal variable below which a share ``u`` of (0, 1) lies, to 1e-16: Wichura's AS 241."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = ((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r
                  + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r
               + 133.14166789178437745) * r + 3.387132872796366608  # fmt: skip
        low = ((((((5226.495278852854561 * r + 28729.085735721942674) * r + 39307.89580009271061) * r
                  + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r
               + 42.313330701600911252) * r + 1.0  # fmt: skip
        return q * top / low
    r = math.sqrt(-math.log(u if q < 0 else 1.0 - u))
    if r <= 5.0:
        r -= 1.6
        top = ((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r
                  + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r
               + 4.6303378461565452959) * r + 1.42343711074968357734  # fmt: skip
        low = ((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r
                  + 0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r
               + 2.05319162663775882187) * r + 1.0  # fmt: skip
    else:
        r -= 5.0
        top = ((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r
                  + 0.026532189526576123093) * r + 0.29656057182850489123) * r + 1.7848265399172913358) * r
               + 5.4637849111641143699) * r + 6.6579046435011037772  # fmt: skip
        low = ((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
                  + 7.868691311456132591e-4) * r + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
               + 0.59983220655588793769) * r + 1.0  # fmt: skip
    return top / low if q > 0 else -top / low


@jit()
def noise(seed, index):
    """Standard normal variable number ``index`` of stream ``seed``, both uint64."""
    bits = _hash(_hash(seed + np.uint64(0x9E3779B97F4A7C15)) ^ _hash(index * np.uint64(0x9E3779B97F4A7C15)))
    return normal((np.float64(bits >> np.uint64(11)) + 0.5) * 2.0**-53)


@jit()
def _noisy(current, reference, variance, seed, index):
    """Whether a current with noise is above the reference; no number is drawn where noise cannot decide."""
    margin = current - reference
    if margin * margin >= CERTAIN * CERTAIN * variance:
        return margin > 0
    return margin + math.sqrt(variance) * noise(seed, index) > 0


@jit()
def _noisy_tile(total, spread, references, variance, seed, index, fires):
    """Decisions of one group and tile; ``index`` numbers their random numbers."""
    for m in range(total.shape[0]):
        for lane in range(LANES):
            number = index + np.uint64(m * LANES + lane)
            fires[m, lane] = _noisy(total[m, lane], references[lane], spread[m, lane] + variance, seed, number)


@jit()
def sense_noisy(
    patterns, base, change, base_squares, change_squares, starts, references, variance, invert, window, seed, votes
):  # fmt: skip
    """As `sense`, with normal noise drawn for each decision from stream ``seed``.

    Its variance is ``variance`` plus the `sums` of the squares, packed as ``base`` and ``change`` are.
    """
    vectors = patterns.shape[1]
    tables = np.zeros((AT_ONCE, 1 << BLOCK, LANES), base.dtype)
    total = np.empty((vectors, LANES), base.dtype)
    spread = np.empty((vectors, LANES), base.dtype)
    fires = np.zeros((vectors, LANES), np.uint8)
    for g in range(starts.size - 1):
        low, high = starts[g], starts[g + 1]
        for tile in range(base.shape[0]):
            _tile_sums(patterns[g], base[tile, low:high], change[tile, low:high], tables, total)
            _tile_sums(
                patterns[g], base_squares[tile, low:high], change_squares[tile, low:high], tables, spread
            )  # fmt: skip
            index = np.uint64((g * base.shape[0] + tile) * vectors * LANES)
            _noisy_tile(total, spread, references[tile, g], variance, seed, index, fires)
            _vote(fires, invert[tile, g], window, votes[tile])


@jit()
def decide_noisy(currents, spreads, references, variance, invert, window, seed, votes):
    """As `sense_noisy`, for currents and variances [G, tiles, M, LANES] that are known."""
    groups, tiles, vectors, _ = currents.shape
    fires = np.zeros((vectors, LANES), np.uint8)
    for g in range(groups):
        for tile in range(tiles):
            index = np.uint64((g * tiles + tile) * vectors * LANES)
            _noisy_tile(currents[g, tile], spreads[g, tile], references[tile, g], variance, seed, index, fires)
            _vote(fires, invert[tile, g], window, votes[tile])


@jit()
def _open(gates, wire, rows_of, pieces):
    """Per vector the open rows from the far end, and the wire from each to the next nearer one; returns how many."""
    most = gates.shape[1]
    counts = np.zeros(gates.shape[0], np.int64)
    for m in range(gates.shape[0]):
        count = 0
        for row in range(most - 1, -1, -1):
            if gates[m, row]:
                rows_of[m, count] = row
                count += 1
        for i in range(count):
            nearer = rows_of[m, i + 1] if i + 1 < count else -1
            pieces[m, i] = wire * (rows_of[m, i] - nearer)
        counts[m] = count
    return counts


@jit()
def ladder(gates, conductance, wire, out):
    """``out[tile, m, lane]``: current of each column with gates uint8[M, rows], ``wire`` ohms between cells; exact.

    ``conductance`` is packed [tiles, rows, LANES]. One line is resistive, or both with the source line held at the
    sense amplifier: ``wire`` is their sum. Seen from the far end the voltage grows by ``wire * current`` per piece and
    the current by ``conductance * voltage`` per open cell; sums of positive terms, so that nothing cancels. The result
    is current over voltage at the driven end.
    """
    rows_of = np.empty(gates.shape, np.int64)
    pieces = np.empty(gates.shape, conductance.dtype)
    counts = _open(gates, wire, rows_of, pieces)
    ends = np.empty((2, LANES), conductance.dtype)
    for tile in range(conductance.shape[0]):
        for m in range(gates.shape[0]):
            climb(conductance[tile], rows_of[m], pieces[m], counts[m], ends)
            for lane in range(LANES):
                out[tile, m, lane] = ends[1, lane] / ends[0, lane]


@jit()
def far_fed(gates, conductance, bit_wire, source_wire, out):
    """``out[m, n]``: as `ladder`, with a resistive source line that is held at its far end; exact.

    What lies beyond a row is a triangle of conductances: bit line to source line, either line to the held end. Cells
    and pieces of wire are added to it one by one; all terms are positive.
    """
    rows, cols = conductance.shape
    for m in range(gates.shape[0]):
        for n in range(cols):
            across, bit, source = 0.0, 0.0, 1.0 / source_wire
            for row in range(rows - 1, -1, -1):
                if gates[m, row]:
                    across += conductance[row, n]
                if row == 0:
                    break
                product = across * bit + across * source + bit * source
                scale = 1.0 + bit_wire * (across + bit) + source_wire * (across + source)
                scale += bit_wire * source_wire * product
                bit, source = (bit + source_wire * product) / scale, (source + bit_wire * product) / scale
                across /= scale
            seen = bit + across * source / (across + source)
            out[m, n] = seen / (1.0 + bit_wire * seen)


@jit()
def attenuation(mean, wire, out):
    """``out[row, n]``: voltage at each cell over that at the driven end, in a ladder of conductances ``mean``."""
    rows, cols = mean.shape
    volts, amperes = np.ones(cols), np.zeros(cols)
    for row in range(rows - 1, -1, -1):
        for n in range(cols):
            out[row, n] = volts[n]
            amperes[n] += mean[row, n] * volts[n]
            volts[n] += wire * amperes[n]
    for row in range(rows):
        for n in range(cols):
            out[row, n] /= volts[n]
