"""The kinds of alerts: each has a runbook of its name in docs/runbooks, and a test keeps it so. A leaf."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "runbooks"
WATCHDOG: Final = "watchdog"
"""The dead man's switch, which fires always."""


@cache
def kinds() -> tuple[str, ...]:
    """Return the kinds of alerts that have a runbook, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))
