"""A column of a crossbar as a network of resistors, solved node by node."""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg


def column_current(gates, conductance, bit_ohm, source_ohm=0.0, feed="near"):
    """Current per volt of one column: the sum of what its open cells carry.

    Bit line nodes 0 .. n-1 from the sense amplifier, held at 1 V behind one piece of wire; source line nodes likewise,
    at 0 V behind a piece at the end that feeds them, or all at 0 V if the line is ideal.
    """
    n = len(conductance)
    open_g = np.where(gates, conductance, 0.0).astype(np.float64)
    if bit_ohm == 0 and source_ohm == 0:
        return open_g.sum()
    ideal_source = source_ohm == 0
    size = n if ideal_source else 2 * n
    rows, cols, values = [], [], []
    diagonal = np.zeros(size)
    right = np.zeros(size)

    def join(a, b, g):
        diagonal[[a, b]] += g
        rows.extend((a, b))
        cols.extend((b, a))
        values.extend((-g, -g))

    for i in range(n):
        if i:
            join(i - 1, i, 1 / bit_ohm)
            if not ideal_source:
                join(n + i - 1, n + i, 1 / source_ohm)
        if open_g[i]:
            if ideal_source:
                diagonal[i] += open_g[i]
            else:
                join(i, n + i, open_g[i])
    diagonal[0] += 1 / bit_ohm
    right[0] = 1 / bit_ohm
    if not ideal_source:
        diagonal[n if feed == "near" else 2 * n - 1] += 1 / source_ohm
    index = np.arange(size)
    matrix = scipy.sparse.csc_matrix(
        (np.concatenate([diagonal, values]), (np.concatenate([index, rows]), np.concatenate([index, cols]))),
        shape=(size, size),
    )
    factors = scipy.sparse.linalg.splu(matrix)
    volts = factors.solve(right)
    volts += factors.solve(right - matrix @ volts)
    across = volts[:n] if ideal_source else volts[:n] - volts[n:]
    return float((open_g * across).sum())


def netlist(gates, conductance, bit_ohm, source_ohm, feed):
    """The same column for ngspice, which prints the current of the source."""
    n = len(conductance)
    lines = ["column", "v1 drive 0 dc 1", f"rb0 drive b0 {bit_ohm!r}"]
    lines += [f"rb{i} b{i - 1} b{i} {bit_ohm!r}" for i in range(1, n)]
    held = 0 if feed == "near" else n - 1
    if source_ohm:
        lines += [f"rs{i} s{i - 1} s{i} {source_ohm!r}" for i in range(1, n)] + [f"rsh s{held} 0 {source_ohm!r}"]
    for i in range(n):
        if gates[i]:
            lines.append(f"rc{i} b{i} {f's{i}' if source_ohm else '0'} {1 / float(conductance[i])!r}")
    lines += [".options reltol=1e-12 abstol=1e-18 vntol=1e-15 gmin=1e-30", ".control", "op", "set numdgt=15"]
    return "\n".join([*lines, "print i(v1)", "quit", ".endc", ".end", ""])
