"""Which cells of an array's netlist are which part, and whose energy is which event's."""

from dataclasses import dataclass

from hwsim.datapath import Array
from hwsim.integer import IntegerDatapath
from rtl.pe import implementation

CONTROL = "control"
_WITHIN = {
    "pe": {"dot", "feeder", "weights"},
    "column": {"buffer"},
}
"""Submodules that are parts of their own."""
_TOP = ("feeder", "operand_queue", "requantizers")


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
    path = instance.split(".")
    first = path[0].partition("$")[0]
    for prefix, names in _WITHIN.items():
        if first.startswith(f"{prefix}_") and len(path) > 1:
            second = path[1].partition("$")[0]
            return second if second in names else prefix
    if first.startswith("group_sum_"):
        return "pe"
    return first if first in _TOP else CONTROL


def shares(datapath: IntegerDatapath, array: Array) -> tuple[Share, ...]:
    """Every event whose energy the netlist tells; those of the datapath's own module first."""
    own = getattr(implementation(datapath), "SHARES", None) or _pe(datapath, array)
    return (*own, *(_stationary() if array.weight_stationary else _shared(datapath)))


def _pe(datapath: IntegerDatapath, array: Array) -> tuple[Share, ...]:
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


def _shared(datapath: IntegerDatapath) -> tuple[Share, ...]:
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
