"""The command line: ``hwsim simulate | sweep | report | rtl``."""

from hwsim.cli.program import main

__all__ = ["main"]
