"""Toggles of arrays that look products up."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.switching.accumulation import accumulated
from hwsim.switching.bits import before, ones, toggles
from hwsim.switching.steps import Steps

if TYPE_CHECKING:
    from hwsim.datapaths.lut_products import LutProducts


def count(datapath: "LutProducts", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Toggles by feature of `LutProducts.EVENTS`."""
    at = Steps.of(datapath, x, w)
    tables = datapath.products(w)
    values = tables[:, :, 1]  # of activation 1: what codes stand for
    products = at.x * values[at.tile[:, None], at.group[:, None], at.w][:, None]
    last = np.ones(len(at.w), bool)
    return {
        "product_toggles": toggles(products, datapath.product_bits),
        **_chosen(datapath, tables[:: datapath.sharing(array)], at, w.groups),
        **accumulated(datapath, products.sum(axis=2), last, at, w),
    }


def _chosen(datapath: "LutProducts", tables: np.ndarray, at: Steps, groups: int) -> dict[str, int]:
    """Of what chooses the products of activations from int64[sets, G, activations, weights], one set after the other.

    Of the tables as every lane sees them; of zeros in them where the lowest bit of an activation changes, which is what
    the first gates that it opens and closes pass on; of all that is left when an activation's bits choose, the highest
    first.
    """
    bits, activation_bits = datapath.product_bits, datapath.activation_bits
    steps = len(at.w) // (int(at.tile[-1]) + 1)
    code = np.tile(at.x[:steps] & ((1 << activation_bits) - 1), (len(tables), 1, 1))
    tables = tables.reshape(-1, *tables.shape[2:])
    group = (np.arange(len(tables) // groups)[:, None] * groups + at.group[:steps]).reshape(-1)
    zeros = (bits - ones(tables, bits)).sum(axis=(1, 2))
    flips = ((code ^ before(code)) & 1).sum(axis=(1, 2))
    chosen = np.arange(1 << activation_bits)[:, None]
    rests = [(chosen >> rest << rest) + np.arange(1 << rest) for rest in range(activation_bits)]
    nodes = tables[:, np.concatenate(rests, axis=1)].reshape(len(tables), len(chosen), -1)
    distance = np.stack([ones(nodes ^ nodes[:, [a]], bits).sum(axis=2) for a in range(len(chosen))], axis=1)
    changes = distance[group[:, None, None], before(code), code].sum(axis=(1, 2))
    for step in np.flatnonzero(np.append(True, group[1:] != group[:-1])):
        earlier = nodes[group[step - 1], code[step - 1]] if step else np.zeros_like(nodes[0, code[0]])
        changes[step] = ones(nodes[group[step], code[step]] ^ earlier, bits).sum()
    return {
        "table_toggles": toggles(tables.reshape(len(tables), -1), bits) * code[0].size,
        "zero_toggles": int((flips * zeros[group]).sum()),
        "choice_toggles": int(changes.sum()),
    }
