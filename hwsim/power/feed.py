"""Beats on a netlist's valid-ready streams, as a stimulus: what its inputs carry when nothing stalls."""

from collections.abc import Mapping, Sequence

import numpy as np

from hwsim.errors import PowerError
from hwsim.kernels import netlist_evaluation as kernels
from hwsim.power.activity import Stimulus, pad_streams
from hwsim.power.netlist import Netlist
from hwsim.power.program import Program, compile_netlist

RESET = "rst"


def feed(
    netlist: Netlist, jobs: Sequence[Mapping[str, np.ndarray]], cycles: Sequence[int], results: str
) -> tuple[Stimulus, list[np.ndarray]]:
    """The stimulus of jobs, one stream each, and what left on the output stream ``results`` (always ready).

    A job has uint8[beats, bytes] per input stream ``s``, least significant byte first, for the ports
    ``s__payload``, ``s__valid`` and ``s__ready``. After the reset its cycles count, ``cycles`` of them; the answer has
    uint8[beats, bytes] per job.
    """
    program = compile_netlist(netlist)
    names = list(jobs[0])
    padded = pad_streams(len(jobs))
    length = kernels.RESET_CYCLES + max(cycles)
    words = np.zeros((length, netlist.inputs.size, padded // 64), np.uint64)
    always = netlist.inputs == _port(netlist, f"{results}__ready")[0]
    words[:, always] = ~np.uint64(0)
    payload = tuple(_port(netlist, f"{name}__payload") for name in names)
    joined = [_joined([job[name] for job in jobs], len(nets)) for name, nets in zip(names, payload, strict=True)]
    bounds, beats = zip(*joined, strict=True)
    valid, ready = (
        np.array([_port(netlist, f"{name}__{part}")[0] for name in names], np.int32) for part in ("valid", "ready")
    )
    watched = np.append(_port(netlist, f"{results}__payload"), _port(netlist, f"{results}__valid")).astype(np.int32)
    out = np.zeros((length, watched.size, padded // 64), np.uint64)
    _drive(netlist, program, beats, bounds, payload, valid, ready, ~always, watched, words, out)
    counted = np.zeros((length, padded), np.uint8)
    for s, count in enumerate(cycles):
        counted[kernels.RESET_CYCLES : kernels.RESET_CYCLES + count, s] = 1
    packed = np.packbits(counted, axis=-1, bitorder="little").view("<u8").astype(np.uint64)
    return Stimulus(words, packed), [_results(out, counted, s) for s in range(len(jobs))]


def _drive(
    netlist: Netlist, program: Program, beats: tuple, bounds: tuple, payload: tuple, valid: np.ndarray,
    ready: np.ndarray, driven: np.ndarray, watched: np.ndarray, words: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    failed = kernels.drive(
        program.selections, program.parts, program.flops, program.size, _port(netlist, RESET)[0], beats, bounds,
        payload, valid, ready, netlist.inputs, driven, watched, words, out,
    )  # fmt: skip
    if failed != kernels.UNSETTLED:
        raise PowerError(f"{netlist.name!r}: asynchronous set and reset do not come to rest in cycle {failed}")


def _port(netlist: Netlist, name: str) -> np.ndarray:
    """Nets of a port, least significant first: int32[bits]."""
    bits = netlist.vectors.get(name, [name])
    if any(bit not in netlist.net_index for bit in bits):
        raise PowerError(f"{netlist.name!r} has no port {name!r}")
    return np.array([netlist.net_index[bit] for bit in reversed(bits)], np.int32)


def _joined(parts: Sequence[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """(first, last + 1) beat of each job int64[jobs, 2], and the bits of all beats uint8[beats, width]."""
    ends = np.cumsum([0] + [len(part) for part in parts])
    bits = np.unpackbits(np.concatenate(parts), axis=1, count=width, bitorder="little")
    return np.stack([ends[:-1], ends[1:]], axis=1), bits


def _results(out: np.ndarray, counted: np.ndarray, stream: int) -> np.ndarray:
    """The payloads that left in counted cycles."""
    bits = ((out[:, :, stream // 64] >> np.uint64(stream % 64)) & np.uint64(1)).astype(np.uint8)
    return np.packbits(bits[(bits[:, -1] == 1) & (counted[:, stream] == 1), :-1], axis=1, bitorder="little")
