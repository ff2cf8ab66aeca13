"""What a person reads afterwards: an HTML page, energy reports for machines, tables for terminals."""

from hwsim.reporting.energy import energy_frame, energy_plain, write_energy
from hwsim.reporting.page import report
from hwsim.reporting.study import read_results, write_results

__all__ = ["energy_frame", "energy_plain", "read_results", "report", "write_energy", "write_results"]
