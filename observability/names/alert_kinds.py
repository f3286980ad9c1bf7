"""The kinds of alerts, which are the file names of the runbooks in docs/runbooks."""

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
