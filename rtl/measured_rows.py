"""What a characterization found, as rows of a technology table."""

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.technology.rows import AreaRow, EnergyRow, Parameters
from rtl.characterization import UNIFORM, Characterization, EventEnergy, Part

BY_BITS = ("operand_register",)
"""Registers, which differ in their number of bits only."""

_NOTHING = "nothing of its own: in the part's other actions, as its inputs change with every step"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where rows come from: ``text`` says it, beside node and supply."""

    node: str
    voltage_v: float
    text: str


def energy_rows(found: Characterization, origin: Provenance) -> list[EnergyRow]:
    """One row per event of a part that the netlist has."""
    parameters = {part.component: part.parameters for part in found.parts}
    return [_energy(each, parameters[each.component], origin) for each in found.events if each.component in parameters]


def area_rows(found: Characterization, origin: Provenance) -> list[AreaRow]:
    """One row per part."""
    return [_area(each, origin) for each in found.parts]


def _energy(event: EventEnergy, parameters: Parameters, origin: Provenance) -> EnergyRow:
    by_bits = event.component in BY_BITS
    coefficients: Mapping[str, float] = (
        {"register_bits": event.pj / float(parameters["register_bits"])} if by_bits else {}
    )
    known = {name: pj for name, pj in event.by_stimulus.items() if name != UNIFORM}
    spread = max((abs(pj - event.pj) for pj in known.values()), default=0.0) / event.pj * 100 if event.pj else 0.0
    uniform = event.by_stimulus.get(UNIFORM)
    text = f"{origin.text}; zero delay {event.zero_delay_pj:.4g} pJ"
    text += f"; uniform random tiles {uniform:.4g} pJ" if uniform is not None else ""
    return EnergyRow(
        node=origin.node, voltage_v=origin.voltage_v, component=event.component, action=event.action,
        parameters={} if by_bits else parameters, e0_pj=0.0 if by_bits else event.pj, coefficients=coefficients,
        source=text if event.pj else f"{origin.text}; {_NOTHING}",
        status="measured", error_pct=round(spread, 1),
        zero_delay_fraction=event.zero_delay_pj / event.pj if event.pj else None,
    )  # fmt: skip


def _area(part: Part, origin: Provenance) -> AreaRow:
    by_bits = part.component in BY_BITS
    bits = float(part.parameters["register_bits"]) if by_bits else 1.0
    return AreaRow(
        node=origin.node, voltage_v=origin.voltage_v, component=part.component,
        parameters={} if by_bits else part.parameters, area_um2=0.0 if by_bits else part.area_um2,
        coefficients={"register_bits": part.area_um2 / bits} if by_bits else {},
        leakage_uw=0.0 if by_bits else part.leakage_uw,
        leakage_uw_per_um2=part.leakage_uw / part.area_um2 if by_bits else 0.0,
        critical_path_ns=part.critical_path_ns,
        source=f"{origin.text}; cell area without routing; set-up time not in the path", status="measured",
        error_pct=None,
    )  # fmt: skip
