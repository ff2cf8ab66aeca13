"""Plotly figures of sweeps and results; each function returns a `Figure`."""

from hwsim.plotting.energy import plot_energy
from hwsim.plotting.parallel import plot_parallel
from hwsim.plotting.pareto import plot_pareto
from hwsim.plotting.roofline import plot_roofline

__all__ = ["plot_energy", "plot_parallel", "plot_pareto", "plot_roofline"]
