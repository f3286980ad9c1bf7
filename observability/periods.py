"""Which store keeps the lines of which day. A leaf: it imports nothing of the project.

Loki looks for the lines of a day in that day's store alone. A change of the days that are behind would hide what is
there, without a word; so a change may only be about days to come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

VOLUME: Final = "the stack's own volume"
BEGINNING: Final = "2024-01-01"
"""The first day of Loki's schema in every stack."""
_START: Final = timedelta(hours=1)
"""What is asked for now may be there so much later: midnight must not pass in between."""


@dataclass(frozen=True)
class Periods:
    """Stores by the first day (UTC, as 2027-01-31) of each, in order, and for how many days lines are kept."""

    starts: Sequence[tuple[str, str]]
    kept_days: int

    def document(self) -> dict[str, Any]:
        """Return this as JSON has it."""
        return asdict(self)

    def store(self, day: str) -> str:
        """Return the store of a day."""
        return next((store for start, store in reversed(self.starts) if start <= day), VOLUME)


def hidden(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, now: datetime) -> str:
    """Return why a change of periods would hide lines, "" if it would not.

    Args:
        before: as they are, as `Periods.document` has them; None for the volume alone.
        after: as they shall be.
        now: with a time zone.
    """
    days = max(int(each["kept_days"]) for each in (before, after) if each) if before or after else 0
    old, new = _read(before), _read(after)
    today = (now.astimezone(UTC) + _START).date()
    for back in range(days, -1, -1):
        day = (today - timedelta(days=back)).isoformat()
        if old.store(day) != new.store(day):
            return (
                f"the lines of {day} are in {old.store(day)}, and would be looked for in {new.store(day)}; accepted: a"
                f" change from {today + timedelta(days=1)} on (logs.objectStore.from; until is the way back)"
            )
    return ""


def _read(document: Mapping[str, Any] | None) -> Periods:
    if not document:
        return Periods((), 0)
    return Periods([(str(start), str(store)) for start, store in document["starts"]], int(document["kept_days"]))
