"""What each datapath is: parameters, dataflows, RTL, technologies with its energies, formats that it takes."""

import dataclasses
import inspect
import typing
from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args

from hwsim import schema, technology
from hwsim.datapath import Array, Dataflow, Datapath, Rule
from hwsim.errors import DesignError
from hwsim.format_table import takers
from hwsim.formats import Format


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """A field of a datapath: what it is if nothing is said, and its type or the values that it may have."""

    name: str
    default: Any
    accepted: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """One datapath.

    Attributes:
        what: the first sentence of its description, which is in ``definition`` as a whole.
        verified: ``"rtl"`` or ``"model only"``, with its default parameters.
        rtl: file of its Amaranth component, None without.
        dataflows: of the arrays that it can stand in.
        technologies: number of energy rows of its parts by status, for each technology that has any.
    """

    name: str
    what: str
    verified: str
    rtl: str | None
    dataflows: tuple[str, ...]
    technologies: dict[str, dict[str, int]]
    parameters: tuple[Parameter, ...]
    definition: str


def summarize(cls: type[Datapath]) -> Summary:
    """The summary of a datapath."""
    definition, verified = inspect.getdoc(cls) or "", cls().verified
    return Summary(
        name=cls.name(), what=" ".join(definition.partition("\n\n")[0].split()), verified=verified,
        rtl=f"rtl/{cls.name()}.py" if verified == "rtl" else None,
        dataflows=tuple(name for name in get_args(Dataflow) if _stands(cls(), name)),
        technologies=_technologies(cls.name()), parameters=tuple(_parameters(cls)), definition=definition,
    )  # fmt: skip


def accepted_formats(cls: type[Datapath], formats: Iterable[Format]) -> tuple[str, ...]:
    """Those of ``formats`` that a datapath computes, each with the parameters that must not be their defaults."""
    if issubclass(cls, Rule):
        return ()
    found = []
    for each in formats:
        (needed,) = takers(each, {cls.name(): cls}).values()
        if needed is not None:
            found.append(f"{each.name} ({', '.join(needed)})" if needed else each.name)
    return tuple(found)


def _stands(datapath: Datapath, dataflow: Dataflow) -> bool:
    try:
        datapath.check_array(Array(dataflow=dataflow))
    except DesignError:
        return False
    return True


def _technologies(name: str) -> dict[str, dict[str, int]]:
    found = {}
    for tech in technology.available():
        rows = [row for row in technology.load(tech).energy_rows if row.component.startswith(f"{name}.")]
        if rows:
            found[tech] = dict(Counter(str(row.status) for row in rows))
    return found


def _parameters(cls: type[Datapath]) -> Iterable[Parameter]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        yield Parameter(
            name=field.name, default=schema.to_plain(getattr(cls(), field.name)), accepted=_accepted(hints[field.name])
        )


def _accepted(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(str, get_args(hint)))
    if dataclasses.is_dataclass(hint):
        return f"{', '.join(field.name for field in dataclasses.fields(hint))} of their own"
    return getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint).replace("typing.", "")
