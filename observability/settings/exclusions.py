"""Exclusions: times that count for no SLO, planned like maintenance, or excluded afterwards."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field, model_validator

from observability.settings.value_types import Accepts, Frozen, Name, RefusedError, Weekday, matching, to_text

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:00)?(Z|[-+]\d\d:\d\d)")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_WHEN: Final = (
    "a moment in whole minutes with its zone, like 2026-11-21T22:00Z, or with weekdays a time like 22:00 (UTC)"
)
_LONGEST_DAYS: Final = 31


def _when(value: object) -> str:
    text = to_text(value)
    if _CLOCK.fullmatch(text):
        return text
    if not _MOMENT.fullmatch(text):
        raise ValueError
    _epoch(text)
    return text


def _epoch(moment: str) -> int:
    return int(datetime.fromisoformat(moment).astimezone(UTC).timestamp())


When = Annotated[str, Accepts(_WHEN, _when)]
Reason = Annotated[
    str,
    matching(
        "one line of at most 200 characters, without quotes, braces, $, | and \\", r"[^\x00-\x1f\"'`$|{}\\]{1,200}"
    ),
]


class Exclusion(Frozen):
    """The time from `start` to `end`, once, or at these hours of the `weekdays`, in UTC.

    An exclusion that happens once can be added, changed or removed afterwards, and all numbers follow. A weekly one
    only affects the time after it was added.
    """

    start: When = Field(description=f"When it begins: {_WHEN}")
    end: When = Field(description="When it ends; with weekdays the next day where it is before start")
    reason: Reason = Field(description="Why, as dashboards and the report show it")
    weekdays: tuple[Weekday, ...] = Field((), description="Days on which it recurs; empty for once")
    services: tuple[Name, ...] = Field((), description="Services that it is for; empty for all")
    slos: tuple[Name, ...] = Field((), description="Their SLOs that it is for; empty for all")

    @model_validator(mode="after")
    def _in_order(self) -> Exclusion:
        clocks = bool(_CLOCK.fullmatch(self.start)), bool(_CLOCK.fullmatch(self.end))
        if clocks != (self.recurs, self.recurs):
            kind = (
                "times of day like 22:00, because weekdays are given" if self.recurs else "moments with date and zone"
            )
            raise RefusedError(f"start, end: {kind}")
        if self.recurs:
            if self.start == self.end:
                raise RefusedError("end: another time of day than start")
        elif not 0 < self.ends - self.begins <= _LONGEST_DAYS * 86_400:
            raise RefusedError(f"end: after start, at most {_LONGEST_DAYS} days")
        return self

    @property
    def recurs(self) -> bool:
        """Whether it repeats each week."""
        return bool(self.weekdays)

    @property
    def begins(self) -> int:
        """Beginning of an exclusion that happens once, in seconds since 1970."""
        return _epoch(self.start)

    @property
    def ends(self) -> int:
        """End of an exclusion that happens once, in seconds since 1970."""
        return _epoch(self.end)

    def __str__(self) -> str:
        """Return its time in words."""
        days = f"{', '.join(self.weekdays)} " if self.recurs else ""
        zone = " UTC" if self.recurs else ""
        return f"{days}{self.start} to {self.end}{zone}"

    def applies(self, service: str, slo: str = "") -> bool:
        """Return whether it applies to an SLO of a service; without `slo`, to every SLO."""
        return (not self.services or service in self.services) and (not self.slos or slo in self.slos)
