"""`measure`: runs a command that measures, and writes its tables to its section of docs/measurements.md.

A section is the text between two comments, which name the command. Everything outside of them is written by people.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import psutil

from cli import drill, release, verify
from cli.bootstrap import ROOT
from cli.console import PrintedTable, recorded
from cli.context import Context
from cli.errors import UsageError, UserError
from lab import bench, faults, stress

PAGE: Final = ROOT / "docs" / "measurements.md"
COMMANDS: Final[Mapping[str, Callable[[Context], int]]] = {
    "bench": lambda context: bench.run(context, bench.PARTS),
    "drill": drill.run,
    "faults": lambda context: faults.run(context, ""),
    "stress": lambda context: stress.run(context, 1_000, "5m"),
    "verify": lambda context: verify.run(context, as_json=False),
}
"""The commands that measure, as the page's sections call them."""


def run(context: Context, what: str) -> int:
    """Run the command `what`, write its section, and return its exit code.

    Raises:
        UsageError: there is no such command.
        UserError: it printed no table, so that there is nothing to write.

    """
    if what not in COMMANDS:
        raise UsageError(f"WHAT: '{what}'; accepted: {', '.join(COMMANDS)}")
    circumstances = _circumstances()
    with recorded() as tables:
        code = COMMANDS[what](context)
    if not tables:
        raise UserError(f"`{what}` measured nothing here; {PAGE.relative_to(ROOT)} is as it was")
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_section(text, what, f"{circumstances}\n\n{markdown(tables)}"), encoding="utf-8")
    context.console.say(f"{PAGE.relative_to(ROOT)}: section of `{what}` written")
    return code


def with_section(page: str, what: str, body: str) -> str:
    """Return the page with `body` as the section of the command `what`.

    Raises:
        UserError: the page has no such section.

    """
    begin, end = f"<!-- make measure WHAT={what} -->\n", "<!-- end -->\n"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UserError(f"{PAGE.relative_to(ROOT)} has no section of `{what}`: {begin.strip()} … {end.strip()}")
    return f"{before}{begin}{body}{end}{after}"


def markdown(tables: Iterable[PrintedTable]) -> str:
    """Return the tables in Markdown, each with its title above it."""
    return "".join(
        f"{table.title[:1].upper()}{table.title[1:]}:\n\n{_row(table.columns)}{_row(('---',) * len(table.columns))}"
        f"{''.join(_row(row) for row in table.rows)}\n"
        for table in tables
    )


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |\n"


def _circumstances() -> str:
    """Return when, on what and with which commit is measured, in one sentence."""
    commit, changed = release.checked_out()
    version = f"{commit or 'unknown'}{' and changes' if changed else ''}"
    memory = psutil.virtual_memory().total / 1024**3
    return (
        f"Measured on {datetime.now(UTC):%d %B %Y} with commit {version},"
        f" on {os.cpu_count()} cores with {memory:.0f} GiB, {platform.system()} {platform.release()}, at a load of"
        f" {os.getloadavg()[0]:.1f}."
    )
