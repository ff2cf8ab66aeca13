"""What a person reads afterwards: an HTML page, energy reports for machines, tables for terminals."""

from hwsim.reporting.energy import energy_frame, energy_plain, energy_schema, write_energy
from hwsim.reporting.page import report
from hwsim.reporting.reference_tables import reference_tables
from hwsim.reporting.study import read_results, write_results

__all__ = [
    "energy_frame",
    "energy_plain",
    "energy_schema",
    "read_results",
    "reference_tables",
    "report",
    "write_energy",
    "write_results",
]
