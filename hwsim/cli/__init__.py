"""The command line: ``hwsim simulate | sweep | report | rtl | formats | workloads | reproduce``."""

from hwsim.cli.program import main

__all__ = ["main"]
