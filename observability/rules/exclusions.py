"""What is left out of windows: the PromQL for times that count for no SLO.

What happens once is subtracted when a window is summed, from the running totals at its beginning and its end. The
totals themselves hold everything, so that an exclusion may be added, changed or removed afterwards. Hours of the week
cannot be subtracted so, because rules do not know which week it is: there, the totals stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from observability.rules.windows import canonical
from observability.settings import milliseconds
from observability.watched import watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from observability.settings import Exclusion, Settings

_DAY: Final = 86_400
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""As PromQL's day_of_week() counts them."""
_MONTHS: Final = {"month": 1, "quarter": 3}
_SEARCHED_MS: Final = milliseconds("6h")
"""How far the value of a total at a border is looked for, where Prometheus was away."""


def number_now(calendar: str) -> str:
    """Return the number of this month or quarter, counted from the year 0 on."""
    months = "(year() * 12 + month() - 1)"
    return months if calendar == "month" else f"floor({months} / {_MONTHS[calendar]})"


def seconds_now(calendar: str) -> str:
    """Return how long this month or quarter is."""
    if calendar == "month":
        return f"days_in_month() * {_DAY}"
    return f"(92 - 2 * (month() <= bool 3) - (month() > bool 3) * (month() <= bool 6)) * {_DAY}"


@dataclass(frozen=True, slots=True)
class Span:
    """One exclusion, or several that overlap: from `begins` to `ends`, in seconds since 1970."""

    begins: int
    ends: int

    def since(self, total: str) -> str:
        """Return how much of a running total came in it until now."""
        return f"clamp_min({self._upper(total)} - ({self._lower(total)}), 0) and on () (vector(time()) > {self.begins})"

    def within(self, total: str, window: str, late: int = 0) -> str:
        """Return how much of a running total came in it, of the window that ended `late` seconds ago."""
        size = milliseconds(window) // 1000 + late
        # The report's blocks reach into the future by their own length: they begin at the moment of evaluation.
        then = f"{total} offset {size}s" if size else total
        begin = f"{then} and on () (vector(time() - {size}) > {self.begins})"
        upper = self._upper(total)
        if late:
            upper = f"({total} offset {late}s and on () (vector(time() - {late}) < {self.ends}) or {upper})"
        seen = f"vector(time() - {late}) > {self.begins} < {self.ends + size - late}"
        return f"clamp_min({upper} - ({begin} or {self._lower(total)}), 0) and on () ({seen})"

    def _upper(self, total: str) -> str:
        """Return the total at the end, or now where that is to come."""
        reach = canonical(f"{min(1000 * (self.ends - self.begins), _SEARCHED_MS) + milliseconds('1h')}ms")
        now = f"{total} and on () (vector(time()) < {self.ends})"
        return f"({now} or last_over_time({total}[{reach}] @ {self.ends}))"

    def _lower(self, total: str) -> str:
        """Return the total at the beginning, or the first in it."""
        reach = min(1000 * (self.ends - self.begins), _SEARCHED_MS)
        first = f"first_over_time({total}[{canonical(f'{reach}ms')}] @ {self.begins + reach // 1000})"
        return f"last_over_time({total}[1h] @ {self.begins}) or {first}"


def spans(exclusions: Iterable[Exclusion], calendar: str = "") -> tuple[Span, ...]:
    """Return those that happen once, without overlaps; for a calendar window, cut at the borders of its periods."""
    merged: list[Span] = []
    for begins, ends in sorted((x.begins, x.ends) for x in exclusions if not x.recurs):
        if merged and begins <= merged[-1].ends:
            merged[-1] = Span(merged[-1].begins, max(ends, merged[-1].ends))
        else:
            merged.append(Span(begins, ends))
    return tuple(part for span in merged for part in (_cut(span, _MONTHS[calendar]) if calendar else (span,)))


def number_of(span: Span, calendar: str) -> int:
    """Return the number of the month or quarter that a span lies in."""
    return _number(span.begins, _MONTHS[calendar])


def standing_still(exclusions: Iterable[Exclusion], interval: str) -> str:
    """Return what is there while an excluded hour of the week passes, at the middle of an evaluation's interval."""
    half = milliseconds(interval) / 2000
    return _weekly([x for x in exclusions if x.recurs], f"time() - {half:g}")


def now_excluded(exclusions: Sequence[Exclusion]) -> str:
    """Return what is there while anything is excluded; empty where nothing ever is."""
    once = [f"vector(time()) >= {span.begins} < {span.ends}" for span in spans(exclusions)]
    weekly = _weekly([x for x in exclusions if x.recurs], "time()")
    return " or ".join([*once, *([weekly] if weekly else [])])


def subtracted(settings: Settings, record: str, window: str, late: int = 0) -> str:
    """Return what is excluded of a window that ended `late` seconds ago, by service and SLO; empty where nothing is.

    Args:
        settings: with the exclusions, and the services that they are for.
        record: the name of a running total.
        window: its length.
        late: below 0 for a window that is to end so many seconds after the time of the evaluation.

    """
    found = []
    for service in watched(settings):
        for name in service.slo_by_name:
            total = f'{record}{{service="{service.name}", slo="{name}"}}'
            own = spans(x for x in settings.exclusions if x.applies(service.name, name))
            found += [span.within(total, window, late) for span in own]
    parts = (f'label_replace({expr}, "span", "{number}", "", "")' for number, expr in enumerate(found))
    return f"sum by (service, slo) ({' or '.join(parts)})" if found else ""


def _weekly(exclusions: Sequence[Exclusion], moment: str) -> str:
    parts = []
    for exclusion in exclusions:
        first, last = (60 * int(text[:2]) + int(text[3:]) for text in (exclusion.start, exclusion.end))
        days = [_DAYS.index(day) for day in exclusion.weekdays]
        if first < last:
            parts.append(_hours(moment, days, 60 * first, 60 * last))
        else:
            parts.append(_hours(moment, days, 60 * first, _DAY))
            if last:
                parts.append(_hours(moment, [(day + 1) % 7 for day in days], 0, 60 * last))
    return " or ".join(parts)


def _hours(moment: str, days: Sequence[int], first: int, last: int) -> str:
    which = " or ".join(f"day_of_week(vector({moment})) == {day}" for day in sorted(days))
    return f"(vector(({moment}) % {_DAY}) >= {first} < {last} and on () ({which}))"


def _cut(span: Span, months: int) -> Iterator[Span]:
    borders = [span.begins]
    number = _number(span.begins, months)
    while (border := _first_of(number := number + 1, months)) < span.ends:
        borders.append(border)
    yield from (Span(begins, ends) for begins, ends in pairwise([*borders, span.ends]))


def _number(moment: int, months: int) -> int:
    date = datetime.fromtimestamp(moment, UTC)
    return (date.year * 12 + date.month - 1) // months


def _first_of(number: int, months: int) -> int:
    year, month = divmod(number * months, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())
