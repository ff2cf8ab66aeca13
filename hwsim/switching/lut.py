"""Toggles of arrays that look up signed sums of activations."""

from typing import TYPE_CHECKING

import numpy as np

from hwsim.datapath import Array, Operand
from hwsim.lut_array import ENTRY_BITS
from hwsim.sign_planes import SignPlanes
from hwsim.switching.accumulation import accumulated, offsets
from hwsim.switching.bits import ones, product_toggles, toggles
from hwsim.switching.steps import Steps
from hwsim.switching.steps import steps as steps_of
from hwsim.switching.turns import taking_turns
from hwsim.table_build import Term

if TYPE_CHECKING:
    from hwsim.datapaths.lut import Lut

CONSTANT_BITS = 10


def count(datapath: "Lut", x: np.ndarray, w: Operand, array: Array) -> dict[str, int]:
    """Toggles by feature of `Lut.EVENTS`.

    Every column reads for itself, also where columns share sums; units read besides.
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
    cycles = np.full((-(-w.n // datapath.sharing(array)), steps), len(planes) if serial else 1)
    found, read = _read(datapath, np.tile(entries, (w.n, 1, 1, 1)), at.w, planes)
    if datapath.shares_sums:
        rounds, patterns = _patterns(datapath, w, array)
        cycles *= rounds
        found |= _units(datapath, signs, np.tile(entries, (len(rounds), 1, 1, 1)), rounds, patterns, planes)
    found |= _built(datapath, activations, nodes, signs.constant, cycles) | _enabled(datapath, entries, cycles)
    constants = np.tile(constant, (w.n, 1))[:, None]
    which = np.repeat(np.arange(len(at.w)), len(planes))
    if datapath.scales_per_group > 1:  # planes in parallel are counted as if they took turns
        each = ((read + constants) >> signs.halve).reshape(-1, len(x))
        turn = np.tile(np.arange(len(planes)) if serial else planes, len(at.w))
        found["sum_toggles"] = toggles(each if serial else each.reshape(*read.shape), datapath.step_bits)
        turns = taking_turns(datapath, each, turn, len(planes), at.at(which), w)
        return found | turns | offsets(datapath, at, w)
    read = _summed(read, signs, planes)
    found["sum_toggles"] = toggles(read.reshape(-1, len(x)) if serial else read, datapath.step_bits)
    sums = (read + constants) >> signs.halve
    if not serial:
        return found | accumulated(datapath, sums[:, -1], np.ones(len(at.w), bool), at, w)
    last = np.tile(planes == 0, len(at.w))
    return found | accumulated(datapath, sums.reshape(-1, len(x)), last, at.at(which), w)


def _read(
    datapath: "Lut", entries: np.ndarray, weights: np.ndarray, planes: np.ndarray
) -> tuple[dict[str, int], np.ndarray]:
    """Of a reader of tables int64[T, M, tables, entries] for weights int64[T, lanes], and what it reads of all tables
    together: int64[T, planes, M]."""
    codes = weights.reshape(len(weights), 1, -1, datapath.mu) >> planes[:, None, None] & 1  # [T, planes, tables, mu]
    raw, chosen = _chosen(datapath, entries, codes)  # [T, planes, M, tables]
    bits = datapath.exact_entry_bits
    in_turn = [
        each.reshape(-1, *each.shape[2:]) if datapath.planes == "serial" else each for each in (codes, raw, chosen)
    ]
    found = {
        "code_toggles": toggles(in_turn[0], 1) * entries.shape[1],
        "raw_toggles": toggles(in_turn[1], bits),
        "read_toggles": toggles(in_turn[2], bits),
    }
    return found, chosen.sum(axis=3)


def _summed(read: np.ndarray, signs: SignPlanes, planes: np.ndarray) -> np.ndarray:
    """int64[T, planes, M]: the sums so far of what was read, plane by plane."""
    total = np.where((planes >= signs.count)[:, None], 0, read)
    for i, plane in enumerate(planes[1:], 1):
        total[:, i] += total[:, i - 1] << (signs.doubles >> plane & 1)
    return total


def _patterns(datapath: "Lut", w: Operand, array: Array) -> tuple[np.ndarray, np.ndarray]:
    """What the units of a row read: int64[tiles, steps] rounds of each step, and weights int64[rounds, units, lanes] of
    all rounds one after the other, 0 where a unit has no pattern."""
    index, _ = steps_of(w.k, w.group_size, datapath.lanes)
    weights = datapath.operands(w, index).astype(np.int64)
    select, distinct = datapath.patterns(w, array)
    rounds = np.maximum(-(-distinct // datapath.sum_units), 1)
    first = (np.cumsum(rounds) - rounds.ravel()).reshape(rounds.shape)
    patterns = np.zeros((int(rounds.sum()), datapath.sum_units, datapath.lanes), np.int64)
    for n, step in zip(*np.nonzero(select), strict=True):
        later, unit = divmod(int(select[n, step]) - 1, datapath.sum_units)
        patterns[first[n // array.cols, step] + later, unit] = weights[n, step]
    return rounds, patterns


def _units(
    datapath: "Lut", signs: SignPlanes, entries: np.ndarray, rounds: np.ndarray, patterns: np.ndarray,
    planes: np.ndarray,
) -> dict[str, int]:  # fmt: skip
    """Of a row's units, which read the tables of every step in as many rounds as it takes."""
    entries = np.repeat(entries, rounds.ravel(), axis=0)
    total: dict[str, int] = {}
    for unit in range(datapath.sum_units):
        found, read = _read(datapath, entries, patterns[:, unit], planes)
        sums = _summed(read, signs, planes)
        in_turn = sums.reshape(-1, sums.shape[2]) if datapath.planes == "serial" else sums
        found["sum_toggles"] = toggles(in_turn, datapath.step_bits)
        total = {f"unit_{name}": total.get(f"unit_{name}", 0) + value for name, value in found.items()}
    return total


