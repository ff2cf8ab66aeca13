"""Toggles of arrays that look up signed sums of activations."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.lut_array import ENTRY_BITS
from hwsim.switching.accumulation import accumulated, offsets
from hwsim.switching.bits import product_toggles, toggles
from hwsim.switching.steps import Steps
from hwsim.switching.turns import taking_turns
from hwsim.table_build import Term

if TYPE_CHECKING:
    from hwsim.datapaths.lut import Lut

CONSTANT_BITS = 10


def count(datapath: "Lut", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Toggles by feature of `Lut.EVENTS`.

    Every column reads for itself, also where columns share sums.
    """
    at = Steps.of(datapath, x, w)
    signs = datapath.sign_planes(w)
    steps = len(at.w) // w.n
    activations = at.x[:steps].reshape(steps, len(x), -1, datapath.mu)
    nodes = _nodes(datapath, activations)
    entries = _entries(datapath, activations, nodes)
    constant = activations.sum(axis=(2, 3)) * signs.constant

    serial = datapath.planes == "serial"
    planes = np.arange(signs.count if serial else datapath.weight_bits)[::-1]
    codes = at.w.reshape(len(at.w), 1, -1, datapath.mu) >> planes[:, None, None] & 1  # [T, planes, tables, mu]
    times = -(-w.n // datapath.sharing(array))
    found = _built(datapath, activations, nodes, signs.constant, times, signs.count if serial else 1)
    found["code_toggles"] = toggles(codes.reshape(-1, *codes.shape[2:]) if serial else codes, 1) * len(x)

    entries = np.tile(entries, (w.n, 1, 1, 1))
    chosen = _chosen(datapath, entries, codes)  # [T, planes, M, tables]
    bits = datapath.exact_entry_bits
    found |= {
        "entry_toggles": toggles(entries, bits),
        "read_toggles": toggles(chosen.reshape(-1, *chosen.shape[2:]) if serial else chosen, bits),
    }
    read = chosen.sum(axis=3)
    constants = np.tile(constant, (w.n, 1))[:, None]
    cycles = np.repeat(np.arange(len(at.w)), len(planes))
    if datapath.scales_per_group > 1:  # planes in parallel are counted as if they took turns
        each = ((read + constants) >> signs.halve).reshape(-1, len(x))
        turn = np.tile(np.arange(len(planes)) if serial else planes, len(at.w))
        found["sum_toggles"] = toggles(each if serial else each.reshape(*read.shape), datapath.step_bits)
        turns = taking_turns(datapath, each, turn, len(planes), at.at(cycles), w)
        return found | turns | offsets(datapath, at, w)
    read[:, planes >= signs.count] = 0
    for i, plane in enumerate(planes[1:], 1):
        read[:, i] += read[:, i - 1] << (signs.doubles >> plane & 1)
    found["sum_toggles"] = toggles(read.reshape(-1, len(x)) if serial else read, datapath.step_bits)
    sums = (read + constants) >> signs.halve
    if not serial:
        return found | accumulated(datapath, sums[:, -1], np.ones(len(at.w), bool), at, w)
    last = np.tile(planes == 0, len(at.w))
    return found | accumulated(datapath, sums.reshape(-1, len(x)), last, at.at(cycles), w)


def _built(
    datapath: "Lut", activations: np.ndarray, nodes: np.ndarray, constant: int, times: int, cycles: int
) -> dict[str, int]:
    """Of what builds tables of int64[S, M, tables, mu] activations ``times`` times, in steps of so many cycles.

    Registers of tables that are read for more than a cycle are enabled in the last one.
    """
    activations, nodes = np.tile(activations, (times, 1, 1, 1)), np.tile(nodes, (times, 1, 1, 1))
    total = activations.sum(axis=(2, 3))
    registers = len(datapath.table_build.entries) * datapath.entry_bits
    if datapath.build_cycles:  # one adder, addition by addition
        cycles = max(cycles, datapath.build_cycles)
        nodes = np.moveaxis(nodes, 3, 1).reshape(-1, *nodes.shape[1:3])
    return {
        "activation_toggles": toggles(activations, datapath.activation_bits),
        "node_toggles": toggles(nodes, datapath.exact_entry_bits),
        "node_sign_toggles": toggles((nodes < 0).astype(np.int64), 1),
        "constant_toggles": product_toggles(
            total, np.full_like(total, constant), datapath.activation_bits + (datapath.lanes - 1).bit_length(),
            CONSTANT_BITS,
        ),
        "enable_toggles": 2 * total.size * activations.shape[2] * registers * (cycles > 1),
    }  # fmt: skip


def _nodes(datapath: "Lut", activations: np.ndarray) -> np.ndarray:
    """Results of the additions that build tables of int64[S, M, tables, mu]: int64[S, M, tables, additions]."""
    nodes = list(np.moveaxis(activations, 3, 0))
    for a, b in datapath.table_build.additions:
        nodes.append(_term(nodes, a) + _term(nodes, b))
    return np.stack(nodes[datapath.mu :], axis=3) if len(nodes) > datapath.mu else np.zeros_like(activations[..., :0])


def _term(nodes: list[np.ndarray], term: Term) -> np.ndarray:
    return term.sign * (nodes[term.node] << term.shift)


def _entries(datapath: "Lut", activations: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """int64[S, M, tables, entries]: what readers take an entry for."""
    sums = list(np.moveaxis(np.concatenate([activations, nodes], axis=3), 3, 0))
    entries = np.stack([_term(sums, term) for term in datapath.table_build.entries], axis=3)
    if datapath.entries == "exact":
        return entries
    magnitude = np.abs(activations).sum(axis=3, keepdims=True)
    shift = sum((magnitude >> ENTRY_BITS - 1 + i > 0).astype(np.int64) for i in range(datapath.exact_entry_bits))
    added = entries[..., -1 << datapath.mu - 1 :]  # those in which the last activation is
    limit = (1 << ENTRY_BITS - 1) - 1
    rounded = np.clip((added + (1 << shift >> 1)) >> shift, -limit, limit) << shift
    return rounded if datapath.table == "half" else np.concatenate([-rounded[..., ::-1], rounded], axis=3)


def _chosen(datapath: "Lut", entries: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """int64[T, planes, M, tables]: the entry of each table that is read."""
    half = datapath.table == "half"
    bits = codes[..., : datapath.mu - half]
    index = (bits << np.arange(bits.shape[3])).sum(axis=3)
    chosen = np.take_along_axis(entries[:, None], index[:, :, None, :, None], axis=4)[..., 0]  # [T, planes, M, tables]
    if half:
        chosen = np.where(codes[:, :, None, :, -1] == 1, chosen, -chosen)
    return chosen
