"""Rules of an SLO of each value of a label: of each tenant, endpoint or cluster, beside that of all.

The arithmetic is that of the whole (see `slo`), less what makes it outlive days without Prometheus: a window holds the
growth of a running total, and a total that had to begin again has lost its past. The values are those that were there
first, and at most so many; one without a series for a day makes room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from observability.names import series
from observability.rules import exclusions
from observability.rules.counting import largest, remembered
from observability.rules.windows import BASE_WINDOW, BurnAlert, burn_alerts, canonical
from observability.settings import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from observability.rules.counting import Events
    from observability.settings import EachValue, Exclusion, Slo

EPSILON: Final = "1e-09"
"""Stands for no requests in a divisor: one request in 30 days sums to seven orders of magnitude more."""
ROUNDED: Final = "1e-06"
"""Good events are subtracted from all to this, so that sums of the same in another order leave exactly 0."""
HELD: Final = 3
"""Hysteresis: a burn alert that fires ends when its short window burns at less than a third of its factor.

Not a setting: it only decides whether an error rate that varies around the factor is one alert or several, never
whether an alert fires.
"""
_FINE_MS: Final = milliseconds("2h")


def lower(long: str, short: str, record: str, total: str) -> str:
    """Return the lower of two windows' burn rates by the factor; at 1 the tier fires.

    While `record`, which holds it, is at 1, the short window holds it down to a third of the factor: an alert does not
    end and begin again. `total` is there wherever the SLO is counted.
    """
    firing = f"(last_over_time({record}[{BASE_WINDOW}]) >= bool 1 or 0 * {total})"
    held = f"{short} * (1 + {HELD - 1} * {firing})"
    return f"(({long}) <= ({held}) or ({held}) and ({long}))"


@dataclass(frozen=True, slots=True)
class Counted:
    """What an SLO counts; errors, or else good events."""

    requests: Events
    errors: Events | None
    good: Events | None
    restarted: str


@dataclass(frozen=True, slots=True)
class ValueRules:
    """The rules of one SLO's values, as (record, expression), in the order in which they read each other.

    Args:
        slo: the SLO.
        each: its label, and how many values at most.
        budget: the share of events that may be bad.
        read: what makes a selector of the SLO's own series from a name.
        interval: time between two evaluations.
        excluded: what counts for nothing.

    """

    slo: Slo
    each: EachValue
    budget: str
    read: Callable[[str], str]
    interval: str
    excluded: tuple[Exclusion, ...]

    def rules(self, counted: Counted) -> Iterator[tuple[str, str]]:
        """Yield the rules."""
        there, known = counted.requests.values(self.each.label), self.read(series.VALUE_KNOWN)
        kept = f"group by (value) ({remembered(known)})"
        first = f"topk({self.each.at_most}, 1 + {kept} or {there})"
        yield series.VALUE_KNOWN, f"group by (value) ({there} and on (value) {first})"
        yield series.VALUES_LEFT_OUT, f"count({there}) - count({known})"
        yield from self._totals(counted, f"group by (value) ({known} or {remembered(known)})")
        window = canonical(self.slo.window)
        requests, errors = (
            f"{self._within(total, window)}" for total in (series.VALUE_REQUESTS_TOTAL, series.VALUE_ERRORS_TOTAL)
        )
        yield series.VALUE_REQUESTS_PERIOD, requests
        yield series.VALUE_ERRORS_PERIOD, errors
        burn = self._ratio(self.read(series.VALUE_ERRORS_PERIOD), self.read(series.VALUE_REQUESTS_PERIOD))
        yield series.VALUE_BUDGET_REMAINING, f"1 - {burn} / {self.budget}"
        for severity, record in (("page", series.VALUE_PAGE_RATIO), ("ticket", series.VALUE_TICKET_RATIO)):
            if tiers := [alert for alert in burn_alerts(self.slo) if alert.severity == severity]:
                nearest = largest(*(self._tier(record, alert) for alert in tiers), by="value")
                none = f"0 * sum by (value) ({self.read(series.VALUE_REQUESTS_TOTAL)})"
                yield record, f"({nearest} or {none}) and on (value) last_over_time({known}[{BASE_WINDOW}])"

    def _totals(self, counted: Counted, kept: str) -> Iterator[tuple[str, str]]:
        def total(record: str, events: Events) -> tuple[str, str]:
            measured = self.read(series.SLO_MEASURED)
            name = self.read(record)
            return record, events.total_of_each(
                name,
                label=self.each.label,
                known=f"({kept})",
                interval=self.interval,
                measured=measured,
                restarted=counted.restarted,
            )

        yield total(series.VALUE_REQUESTS_TOTAL, counted.requests)
        if counted.errors is not None:
            yield total(series.VALUE_ERRORS_TOTAL, counted.errors)
        if counted.good is not None:
            yield total(series.VALUE_GOOD_TOTAL, counted.good)
            requests, good = self.read(series.VALUE_REQUESTS_TOTAL), self.read(series.VALUE_GOOD_TOTAL)
            yield series.VALUE_ERRORS_TOTAL, f"round({requests} - {good}, {ROUNDED})"

    def _within(self, record: str, window: str) -> str:
        """Return how many a window holds: all since the beginning, of a total that began in it."""
        total = self.read(record)
        before = f"({total} offset {window} <= {total} or 0 * {total})"
        excluded = "".join(
            f" - ({span.within(total, window)} or 0 * {total})" for span in exclusions.spans(self.excluded)
        )
        return f"clamp_min({total} - {before}{excluded}, 0)"

    def _ratio(self, errors: str, requests: str) -> str:
        return f"clamp_max({errors} / clamp_min({requests}, {EPSILON}), 1)"

    def _burn(self, window: str, factor: float) -> str:
        errors, requests = (
            self._within(total, window) for total in (series.VALUE_ERRORS_TOTAL, series.VALUE_REQUESTS_TOTAL)
        )
        return f"{self._ratio(errors, requests)} / {self.budget} / {factor:g}"

    def _tier(self, record: str, alert: BurnAlert) -> str:
        """Return how near one pair of windows is to its alert; see the whole SLO's."""
        total = self.read(series.VALUE_REQUESTS_TOTAL)
        needed = alert.long if alert.severity == "page" else alert.short
        step = "1m" if milliseconds(needed) <= _FINE_MS else BASE_WINDOW
        filled = (
            f"clamp_max(count_over_time({total}[{needed}:{step}]) / {milliseconds(needed) // milliseconds(step)}, 1)"
        )
        long = f"{self._burn(alert.long, alert.factor)} * ({filled})"
        if alert.severity == "page":
            long += f" and {self._within(series.VALUE_ERRORS_TOTAL, alert.long)} >= {self.slo.page_after_errors}"
        return lower(long, self._burn(alert.short, alert.factor), self.read(record), total)
