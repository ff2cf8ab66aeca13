"""Switching Activity Interchange Format (IEEE 1801, backward SAIF): figures per net over the whole run."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.errors import PowerError
from hwsim.power.liberty_syntax import read_text
from hwsim.power.matching import Scope, Variable

_TOKEN = re.compile(r'//[^\n]*|"[^"]*"|[()]|(?:\\.|[^\s()"\\])+')
_UNIT_NS = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_BIT = re.compile(r"(.*)\[(-?\d+)\]$")


@dataclass(frozen=True, eq=False)
class Figures:
    """Nets by scope, numbered as signals, with ``toggles`` and ``probability`` of 1 of each."""

    scopes: dict[Scope, list[Variable]]
    duration_ns: float
    toggles: np.ndarray
    probability: np.ndarray


def read(path: Path) -> Figures:
    """Reads a plain or gzipped SAIF file; PowerError naming the file if it is none or is cut off."""
    tree = _tree(path)
    entries = {node[0]: node[1:] for node in tree if isinstance(node, list) and node and isinstance(node[0], str)}
    try:
        duration = float(entries["DURATION"][0])
    except (KeyError, IndexError, ValueError, TypeError):
        raise PowerError(f"{path.name}: the SAIF file has no DURATION") from None
    if duration <= 0:
        raise PowerError(f"{path.name}: the SAIF file has the duration {duration:g}")
    unit = "".join(str(part) for part in entries.get("TIMESCALE", ["1", "ns"])).strip('"')
    match = re.match(r"([\d.]+)(fs|ps|ns|us|ms|s)$", unit)
    if match is None:
        raise PowerError(f"{path.name}: {unit!r} is not a timescale of a SAIF file")
    figures = Figures({}, duration * float(match[1]) * _UNIT_NS[match[2]], np.zeros(0), np.zeros(0))
    rows: list[tuple[float, float]] = []
    for node in tree:
        if isinstance(node, list) and node[:1] == ["INSTANCE"]:
            _instance(path, node, (), figures.scopes, rows, duration)
    if not rows:
        raise PowerError(f"{path.name}: the SAIF file has no nets")
    columns = np.array(rows)
    return Figures(figures.scopes, figures.duration_ns, columns[:, 0], columns[:, 1])


def _tree(path: Path) -> list:
    """The nested lists inside ``(SAIFILE ...)``."""
    stack: list[list] = [[]]
    for token in _TOKEN.findall(read_text(path, "SAIF file")):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            if not stack:
                raise PowerError(f"{path.name} is not a SAIF file: more ')' than '('")
            stack[-1].append(done)
        elif not token.startswith("//"):
            stack[-1].append(token)
    if len(stack) > 1:
        raise PowerError(f"{path.name} is truncated: {len(stack) - 1} groups do not end")
    for node in stack[0]:
        if isinstance(node, list) and node[:1] == ["SAIFILE"]:
            return node[1:]
    raise PowerError(f"{path.name} is not a SAIF file: it has no SAIFILE group")


def _instance(
    path: Path,
    node: list,
    above: Scope,
    scopes: dict[Scope, list[Variable]],
    rows: list[tuple[float, float]],
    duration: float,
) -> None:
    names = [part for part in node[1:] if isinstance(part, str)]
    scope = (*above, _plain(names[-1])) if names else above
    for child in node[1:]:
        if not isinstance(child, list) or not child:
            continue
        if child[0] == "INSTANCE":
            _instance(path, child, scope, scopes, rows, duration)
        elif child[0] in ("NET", "PORT"):
            for net in child[1:]:
                if not isinstance(net, list) or not net or not isinstance(net[0], str):
                    continue
                try:
                    fields = {part[0]: float(part[1]) for part in net[1:] if isinstance(part, list)}
                    figures = (fields["TC"], fields["T1"] / duration)
                except (KeyError, IndexError, ValueError):
                    raise PowerError(f"{path.name}: net {_plain(net[0])!r} lacks T1 or TC") from None
                if figures[0] < 0 or not 0 <= figures[1] <= 1:
                    raise PowerError(f"{path.name}: net {_plain(net[0])!r} has T1 or TC out of range")
                name = _plain(net[0])
                bit = _BIT.match(name)
                bits = (int(bit[2]), int(bit[2])) if bit else None
                variable = Variable(bit[1] if bit else name, bits, range(len(rows), len(rows) + 1))
                scopes.setdefault(scope, []).append(variable)
                rows.append(figures)


def _plain(name: str) -> str:
    """A name without the backslashes that quote its special characters."""
    return name.strip('"').replace("\\", "")
