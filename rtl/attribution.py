"""Which cells of an array's netlist are which part, and whose energy is which event's."""

import re
from dataclasses import dataclass

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from rtl.pe import implementation

CONTROL = "control"
_PARTS: dict[str, dict] = {
    "pe": {"dot": {"multiplier": {}}, "feeder": {}, "weights": {}},
    "column": {"buffer": {}},
    **{name: {} for name in ("feeder", "operand_queue", "requantizers")},
    **{name: {} for name in ("table", "unit", "choice")},
}
"""Submodules that are parts of their own, where they stand; their numbers left out."""
_ALIASES = {"group_sum": "pe", "normalizer": "requantizers", "build_stage": "operand_queue", "step_sum": "table"}


@dataclass(frozen=True, kw_only=True)
class Share:
    """Energy of one action: of ``parts`` without their clock pins, of ``clocks`` these alone.

    A part in ``gated`` is taken as clocked for one cycle per action. ``per`` is the event that counts the action
    (``component action``), if the simulator has none of that name.
    """

    component: str
    action: str
    parts: tuple[str, ...] = ()
    clocks: tuple[str, ...] = ()
    gated: tuple[str, ...] = ()
    per: str | None = None


def part(instance: str) -> str:
    """The part that an instance belongs to, by its path."""
    found, inside = CONTROL, _PARTS
    for step in instance.split(".")[:-1]:
        name = re.sub(r"(_\d+)*$", "", step.partition("$")[0])
        name = _ALIASES.get(name, name)
        if name not in inside:
            break
        found, inside = name, inside[name]
    return found


def shares(datapath: ArrayDatapath, array: Array) -> tuple[Share, ...]:
    """Every event whose energy the netlist tells.

    Those of PEs are the ``SHARES`` of the datapath's module, as far as it has the components, or those of PEs that
    multiply and accumulate.
    """
    names = {each.name for each in datapath.components(array)}
    own = tuple(each for each in getattr(implementation(datapath), "SHARES", ()) if each.component in names or each.per)
    return (*(own or _pe(datapath, array)), *(_stationary() if array.weight_stationary else _shared(datapath)))


def _pe(datapath: ArrayDatapath, array: Array) -> tuple[Share, ...]:
    """A PE of a dot product and what accumulates it, and encoders if there are any."""
    pe, encoder = f"{datapath.name()}.pe", f"{datapath.name()}.encoder"
    action = next(event.action for event in datapath.EVENTS if event.component == pe)
    encoders = tuple(
        Share(component=encoder, action=event.action, parts=("feeder",), clocks=("feeder",))
        for event in datapath.EVENTS
        if event.component == encoder
    )
    stationary = array.weight_stationary
    return (
        Share(component=pe, action=action, parts=("dot", "pe") if stationary else ("dot",)),
        Share(component=pe, action="accumulate", parts=() if stationary else ("pe",)),
        Share(component=pe, action="scale"),
        Share(component=pe, action="clock", clocks=("dot", "pe")),
        *encoders,
    )


def _shared(datapath: ArrayDatapath) -> tuple[Share, ...]:
    queue = ("operand_queue",)
    return (
        Share(component="operand_register", action="clock", parts=queue, clocks=queue),
        Share(component="requantizer", action="requantize", parts=("requantizers",), gated=("requantizers",)),
        Share(
            component="array_control", action="clock", parts=(CONTROL,), clocks=(CONTROL,), per="operand_register clock"
        ),
    )


def _stationary() -> tuple[Share, ...]:
    return (
        Share(component="weight_register", action="load", parts=("weights",), gated=("weights",)),
        Share(component="column", action="add", parts=("column",)),
        Share(component="column", action="scale"),
        Share(component="column", action="clock", clocks=("column",)),
        Share(component="requantizer", action="requantize", parts=("requantizers",), gated=("requantizers",)),
    )
