"""How the commands speak: short lines on the way, a table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

_console = Console(highlight=False, soft_wrap=True)
if not _console.is_terminal:
    _console.width = 160  # a log has no edge to wrap at


def say(line: str) -> None:
    """Print one line."""
    _console.print(line, markup=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(cell.replace("[", r"\[") for cell in row))
    _console.print(shown)


def show(thing: object) -> None:
    """Print anything rich can draw."""
    _console.print(thing)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield what is called with the bytes of each step; drawn where somebody watches, and only there."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=_console, transient=True, disable=not _console.is_terminal) as shown:
        task = shown.add_task(what, total=total)
        yield lambda step: shown.advance(task, step)
