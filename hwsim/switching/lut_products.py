"""Toggles of arrays that look products up."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.switching.accumulation import accumulated
from hwsim.switching.bits import row_toggles, toggles, product_toggles, before
from hwsim.switching.steps import Steps

if TYPE_CHECKING:
    from hwsim.datapaths.lut_products import LutProducts


def count(datapath: "LutProducts", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    at = Steps.of(datapath, x, w)
    steps = len(at.w) // w.n
    m = len(x)
    tables = datapath.products(w)  # [N, G, activation, weight]
    values = tables[:, :, 1]  # what codes stand for
    sharing = datapath.sharing(array)
    firsts = np.arange(0, w.n, sharing)
    found = {}
    held = tables[firsts].reshape(len(firsts) * w.groups, -1)
    row_tiles = -(-m // array.rows)
    bits = datapath.product_bits
    found["held_toggles"] = toggles(held, bits) * row_tiles
    found["table_loads"] = held.size * row_tiles
    # enable: load=1 at the first step of each group
    # rows
    set_steps = np.concatenate([np.arange(n * steps, (n + 1) * steps) for n in firsts])
    xs = at.x[set_steps]
    offered = values[at.tile[set_steps], at.group[set_steps]]  # [T', codes]
    choice = xs[..., None] * offered[:, None, None, :]
    found["input_toggles"] = toggles(xs, datapath.activation_bits)
    found["choice_toggles"] = toggles(choice, bits)
    found["choice_sign_toggles"] = toggles((choice < 0).astype(np.int64), 1)
    found["table_seen_toggles"] = toggles(tables[at.tile[set_steps], at.group[set_steps]], bits) * m * datapath.lanes
    code = xs & (1 << datapath.activation_bits) - 1
    for bit in range(datapath.activation_bits):
        found[f"bit{bit}"] = toggles(code >> bit & 1, 1)
    A = datapath.activation_bits
    found["lsb_weighted"] = sum(found[f"bit{b}"] << (A - 1 - b) for b in range(A))
    found["msb_weighted"] = sum(found[f"bit{b}"] << b for b in range(A))
    changed = code != before(code)
    found["changes"] = int(changed.sum())
    from hwsim.switching.bits import ones
    po = ones(choice, bits).sum(axis=3)
    found["onehot_toggles"] = int(((po + before(po)) * changed).sum())
    found["onehot_zeros"] = int((((16 * bits - po) + (16 * bits - before(po))) * changed).sum())
    tz = (bits - ones(tab0 := tables[at.tile[set_steps], at.group[set_steps]], bits)).sum(axis=(1, 2))
    flips = [((code ^ before(code)) >> b & 1).sum(axis=(1, 2)) for b in range(A)]
    for b in range(A):
        found[f"zb{b}"] = int((flips[b] * tz).sum())
        found[f"ob{b}"] = int((flips[b] * (tab0[0].size * bits - tz)).sum())
    found["zlsb"] = sum(found[f"zb{b}"] << (A - 1 - b) for b in range(A))
    found["zmsb"] = sum(found[f"zb{b}"] << (b) for b in range(A))
    found["olsb"] = sum(found[f"ob{b}"] << (A - 1 - b) for b in range(A))
    # mux tree: levels, low bits first / high bits first
    tab = tables[at.tile[set_steps], at.group[set_steps]]  # [T', A, W]
    for name, order in (("lsb", range(A)), ("msb", range(A)[::-1])):
        level = np.broadcast_to(tab[:, None, None], (*code.shape, *tab.shape[1:])).reshape(*code.shape, *(2,) * A, -1)
        f = 0
        axes = list(range(A))  # axis 0 is the highest bit
        for b in order:
            ax = axes.index(A - 1 - b)
            sel = (code >> b & 1).reshape(*code.shape, *(1,) * (len(axes)), 1)
            level = np.take_along_axis(level, sel, axis=3 + ax)
            level = np.squeeze(level, 3 + ax)
            axes.pop(ax)
            f += toggles(level, bits)
        found[f"tree_{name}"] = f
    # readers
    value = values[at.tile[:, None], at.group[:, None], at.w]
    product = at.x * value[:, None]
    found["code_toggles"] = toggles(at.w, datapath.weight_bits) * m
    found["product_toggles"] = toggles(product, bits)
    found["product_sign_toggles"] = toggles((product < 0).astype(np.int64), 1)
    found["offered_toggles"] = toggles(choice, bits) * w.n // len(firsts)
    lv, f, b = product, 0, bits
    while lv.shape[2] > 1:
        b += 1
        if lv.shape[2] % 2:
            lv = np.concatenate([lv, np.zeros_like(lv[..., :1])], axis=2)
        lv = lv[..., ::2] + lv[..., 1::2]
        f += toggles(lv, b)
    found["tree_toggles"] = f
    sums = product.sum(axis=2)
    found["sum_toggles"] = toggles(sums, datapath.step_bits)
    found["x_toggles"] = toggles(at.x, datapath.activation_bits)
    found["weight_product_toggles"] = product_toggles(
        at.x, np.broadcast_to(value[:, None], at.x.shape), datapath.activation_bits, datapath.value_bits
    )
    found["value_toggles"] = toggles(value, datapath.value_bits) * m
    last = np.ones(len(sums), bool)
    return found | accumulated(datapath, sums, last, at, w)