def _built(
    datapath: "Lut", activations: np.ndarray, nodes: np.ndarray, constant: int, cycles: np.ndarray
) -> dict[str, int]:
    """Of what builds tables of int64[S, M, tables, mu] activations each time; steps last int64[times, S] ``cycles``."""
    times = len(cycles)
    activations, nodes = np.tile(activations, (times, 1, 1, 1)), np.tile(nodes, (times, 1, 1, 1))
    total = activations.sum(axis=(2, 3))
    if datapath.build_cycles:  # one adder, addition by addition
        nodes = np.moveaxis(nodes, 3, 1).reshape(-1, *nodes.shape[1:3])
    return {
        "activation_toggles": toggles(activations, datapath.activation_bits),
        "node_toggles": toggles(nodes, datapath.exact_entry_bits),
        "node_sign_toggles": toggles((nodes < 0).astype(np.int64), 1),
        "constant_toggles": product_toggles(
            total, np.full_like(total, constant), datapath.activation_bits + (datapath.lanes - 1).bit_length(),
            CONSTANT_BITS,
        ),
    }  # fmt: skip


def _enabled(datapath: "Lut", entries: np.ndarray, cycles: np.ndarray) -> dict[str, int]:
    """Of what enables the registers of tables that are read for more than a cycle: in the last one. Told apart by what
    their bits are on average."""
    bits = datapath.exact_entry_bits
    often = (np.maximum(cycles, datapath.build_cycles) > 1).sum(axis=0)
    registers = entries[0].size * datapath.entry_bits
    set_share = ones(entries, bits).sum(axis=(1, 2, 3)) / (entries[0].size * bits)
    set_bits = int(np.rint(2 * registers * (often * set_share).sum()))
    return {"enable_set_bits": set_bits, "enable_unset_bits": 2 * registers * int(often.sum()) - set_bits}


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


def _chosen(datapath: "Lut", entries: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64[T, planes, M, tables]: the entry of each table that its code chooses, and that is read: perhaps negated."""
    half = datapath.table == "half"
    bits = codes[..., : datapath.mu - half]
    index = (bits << np.arange(bits.shape[3])).sum(axis=3)
    raw = np.take_along_axis(entries[:, None], index[:, :, None, :, None], axis=4)[..., 0]
    return raw, np.where(codes[:, :, None, :, -1] == 1, raw, -raw) if half else raw
