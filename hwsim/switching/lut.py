"""Toggles of look-up arrays."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.switching.accumulation import accumulated
from hwsim.switching.bits import before, row_toggles, toggles, product_toggles
from hwsim.switching.steps import Steps

if TYPE_CHECKING:
    from hwsim.datapaths.lut import Lut

CONSTANT_BITS = 10


def count(datapath: "Lut", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    at = Steps.of(datapath, x, w)
    signs = datapath.sign_planes(w)
    steps = len(at.w) // w.n
    rows = at.x[:steps].reshape(steps, len(x), -1, datapath.mu)
    nodes, entries = _tables(datapath, rows)  # [S, M, tables, additions | entries]
    sets = -(-w.n // datapath.sharing(array))

    def seq(values):  # steps of tables, tile after tile
        first = values
        return lambda f: f(first) + (f(np.concatenate([values[-1:], values])) - f(values[-1:])) * (sets - 1)

    bits = datapath.exact_entry_bits
    found = {}
    total_x = rows.sum(axis=(2, 3))
    const = np.full_like(total_x, signs.constant)
    sum_bits = datapath.activation_bits + (datapath.lanes - 1).bit_length()
    product = total_x * signs.constant
    found["input_toggles"] = seq(rows)(lambda v: toggles(v, datapath.activation_bits))
    found["input_sign_toggles"] = seq(rows)(lambda v: toggles((v < 0).astype(np.int64), 1))
    found["node_toggles"] = seq(nodes)(lambda v: toggles(v, bits))
    found["node_sign_toggles"] = seq(nodes)(lambda v: toggles((v < 0).astype(np.int64), 1))
    found["entry_held_toggles"] = seq(entries)(lambda v: toggles(v, datapath.entry_bits))
    found["step_sum_toggles"] = seq(total_x)(lambda v: toggles(v, sum_bits))
    found["constant_toggles"] = seq(product)(lambda v: toggles(v, CONSTANT_BITS + sum_bits))
    found["constant_row_toggles"] = seq(total_x)(lambda v: row_toggles(v, np.full_like(v, signs.constant), sum_bits, CONSTANT_BITS))
    found["constant_product_toggles"] = seq(total_x)(lambda v: product_toggles(v, np.full_like(v, signs.constant), sum_bits, CONSTANT_BITS))
    found["input_magnitude_toggles"] = seq(np.abs(rows))(lambda v: toggles(v, datapath.activation_bits))
    found["constant_rows"] = int(signs.constant).bit_count() * len(x)*steps*sets if signs.constant>=0 else (signs.constant & 1023).bit_count()*len(x)*steps*sets
    found["active_tables"] = int((rows != 0).any(axis=3).sum()) * sets
    found["steps"] = len(x)*steps*sets

    held_steps = len(x) * steps * sets * (1 if signs.count > 1 and datapath.planes == "serial" else 0)
    found["enable_toggles"] = 2 * held_steps
    found["constant_sign_rows"] = seq(np.where(const < 0, total_x, 0))(lambda v: toggles(v, sum_bits))
    # tree levels of the step sum
    lanes_x = rows.reshape(steps, len(x), -1)
    lv = lanes_x
    f = 0
    while lv.shape[2] > 1:
        lv = lv[..., ::2] + lv[..., 1::2]
        f += seq(lv)(lambda v: toggles(v, sum_bits))
    found["tree_toggles"] = f
    # addends with signs
    build = datapath.table_build
    allnodes = np.concatenate([rows, nodes], axis=-1)
    f = 0
    for a, b in build.additions:
        for t in (a, b):
            f += seq(t.sign * allnodes[..., t.node])(lambda v: toggles(v, bits))
    found["build_addend_toggles"] = f

    # reads
    weights = at.w.reshape(len(at.w), -1, datapath.mu)
    each = signs.count if datapath.planes == "serial" else 1
    step = np.repeat(np.arange(len(at.w)), each)
    if datapath.planes == "serial":
        plane = np.tile(np.arange(signs.count)[::-1], len(at.w))[:, None]
    else:
        plane = np.broadcast_to(np.arange(datapath.weight_bits), (len(at.w), datapath.weight_bits))
    chosen_bits = weights[step][:, None] >> plane[:, :, None, None] & 1  # [C, ports, tables, mu]
    low = datapath.mu - (datapath.table == "half")
    index = (chosen_bits[..., :low] << np.arange(low)).sum(axis=3)
    negate = chosen_bits[..., -1] == 0 if datapath.table == "half" else np.zeros(index.shape, bool)
    s = step % steps
    tables = np.arange(index.shape[2])
    chosen = entries.transpose(0, 2, 3, 1)[s[:, None, None], tables[None, None], index]  # [C, ports, tables, M]
    read = np.where(negate[..., None], -chosen, chosen)
    plane_sum = read.sum(axis=2)  # [C, ports, M]
    m = len(x)
    found["index_toggles"] = toggles(index, low) * m
    found["negate_toggles"] = toggles(negate.astype(np.int64), 1) * m
    found["code_toggles"] = found["index_toggles"] + found["negate_toggles"]
    found["chosen_toggles"] = toggles(chosen, datapath.entry_bits)
    found["inverted_toggles"] = toggles(np.where(negate[..., None], ~chosen, chosen), datapath.entry_bits)
    found["read_toggles"] = toggles(read, bits)
    found["read_sign_toggles"] = toggles((read < 0).astype(np.int64), 1)
    pb = bits + (index.shape[2] - 1).bit_length()
    found["plane_toggles"] = toggles(plane_sum, pb)
    step_bits = datapath.step_bits + 3
    last = np.tile(np.arange(each) == each - 1, len(at.w))
    if datapath.planes == "serial":
        sums = plane_sum[:, 0].reshape(len(at.w), each, m).copy()
        for c in range(1, each):
            sums[:, c] += sums[:, c - 1] << (signs.doubles >> (each - 1 - c) & 1)
        sums = sums.reshape(-1, m)
        doubled = np.where(plane == 0, 0, 0)
        carried = sums - plane_sum[:, 0]
        found["total_toggles"] = toggles(sums, step_bits)
        found["total_sign_toggles"] = toggles((sums < 0).astype(np.int64), 1)
        found["carry_toggles"] = toggles(carried, step_bits)
        found["carries"] = int((carried != 0).sum())
    else:
        sums = 0
        found["total_toggles"] = 0
        found["total_sign_toggles"] = 0
        for p in range(datapath.weight_bits)[::-1]:
            sums = (sums << (signs.doubles >> p & 1)) + (plane_sum[:, p] if p < signs.count else 0)
            if isinstance(sums, np.ndarray):
                found["total_toggles"] += toggles(sums, step_bits)
                found["total_sign_toggles"] += toggles((sums < 0).astype(np.int64), 1)
    exact = sums + product[s]
    complete = exact >> signs.halve
    found["complete_toggles"] = toggles(complete, step_bits)
    found["held_toggles"] = toggles(entries, datapath.entry_bits) * w.n
    found["product_seen_toggles"] = toggles(np.tile(product, (w.n, 1)), CONSTANT_BITS + sum_bits)
    found["exact_toggles"] = toggles(exact, step_bits)
    found["cycles"] = len(step) * m
    found["add_enable"] = 2 * len(at.w) * m * (each > 1)
    found["complete_sign_toggles"] = toggles((complete < 0).astype(np.int64), 1)
    return found | accumulated(datapath, complete, last, at.at(step), w)


def _tables(datapath, rows):
    build = datapath.table_build
    nodes = [rows[..., j] for j in range(datapath.mu)]
    for a, b in build.additions:
        nodes.append(_term(nodes, a) + _term(nodes, b))
    entries = np.stack([_term(nodes, t) for t in build.entries], axis=-1)
    return np.stack(nodes[datapath.mu:] or nodes, axis=-1), entries


def _term(nodes, term):
    return term.sign * (nodes[term.node] << term.shift)
