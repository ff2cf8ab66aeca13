"""The command line: ``hwsim simulate | sweep | report | rtl | formats | rules | workloads``."""

from hwsim.cli.program import main

__all__ = ["main"]
