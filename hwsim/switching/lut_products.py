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
