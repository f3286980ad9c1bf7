"""Rules of incidents: one series for each, however long it lasts, so that a report has one row of it.

An incident runs from the first evaluation in which more failed than the objective allows, or in which an alert fires,
until neither was so for half an hour (`QUIET`). Its label `began` is the second at which it began. It goes on after an
absence of Prometheus up to `RECOVERY`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from observability.names import series
from observability.rules import exclusions
from observability.rules.counting import RECOVERY
from observability.rules.windows import BASE_WINDOW
from observability.settings import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from observability.settings import Exclusion

QUIET: Final = "30m"
SEVERITIES: Final = {"page": 2, "ticket": 1}
"""What `slo:incident:alert` is for each; 0 without an alert."""


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """The rules of one SLO's incidents, as (record, expression), in the order in which they read each other.

    Args:
        read: what makes a selector of the SLO's own series from a name.
        interval: time between two evaluations.
        excluded: what counts for nothing.
        alerts: the record that says how near an alert is, by its severity.

    """

    read: Callable[[str], str]
    interval: str
    excluded: Sequence[Exclusion]
    alerts: Mapping[str, str]

    def rules(self) -> Iterator[tuple[str, str]]:
        """Yield the rules."""
        yield series.INCIDENT_SINCE, self._since()
        since = self.read(series.INCIDENT_SINCE)
        yield series.INCIDENT_START, f'count_values("began", {since} > 0) * on () group_left () {since}'
        bad = grown(self.read(series.SLO_ERRORS_TOTAL), self.interval)
        yield series.INCIDENT_ERRORS, self._sum(series.INCIDENT_ERRORS, bad)
        yield series.INCIDENT_SECONDS, self._sum(series.INCIDENT_SECONDS, self.read(series.FAILING_SECONDS))
        yield series.INCIDENT_WORST, self._most(series.INCIDENT_WORST, self.read(series.error_ratio(BASE_WINDOW)))
        firing = " or ".join(
            f"0 * ({self.read(self.alerts[severity])} >= 1) + {number}"
            for severity, number in SEVERITIES.items()
            if severity in self.alerts
        )
        yield series.INCIDENT_ALERT, self._most(series.INCIDENT_ALERT, firing)

    def _since(self) -> str:
        """Return when the incident that runs began, in seconds since 1970; 0 where none runs."""
        runs = " or ".join(
            [
                f"max_over_time({self.read(series.FAILING_SECONDS)}[{QUIET}]) > 0",
                *(f"{self.read(record)} >= 1" for record in self.alerts.values()),
            ]
        )
        none = f"0 * {self.read(series.SLO_ERRORS_TOTAL)}"
        before = f"last_over_time({self.read(series.INCIDENT_SINCE)}[{RECOVERY}]) > 0"
        now = f"floor({none} + time() - {milliseconds(self.interval) // 1000})"
        return f"0 * ({runs}) + ({before} or {now}) or {none}"

    def _so_far(self, record: str) -> str:
        """Return what was recorded of the incident that runs, by `began`; 0 where it begins."""
        start = self.read(series.INCIDENT_START)
        return f"(last_over_time({self.read(record)}[{RECOVERY}]) and {start} or 0 * {start})"

    def _sum(self, record: str, more: str) -> str:
        """Return a sum over the incident that runs, without what is excluded."""
        excluded = exclusions.now_excluded(self.excluded)
        counted = f"({more}) unless on () ({excluded})" if excluded else more
        return f"{self._so_far(record)} + scalar(sum({counted} or vector(0)))"

    def _most(self, record: str, value: str) -> str:
        """Return the largest of values since the incident that runs began."""
        so_far = self._so_far(record)
        return f"clamp_min({so_far}, scalar(max({value} or vector(0))))" if value else so_far


def grown(total: str, interval: str) -> str:
    """Return how much a running total grew since the last evaluation, which is up to `RECOVERY` ago."""
    return f"({total} - last_over_time({total}[{RECOVERY}] offset {interval}))"
