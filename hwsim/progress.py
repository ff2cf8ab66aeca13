"""Progress bars for long work, on standard error."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def track(items: Sequence[T], what: str, show: bool = True) -> Iterator[T]:
    """``items`` one by one, with a bar labelled ``what`` if ``show`` and a person is watching."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
        yield from bar.track(items, description=what)
