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
    shared = tables[:: datapath.sharing(array)]
    last = np.ones(len(at.w), bool)
    return {
        "product_toggles": toggles(products, datapath.product_bits),
        "code_toggles": toggles(at.w, datapath.weight_bits) * len(x),
        **_chosen(datapath, shared, at, w.groups),
        **_loaded(datapath, shared, -(-len(x) // array.rows)),
        **accumulated(datapath, products.sum(axis=2), last, at, w),
    }


def _chosen(datapath: "LutProducts", tables: np.ndarray, at: Steps, groups: int) -> dict[str, int]:
    """Of what chooses the products of activations from int64[sets, G, activations, weights], one set after the other.

    Of the tables as every lane sees them; and each time that a bit of an activation changes, how many bits of the
    tables are 1, and how many 0: it opens and closes gates of all of them.
    """
    bits, activation_bits = datapath.product_bits, datapath.activation_bits
    steps = len(at.w) // (int(at.tile[-1]) + 1)
    code = np.tile(at.x[:steps], (len(tables), 1, 1))
    tables = tables.reshape(-1, *tables.shape[2:])
    group = (np.arange(len(tables) // groups)[:, None] * groups + at.group[:steps]).reshape(-1)
    set_bits = ones(tables, bits).sum(axis=(1, 2))
    unset_bits = tables[0].size * bits - set_bits
    found = {"table_toggles": toggles(tables.reshape(len(tables), -1), bits) * code[0].size}
    for place in range(activation_bits):
        changes = ((code ^ before(code)) >> place & 1).sum(axis=(1, 2))
        found[f"set_bits_at_{place}"] = int((changes * set_bits[group]).sum())
        found[f"unset_bits_at_{place}"] = int((changes * unset_bits[group]).sum())
    return found


def _loaded(datapath: "LutProducts", tables: np.ndarray, times: int) -> dict[str, int]:
    """Of the registers that tables [sets, G, ...] are loaded into one after the other, ``times`` over: a load reaches
    all their bits, 1 or 0."""
    each = np.tile(tables.reshape(-1, tables[0, 0].size), (times, 1))
    set_bits = int(ones(each, datapath.product_bits).sum())
    return {
        "loaded_set_bits": set_bits,
        "loaded_unset_bits": each.size * datapath.product_bits - set_bits,
        "loaded_toggles": toggles(each, datapath.product_bits),
    }
