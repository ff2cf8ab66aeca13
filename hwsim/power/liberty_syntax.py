"""The syntax of Liberty files: groups of attributes, read lazily.

A library of tens of megabytes holds hundreds of cells of which a netlist uses a few, so
the file is only cut at its cells; a cell is parsed when asked for.
"""

import gzip
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from hwsim.errors import PowerError

_NOISE = re.compile(r'"[^"]*"|/\*.*?\*/|//[^\n]*|\\\r?\n|/\*|"', re.DOTALL)
_BRACE = re.compile(r'"[^"]*"|[{}]')
_STATEMENT = re.compile(
    r"""[\s;]*(?:
        (?P<close>\}) |
        (?P<name>[\w.\[\]]+)\s*(?:
            :\s*(?P<value>"[^"]*"|[^;\n{}"]*)[ \t]*;? |
            =\s*(?P<setting>"[^"]*"|[^;\n{}"]*)[ \t]*;? |
            \((?P<arguments>(?:[^"()]+|"[^"]*")*)\)\s*(?P<open>\{)?
        )
    )""",
    re.VERBOSE,
)
_ARGUMENT = re.compile(r'"([^"]*)"|([^\s,"]+)')


@dataclass
class Group:
    """``kind (arguments) { ... }``: simple attributes, complex attributes and inner groups."""

    kind: str
    arguments: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    calls: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def of(self, *kinds: str) -> list["Group"]:
        """The inner groups of these kinds, in file order."""
        return [group for group in self.groups if group.kind in kinds]


@dataclass(frozen=True)
class Source:
    """A Liberty file cut at its cells: the library group without them, and their places."""

    path: Path
    text: str
    library: Group
    cells: dict[str, int]

    def cell(self, name: str) -> Group:
        """The group of cell ``name``."""
        return _parse_group(self.path, self.text, self.cells[name], {})[0]


def read(path: Path) -> Source:
    """Opens a Liberty file, plain or gzipped; PowerError if it is none or is cut off."""
    text = _clean(path, read_text(path, "Liberty file"))
    ends = _cell_ends(path, text)
    library, cells = _parse_group(path, text, 0, ends)
    if library.kind != "library":
        raise PowerError(f"{path.name}: expected a Liberty library, found {library.kind!r}")
    return Source(path, text, library, cells)


def read_text(path: Path, what: str) -> str:
    """Text of a plain or gzipped file; PowerError saying that ``what`` cannot be read, and why."""
    return read_bytes(path, what).decode("utf-8", errors="replace")


def read_bytes(path: Path, what: str) -> bytes:
    """Content of a plain or gzipped file; PowerError saying that ``what`` cannot be read, and why."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PowerError(f"{what} {path.name} is truncated or damaged: {error}") from None
    except OSError as error:
        raise PowerError(f"cannot read {what} {str(path)!r}: {error.strerror}") from None


def _clean(path: Path, text: str) -> str:
    """The text without comments and line continuations."""

    def keep(match: re.Match[str]) -> str:
        found = match.group()
        if found in ("/*", '"'):
            line = text.count("\n", 0, match.start()) + 1
            what = "comment" if found == "/*" else "string"
            raise PowerError(f"{path.name} is truncated: the {what} of line {line} does not end")
        if found[0] == '"':
            return found.replace("\\", " ").replace("\n", " ") if "\n" in found else found
        return " "

    return _NOISE.sub(keep, text)


def _cell_ends(path: Path, text: str) -> dict[int, int]:
    """For every group directly inside the library: position of its ``{`` -> position after its ``}``."""
    ends: dict[int, int] = {}
    depth = start = 0
    for match in _BRACE.finditer(text):
        brace = match.group()
        if brace == "{":
            if depth == 1:
                start = match.start()
            depth += 1
        elif brace == "}":
            depth -= 1
            if depth == 1:
                ends[start] = match.end()
            if depth < 0:
                raise PowerError(f"{path.name} is not a Liberty file: more '}}' than '{{'")
    if depth or not ends:
        raise PowerError(
            f"{path.name} is truncated: {depth} groups do not end"
            if depth
            else f"{path.name} is not a Liberty file: no groups"
        )
    return ends


def _parse_group(path: Path, text: str, position: int, skip: dict[int, int]) -> tuple[Group, dict[str, int]]:
    """The group at ``position``; cells whose brace is in ``skip`` are only noted by name and place."""
    stack: list[Group] = []
    cells: dict[str, int] = {}
    while True:
        match = _STATEMENT.match(text, position)
        if match is None:
            rest = text[position : position + 60].strip().split("\n")[0]
            owner = f" in {stack[-1].kind} {' '.join(stack[-1].arguments)}" if stack else ""
            raise PowerError(f"{path.name} is not valid Liberty{owner}: {rest!r}")
        start, position = match.start("name"), match.end()
        if match["close"]:
            done = stack.pop()
            if not stack:
                return done, cells
            continue
        name = match["name"]
        if match["open"]:
            arguments = _arguments(match["arguments"])
            if name == "cell" and match.start("open") in skip and arguments:
                cells.setdefault(arguments[0], start)
                position = skip[match.start("open")]
                continue
            group = Group(name, arguments)
            if stack:
                stack[-1].groups.append(group)
            stack.append(group)
        elif not stack:
            raise PowerError(f"{path.name} is not a Liberty file: it starts with {name!r}")
        elif match["arguments"] is not None:
            stack[-1].calls.setdefault(name, []).append(_arguments(match["arguments"]))
        else:
            value = match["value"] if match["value"] is not None else match["setting"]
            stack[-1].attributes[name] = value.strip().strip('"').strip()


def _arguments(text: str) -> tuple[str, ...]:
    return tuple((match[1] if match[1] is not None else match[2]).strip() for match in _ARGUMENT.finditer(text))
