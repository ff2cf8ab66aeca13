"""The parts that a characterization found, as rows of a technology table."""

from hwsim.technology.energy_fits import Origin
from hwsim.technology.rows import AreaRow
from hwsim.technology.samples import SIZES, area_identity
from rtl.characterization import Characterization, Part


def area_rows(found: Characterization, origin: Origin) -> list[AreaRow]:
    """One row per part."""
    return [_area(each, found.rtl_hash, origin) for each in found.parts]


def _area(part: Part, rtl_hash: str, origin: Origin) -> AreaRow:
    size = SIZES.get(part.component)
    bits = float(part.parameters[size]) if size else 1.0
    return AreaRow(
        node=origin.node, voltage_v=origin.voltage_v, component=part.component,
        parameters=area_identity(part.component, part.parameters),
        area_um2=0.0 if size else part.area_um2,
        coefficients={size: part.area_um2 / bits} if size else {},
        leakage_uw=0.0 if size else part.leakage_uw,
        leakage_uw_per_um2=part.leakage_uw / part.area_um2 if size else 0.0,
        critical_path_ns=part.critical_path_ns,
        source=f"hwsim characterize: RTL {rtl_hash}; cell area without routing; set-up time not in the path",
        status="measured", error_pct=None,
    )  # fmt: skip
