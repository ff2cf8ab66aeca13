"""Look-up in the two-dimensional tables of a cell library."""

import numpy as np

from hwsim.kernels._jit import jit


@jit()
def _segment(axis: np.ndarray, x: float) -> int:
    """Index i such that x lies between axis[i] and axis[i + 1], or beyond the nearer end."""
    low, high = 0, axis.size - 2
    while low < high:
        middle = (low + high + 1) // 2
        if x < axis[middle]:
            high = middle - 1
        else:
            low = middle
    return low


@jit()
def lookup(slew_axis: np.ndarray, load_axis: np.ndarray, values: np.ndarray, slew: float, load: float) -> float:
    """Bilinear interpolation, linear beyond the ends; an axis of one point makes no difference.

    ``values`` is float64[slews, loads], the axes float64 and increasing.
    """
    i = j = 0
    s = t = 0.0
    if slew_axis.size > 1:
        i = _segment(slew_axis, slew)
        s = (slew - slew_axis[i]) / (slew_axis[i + 1] - slew_axis[i])
    if load_axis.size > 1:
        j = _segment(load_axis, load)
        t = (load - load_axis[j]) / (load_axis[j + 1] - load_axis[j])
    result = values[i, j]
    if slew_axis.size > 1:
        result += s * (values[i + 1, j] - values[i, j])
    if load_axis.size > 1:
        result += t * (values[i, j + 1] - values[i, j])
    if slew_axis.size > 1 and load_axis.size > 1:
        result += s * t * (values[i + 1, j + 1] - values[i + 1, j] - values[i, j + 1] + values[i, j])
    return result


@jit()
def lookup_pooled(pool: tuple, table: int, slew: float, load: float) -> float:
    """`lookup` in table number ``table`` of a pool (axis_start, sizes, axes, value_start, values); 0 for number -1.

    The axes of table t are axes[axis_start[t]:], sizes[t, 0] slews, then sizes[t, 1] loads.
    """
    if table < 0:
        return 0.0
    axis_start, sizes, axes, value_start, values = pool
    slews, loads = sizes[table, 0], sizes[table, 1]
    first = axis_start[table]
    start = value_start[table]
    return lookup(
        axes[first : first + slews],
        axes[first + slews : first + slews + loads],
        values[start : start + slews * loads].reshape((slews, loads)),
        slew,
        load,
    )


@jit()
def lookup_all(pool: tuple, table: np.ndarray, slew: np.ndarray, load: np.ndarray, out: np.ndarray) -> None:
    """``out[i]`` = table[i] at slew[i] and load[i]; all of shape [n]."""
    for i in range(table.size):
        out[i] = lookup_pooled(pool, table[i], slew[i], load[i])


@jit()
def propagate_slews(pool, gate_net, arc_start, source, in_edge, out_edge, transition, delay, enabled, load, slew, out):
    """Worst slews in levelised order, and the delay of every arc at them.

    Arcs arc_start[g]:arc_start[g + 1] end at gate_net[g]; ``transition`` and ``delay`` are table numbers, edges
    are 0 (rise) and 1 (fall). ``load`` and ``slew`` are float64[nets, 2]; slews of sources are given, others start
    at 0 and are set from the ``enabled`` arcs; delays go into ``out`` float64[arcs].
    """
    for gate in range(gate_net.size):
        net = gate_net[gate]
        for arc in range(arc_start[gate], arc_start[gate + 1]):
            edge = out_edge[arc]
            given = slew[source[arc], in_edge[arc]]
            out[arc] = max(0.0, lookup_pooled(pool, delay[arc], given, load[net, edge]))
            if enabled[arc]:
                slew[net, edge] = max(slew[net, edge], lookup_pooled(pool, transition[arc], given, load[net, edge]))
