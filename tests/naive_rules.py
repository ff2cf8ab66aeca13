"""The cost-only rules of docs/rules.md, slowly and obviously: one Python integer, one lane, one cycle at a time.

Each ``<rule>(w, x, rule, rows, cols)`` takes lists of rows of integers and returns the cycles of all
passes of all tiles. ``groups`` of k are cut into passes of ``lanes``.
"""

from itertools import pairwise


def passes(k, group_size, lanes):
    """The k of each pass."""
    found = []
    for group in range(0, k, group_size):
        members = list(range(group, min(group + group_size, k)))
        found += [members[i : i + lanes] for i in range(0, len(members), lanes)]
    return found


def tiles(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]


def ones(value):
    """Positions of the magnitude's ones."""
    return {i for i, digit in enumerate(reversed(f"{abs(value):b}")) if digit == "1"}


def fewest_terms(value):
    """Positions of the non-adjacent form if that has fewer terms than the magnitude, else of the magnitude."""
    left, position, found = abs(value), 0, set()
    while left:
        if left % 2:
            digit = 2 - left % 4  # +1 or -1, so that the next digit is 0
            found.add(position)
            left -= digit
        left //= 2
        position += 1
    return min(ones(value), found, key=len)


def positions(value, rule):
    return fewest_terms(value) if rule.recode else ones(value)


def code(value, bits):
    """Two's complement, lowest bit first."""
    return [(value + (1 << bits)) >> i & 1 for i in range(bits)]


def bits_needed(value):
    """Two's complement bits without the sign's."""
    return next(b for b in range(20) if -(1 << b) <= value < 1 << b)


def run_ahead(costs, ahead):
    """Cycles of units with these ``costs`` per pass, cycle by cycle."""
    done = [0] * len(costs)  # passes ended
    left = [0] * len(costs)  # cycles left of the current pass
    clock, total = 0, len(costs[0])
    while min(done) < total:
        clock += 1
        floor = min(done)
        for u, cost in enumerate(costs):
            if not left[u] and done[u] < total and done[u] <= floor + ahead:
                left[u] = cost[done[u]]
            if left[u]:
                left[u] -= 1
                if not left[u]:
                    done[u] += 1
    return clock


def lockstep(tile_costs):
    """Sum over passes of the slowest unit."""
    return sum(max(column) for column in zip(*tile_costs, strict=True))


def stripes(w, x, rule, rows, cols, bits, steps):
    return len(tiles(w, cols)) * len(steps) * (bits if rule.serial == "weights" else rule.activation_bits)


def shapeshifter(w, x, rule, rows, cols, bits, steps):
    sign = any(a < 0 for row in x for a in row)

    def cost(row, step):
        values = [row[k] if row[k] >= 0 else ~row[k] for k in step]
        used = set().union(*map(ones, values))
        low = min(used, default=0) if rule.trim_low else 0
        return max(1, max(used, default=-1) + 1 + sign - low)

    costs = [[cost(row, step) for step in steps] for row in x]
    return len(tiles(w, cols)) * sum(run_ahead(tile, rule.run_ahead) for tile in tiles(costs, rows))


def loom(w, x, rule, rows, cols, bits, steps):
    sign = any(a < 0 for row in x for a in row)
    total = 0
    for windows in tiles(x, rows):
        for filters in tiles(w, cols):
            for step in steps:
                a_bits = max(bits_needed(row[k]) for row in windows for k in step) + sign
                w_bits = max(bits_needed(row[k]) for row in filters for k in step) + 1
                beats = -(-a_bits // rule.bits_per_cycle)
                total += max(1, beats * (w_bits if rule.weight_precision == "dynamic" else bits))
    return total


def retire(lanes, reach):
    """Bit-Pragmatic's cycles for sets of bit positions."""
    lanes, clock = [set(lane) for lane in lanes], 0
    while any(lanes):
        base = min(min(lane) for lane in lanes if lane)
        for lane in lanes:
            if lane and min(lane) < base + reach:
                lane.remove(min(lane))
        clock += 1
    return max(1, clock)


def pragmatic(w, x, rule, rows, cols, bits, steps):
    units, size = (x, rows) if rule.operand == "activations" else (w, cols)
    costs = [[retire([positions(row[k], rule) for k in step], 2**rule.shifter_bits) for step in steps] for row in units]
    total = sum(run_ahead(tile, rule.run_ahead) for tile in tiles(costs, size))
    return total * (len(tiles(w, cols)) if rule.operand == "activations" else 1)


def laconic(w, x, rule, rows, cols, bits, steps):
    def terms(value):
        return len(positions(value, rule))

    return sum(
        max([1, *(terms(a[k]) * terms(f[k]) for a in windows for f in filters for k in step)])
        for windows in tiles(x, rows)
        for filters in tiles(w, cols)
        for step in steps
    )


def walk(plane, window):
    """Cycles of a check window over a list of bits."""
    position, clock = 0, 0
    while position < len(plane):
        clock += 1
        found = [i for i in range(position, min(position + window, len(plane))) if plane[i]]
        position = found[1] if len(found) > 1 else position + window
    return clock


def bitlet(w, x, rule, rows, cols, bits, steps):
    def cost(row, step):
        if rule.check_window:
            planes = [[int(i in ones(row[k])) for k in step] for i in range(bits)]
            return max(walk(plane, rule.check_window) for plane in planes)
        return max(sum(plane) for plane in zip(*(code(row[k], bits) for k in step), strict=True))

    return sum(lockstep([[cost(row, step) for step in steps] for row in tile]) for tile in tiles(w, cols))


def bitwave(w, x, rule, rows, cols, bits, steps):
    def cost(row, step):
        if not rule.skip_columns:
            return bits - 1
        columns = set().union(*(ones(row[k]) for k in step))
        return max(1, len(columns) + any(row[k] < 0 for k in step) - 1)

    return sum(lockstep([[cost(row, step) for step in steps] for row in tile]) for tile in tiles(w, cols))


def bitvert(w, x, rule, rows, cols, bits, steps):
    if rule.pruning == "redundant":

        def cost(row, step):
            columns = list(zip(*(reversed(code(row[k], bits)) for k in step), strict=True))
            dropped = next((i for i, (_, b) in enumerate(pairwise(columns)) if b != columns[0]), bits - 1)
            return max(1, bits - min(3, dropped))

        return sum(lockstep([[cost(row, step) for step in steps] for row in tile]) for tile in tiles(w, cols))
    stored = {"none": bits, "conservative": min(6, bits), "moderate": min(4, bits)}[rule.pruning]
    kept = [bits if n < rule.sensitive_fraction * len(w) else stored for n in range(len(w))]
    return sum(len(steps) * max(tile) for tile in tiles(kept, cols))


def bitfusion(w, x, rule, rows, cols, bits, steps):
    return len(tiles(w, cols)) * len(steps)


ant = bitfusion
