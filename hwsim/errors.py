"""Errors a user can act on: each names the offending thing and what is accepted."""

import difflib
from collections.abc import Iterable


class HwsimError(ValueError):
    """Base of every error that hwsim raises on bad input."""


class FormatError(HwsimError):
    """A tensor or number format that the receiver cannot take."""


class CheckpointError(FormatError):
    """A quantized checkpoint that cannot be read."""


class DesignError(HwsimError):
    """A design point that is not valid."""


class NetworkError(HwsimError):
    """A network, or a network file, that is not valid."""


class ExportError(HwsimError):
    """A PyTorch model that cannot be exported."""


class TechnologyError(HwsimError):
    """A technology table that is not valid, or lacks the row asked for."""


class PowerError(HwsimError):
    """A cell library, netlist or activity file from which no power can be computed."""


class MissingExtraError(HwsimError):
    """An optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra!r}: pip install 'hwsim[{extra}]'")


def nearest(name: str, accepted: Iterable[str]) -> str:
    """A phrase for error messages: the nearest accepted name, then all of them."""
    names = sorted(accepted)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}accepted: {', '.join(names)}"
