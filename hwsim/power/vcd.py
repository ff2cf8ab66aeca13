"""Value change dumps (IEEE 1800-2017, 21.7): scopes and variables, and counts over their changes."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.errors import PowerError
from hwsim.kernels import waveforms
from hwsim.power.liberty_syntax import read_bytes
from hwsim.power.matching import Scope, Variable

_TIMESCALE = re.compile(r"(\d+)\s*(fs|ps|ns|us|ms|s)$")
_UNIT_NS = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_RANGE = re.compile(r"(.*?)\s*\[(-?\d+)(?::(-?\d+))?\]$")
_LONGEST_CODE = 9


@dataclass(frozen=True, eq=False)
class Counts:
    """Per signal: ``toggles`` (-1 without a value) and ``probability`` of 1; probabilities of the cells' states."""

    duration_ns: float
    toggles: np.ndarray
    probability: np.ndarray
    states: np.ndarray


@dataclass(frozen=True, eq=False)
class Dump:
    """The declarations of a dump; the bits of all variables are numbered as signals."""

    file: str
    scopes: dict[Scope, list[Variable]]
    signals: int
    unit_ns: float
    codes: np.ndarray
    bit_start: np.ndarray
    body: np.ndarray

    def count(
        self,
        sink_start: np.ndarray,
        sink_cell: np.ndarray,
        sink_bit: np.ndarray,
        initial: np.ndarray,
        state_start: np.ndarray,
    ) -> Counts:
        """Toggles and time high of every signal, and time per state of cells (see `kernels.waveforms.walk`)."""
        halves, high = np.zeros(self.signals, np.int64), np.zeros(self.signals, np.int64)
        states = np.zeros(int(state_start[-1]), np.int64)
        status, position, first, last = waveforms.walk(
            self.body, self.codes, self.bit_start, sink_start, sink_cell, sink_bit, initial, state_start[:-1],
            halves, high, states,
        )  # fmt: skip
        if status != waveforms.ACCEPTED:
            text = bytes(self.body[position : position + 40]).decode("ascii", "replace").split("\n")[0]
            raise PowerError(f"{self.file} is not a valid VCD dump at {text!r}")
        if last <= first:
            raise PowerError(f"{self.file}: the dump has no duration")
        span = float(last - first)
        return Counts(span * self.unit_ns, np.where(halves < 0, -1.0, halves / 2), high / span, states / span)


def open_dump(path: Path) -> Dump:
    """Reads the declarations of a plain or gzipped dump; PowerError naming the file if it is none."""
    data = read_bytes(path, "VCD dump")
    end = data.find(b"$enddefinitions")
    if end < 0:
        raise PowerError(f"{path.name} is not a VCD dump, or is truncated: it has no $enddefinitions")
    words = data[:end].decode("utf-8", "replace").split()
    body_start = data.find(b"$end", end + len("$enddefinitions")) + len("$end")
    scope: list[str] = []
    scopes: dict[Scope, list[Variable]] = {}
    places: dict[str, tuple[int, int]] = {}
    unit_ns, signals, index = 0.0, 0, 0
    while index < len(words):
        keyword = words[index]
        stop = index
        while stop < len(words) and words[stop] != "$end":
            stop += 1
        section = words[index + 1 : stop]
        index = stop + 1
        if keyword == "$timescale":
            unit_ns = _timescale("".join(section), path)
        elif keyword == "$scope" and len(section) == 2:
            scope.append(section[1].removeprefix("\\"))
        elif keyword == "$upscope":
            scope = scope[:-1]
        elif keyword == "$var":
            if len(section) < 4 or not section[1].isdigit():
                raise PowerError(f"{path.name}: {' '.join([keyword, *section])!r} is no variable of a VCD dump")
            if section[0] in ("real", "realtime", "string", "event"):
                continue
            code, width = section[2], int(section[1])
            if len(code) > _LONGEST_CODE:
                raise PowerError(f"{path.name}: identifier {code!r} is longer than {_LONGEST_CODE} characters")
            if code not in places:
                places[code] = (signals, width)
                signals += width
            first, known_width = places[code]
            name, bits = _name(section[3:])
            if width == known_width:
                variable = Variable(name, bits, range(first, first + width))
                scopes.setdefault(tuple(scope), []).append(variable)
    if unit_ns == 0:
        raise PowerError(f"{path.name}: the VCD dump has no $timescale")
    packed = sorted((_packed(code), place) for code, place in places.items())
    return Dump(
        path.name, scopes, signals, unit_ns, np.array([code for code, _ in packed], np.int64),
        np.array([[first, first + width] for _, (first, width) in packed], np.int64).reshape(-1, 2),
        np.frombuffer(data, np.uint8)[body_start:],
    )  # fmt: skip


def _timescale(text: str, path: Path) -> float:
    match = _TIMESCALE.match(text)
    if match is None:
        raise PowerError(f"{path.name}: {text!r} is not a timescale of a VCD dump")
    return int(match[1]) * _UNIT_NS[match[2]]


def _name(words: list[str]) -> tuple[str, tuple[int, int] | None]:
    """Name and range of ``a [7:0]``, ``a[3]``, ``\\a[3]`` (escaped: one bit of that very name) or ``a``."""
    name, rest = words[0], "".join(words[1:])
    if name.startswith("\\"):
        name, match = name[1:], _RANGE.match("x" + rest)
    else:
        match = _RANGE.match(name + rest)
        if match is not None:
            name = match[1]
    if match is None:
        return name, None
    high = int(match[2])
    return name, (high, int(match[3]) if match[3] is not None else high)


def _packed(code: str) -> int:
    """An identifier as a number, as the kernel computes it."""
    return sum((ord(character) - 32) * 95**k for k, character in enumerate(code))
