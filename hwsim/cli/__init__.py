"""The command line: ``hwsim simulate | sweep | report | rtl | formats | rules | workloads | power | characterize``."""

from hwsim.cli.program import main

__all__ = ["main"]
