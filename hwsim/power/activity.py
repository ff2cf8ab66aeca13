"""Switching activity of a netlist by evaluating it: zero delay, one value per net and cycle.

Every cycle the flip-flops take what stood before them, and with them the inputs change: they come from registers
of the same clock. A net toggles in a cycle if it ends on another value than it had at the end of the cycle before.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.errors import PowerError
from hwsim.kernels import netlist_evaluation as kernels
from hwsim.power import waveforms
from hwsim.power.netlist import ABSENT, Netlist
from hwsim.power.program import Program, compile_netlist
from hwsim.power.waveforms import Activity

_BLOCK = 64 * kernels.WORDS


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Independent streams, each from the state in which all flip-flops are 0.

    ``words`` uint64[cycles, inputs, W] is what the netlist's inputs carry after each rising edge, in the order of
    ``netlist.inputs``: stream s is bit s % 64 of word s // 64. The column of the clock is not read. ``counted``
    uint64[cycles, W] marks the cycles that count, with the change into them; never the first.
    """

    words: np.ndarray
    counted: np.ndarray

    @property
    def cycles(self) -> int:
        """Counted cycles, of all streams together."""
        return int(np.bitwise_count(self.counted).sum())


@dataclass(frozen=True, eq=False)
class Toggles:
    """What each net did in ``cycles`` counted cycles: changes int64[nets], and the part of cycles that ended at 1."""

    cycles: int
    toggles: np.ndarray
    probability: np.ndarray


def port_bits(netlist: Netlist, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """uint8[cycles, inputs]: integers [cycles] per input port, and 0 on ports without; two's complement if negative.

    PowerError for a name that is no input port and a value that its port cannot hold.
    """
    cycles = {len(column) for column in values.values()}
    if len(cycles) != 1:
        raise PowerError(f"the ports' values have {sorted(cycles)} cycles; expected the same number for each")
    result = np.zeros((cycles.pop(), netlist.inputs.size), np.uint8)
    column_of = {int(net): k for k, net in enumerate(netlist.inputs)}
    for port, column in values.items():
        names = netlist.vectors.get(port, [port])
        nets = [netlist.net_index.get(name, ABSENT) for name in reversed(names)]
        if any(net not in column_of for net in nets):
            raise PowerError(f"{netlist.name!r} has no input port {port!r}")
        width = len(nets)
        if len(column) and not (-(1 << (width - 1)) <= int(column.min()) and int(column.max()) < 1 << width):
            raise PowerError(f"a value of port {port!r} does not fit its {width} bits")
        for bit, net in enumerate(nets):
            result[:, column_of[net]] = (np.asarray(column) >> bit) & 1
    return result


def from_streams(streams: Sequence[np.ndarray], warm_up: int = 1) -> Stimulus:
    """Independent streams of bits [cycles, inputs], of any lengths; the first ``warm_up`` of each do not count."""
    longest = max((len(bits) for bits in streams), default=0)
    if longest == 0 or warm_up < 1:
        raise PowerError(f"expected streams of at least one cycle and warm_up >= 1, not warm_up={warm_up}")
    padded = pad_streams(len(streams))
    bits = np.zeros((longest, streams[0].shape[1], padded), np.uint8)
    counted = np.zeros((longest, padded), np.uint8)
    for s, stream in enumerate(streams):
        bits[: len(stream), :, s] = stream
        counted[warm_up : len(stream), s] = 1
    return Stimulus(_pack(bits), _pack(counted))


def cut(bits: np.ndarray, streams: int = _BLOCK, warm_up: int = 1) -> Stimulus:
    """One long stream of bits [cycles, inputs] as contiguous parts, each begun ``warm_up`` cycles early.

    Every cycle but the first ``warm_up`` counts once: the sums are those of the long stream where the state
    depends on no more than the last ``warm_up`` cycles; 1 is enough without flip-flops.
    """
    edges = np.linspace(min(warm_up, len(bits)), len(bits), streams + 1).astype(int)
    return from_streams(
        [bits[start - warm_up : stop] for start, stop in itertools.pairwise(edges) if stop > start], warm_up
    )


def pad_streams(streams: int) -> int:
    """Streams with the unused ones of the last block."""
    return -(-streams // _BLOCK) * _BLOCK


def _pack(bits: np.ndarray) -> np.ndarray:
    """uint64[..., W] of bits [..., 64 W]."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64)


def count(netlist: Netlist, stimulus: Stimulus, program: Program | None = None) -> Toggles:
    """Zero-delay toggles of every net; those of the clock are two per cycle.

    PowerError if the netlist cannot be evaluated: see `compile_netlist`, and asynchronous loops.
    """
    program = program or compile_netlist(netlist)
    if stimulus.words.shape[1] != netlist.inputs.size:
        raise PowerError(
            f"the stimulus has {stimulus.words.shape[1]} inputs; {netlist.name!r} has {netlist.inputs.size}"
        )
    nets = len(netlist.nets)
    toggles, ones = (np.zeros((stimulus.words.shape[2] // kernels.WORDS, nets), np.int64) for _ in range(2))
    failed = kernels.count(
        program.selections, program.parts, program.flops, program.size, nets, netlist.inputs,
        stimulus.words, stimulus.counted, toggles, ones,
    )  # fmt: skip
    if failed != kernels.UNSETTLED:
        raise PowerError(f"{netlist.name!r}: asynchronous set and reset do not come to rest in cycle {failed}")
    return tally(program, stimulus.cycles, toggles.sum(axis=0), ones.sum(axis=0) / max(1, stimulus.cycles))


def tally(program: Program, cycles: int, toggles: np.ndarray, probability: np.ndarray) -> Toggles:
    """Counts with those of the clock: two toggles per cycle, 1 half of the time."""
    if program.clock != ABSENT:
        toggles[program.clock], probability[program.clock] = 2 * cycles, 0.5
    return Toggles(cycles, toggles, probability)


def to_activity(netlist: Netlist, counts: Toggles) -> Activity:
    """What the power calculator takes; states of cells from the probabilities of their pins alone."""
    return waveforms.independent(netlist, float(counts.cycles), counts.toggles.astype(float), counts.probability)
