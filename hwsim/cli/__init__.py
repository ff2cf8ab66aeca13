"""The command line: see `hwsim --help`, one module per command or family of commands."""

from hwsim.cli.program import main

__all__ = ["main"]
