"""Output for people: short lines on the way, a table at the end. Rich is imported when something is drawn."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

_LOG_WIDTH = 160
"""Columns where the output is no terminal."""


@dataclass(frozen=True)
class PrintedTable:
    """A table as it was printed."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_recordings: Final[list[list[PrintedTable]]] = []


@contextmanager
def recorded() -> Iterator[list[PrintedTable]]:
    """Yield a list to which every table is added that any console prints in the block."""
    tables: list[PrintedTable] = []
    _recordings.append(tables)
    try:
        yield tables
    finally:
        _recordings.remove(tables)


class Console:
    """Writes to standard output; progress goes to standard error, and only to a terminal."""

    def say(self, line: str) -> None:
        """Print one line."""
        print(line, flush=True)

    def json(self, document: object) -> None:
        """Print a document for a program to read."""
        print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table."""
        from rich.table import Table  # noqa: PLC0415 - costs 0.1 s, which `plan --json` need not pay

        drawn = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
        for column in columns:
            drawn.add_column(column, overflow="fold")
        printed = PrintedTable(title, tuple(columns), tuple(tuple(row) for row in rows))
        for row in printed.rows:
            drawn.add_row(*(cell.replace("[", r"\[") for cell in row))
        self.show(drawn)
        for tables in _recordings:
            tables.append(printed)

    def show(self, renderable: object) -> None:
        """Print anything that rich can draw."""
        _rich().print(renderable)

    @contextmanager
    def progress(self, description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Yield a function to call with the number of bytes of each step."""
        from rich.progress import (  # noqa: PLC0415 - as above
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        console = _rich()
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(description, total=total)
            yield lambda step: bar.advance(task, step)

    @contextmanager
    def status(self, description: str) -> Iterator[None]:
        """Show on a terminal that a long step is running, without a trace in the output."""
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console as RichConsole  # noqa: PLC0415 - as above

        with RichConsole(stderr=True).status(f"{description} …"):
            yield


def _rich() -> RichConsole:
    from rich.console import Console as RichConsole  # noqa: PLC0415 - as above

    console = RichConsole(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console


_default = Console()
say = _default.say
table = _default.table
