"""PromQL of the report: whole weeks and the month, from what the rules count once in 5 minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards.queries import AVAILABILITY, everywhere, of_slo, select
from observability.names import series
from observability.rules import exclusions
from observability.settings import ratio, seconds

if TYPE_CHECKING:
    from observability.settings import Settings

INCIDENTS_OF: Final = "30d"
"""How far back the report looks for incidents."""


def good(settings: Settings, window: str, ago: str = "") -> str:
    """Return the share of good requests in `window`, which ended `ago`, by service and SLO."""
    bad, every = (
        _counting(settings, _sum(slot, window, ago), total, window, seconds(ago) if ago else 0)
        for slot, total in (
            (series.SLO_ERRORS_SLOT, series.SLO_ERRORS_TOTAL),
            (series.SLO_REQUESTS_SLOT, series.SLO_REQUESTS_TOTAL),
        )
    )
    return f"1 - {bad} / ({every} > 0)"


def answered(window: str, ago: str = "") -> str:
    """Return how many requests all services answered."""
    return _counted(series.SLO_REQUESTS_SLOT, series.SLO_REQUESTS_LATE, window, ago)


def failed(window: str, ago: str = "") -> str:
    """Return how many of them failed."""
    return _counted(series.SLO_ERRORS_SLOT, series.SLO_ERRORS_LATE, window, ago)


def failed_by_service(window: str) -> str:
    """Return how many requests failed, by service."""
    return f"sum by (service) ({_sum(series.SLO_ERRORS_SLOT, window, '', AVAILABILITY)})"


def budget_left() -> str:
    """Return the share of the allowed failures that is left, by service and SLO."""
    return everywhere(of_slo(series.BUDGET_REMAINING))


def objective() -> str:
    """Return the objective, by service and SLO."""
    return everywhere(of_slo(series.OBJECTIVE))


# Incidents, by service, SLO and `began`: the second at which each began.


def incident_spent(settings: Settings) -> str:
    """Return the share of the budget that an incident used, where it is worth telling: by its size, or an alert."""
    allowed = f"({_at_end(series.BUDGET)} * {_at_end(series.REQUESTS_PERIOD)} > 0)"
    spent = f"{incident_failed(settings)} / on (service, slo) group_left () {allowed}"
    least = f"{ratio(settings.thresholds.incident_percent):g}"
    return f"({spent} > {least} or {spent} and {incident_alert()} > 0)"


def incident_failed(settings: Settings) -> str:
    """Return how many requests of an incident were bad."""
    return _of_incident(settings, series.INCIDENT_ERRORS)


def incident_seconds(settings: Settings) -> str:
    """Return for how many seconds of an incident more failed than the objective allows."""
    return _of_incident(settings, series.INCIDENT_SECONDS)


def incident_worst() -> str:
    """Return the highest share of bad requests in any 5 minutes of an incident."""
    return _recorded(series.INCIDENT_WORST)


def incident_alert() -> str:
    """Return the most urgent alert on the SLO in an incident: 2 for a page, 1 for a ticket, 0 for none."""
    return _recorded(series.INCIDENT_ALERT)


def incident_start() -> str:
    """Return when an incident began, in milliseconds since 1970, as Grafana has times."""
    return f"1000 * {_recorded(series.INCIDENT_START)}"


def _recorded(record: str) -> str:
    """Return the last that was recorded of each incident that the time range holds, or ended in."""
    return f"max by (service, slo, began) (last_over_time({record}[{INCIDENTS_OF}]))"


def _of_incident(settings: Settings, record: str) -> str:
    """Return a sum over each incident, without what was excluded after it had been recorded."""
    found = _recorded(record)
    excluded = exclusions.subtracted_of_incidents(settings, record)
    return f"clamp_min({found} - ({excluded} or 0 * {found}), 0)" if excluded else found


def _counting(settings: Settings, summed: str, total: str, window: str, late: float) -> str:
    """Return what is left of `summed` without what is excluded of its window."""
    excluded = exclusions.subtracted(settings, total, window, round(late))
    return f"clamp_min({summed} - ({excluded} or 0 * {summed}), 0)" if excluded else summed


def _counted(slot: str, late: str, window: str, ago: str) -> str:
    """Return a count over `window`; up to now with what came since the last slot, as counts of an SLO's window have.

    Without that, the counts of one page would differ by up to five minutes, and a young stack would have none.
    """
    slots = _sum(slot, window, ago, AVAILABILITY)
    if ago:
        return f"sum({slots})"
    since = f"max by (service, slo) ({select(late, AVAILABILITY)})"
    return f"sum({slots} + ({since} or 0 * {slots}) or {since})"


def _at_end(metric: str) -> str:
    return f"max by (service, slo) ({metric} @ end())"


def _sum(metric: str, window: str, ago: str, *matchers: str) -> str:
    selector = select(metric, *matchers) if matchers else metric
    offset = f" offset {ago}" if ago else ""
    return f"sum by (service, slo) (sum_over_time({selector}[{window}]{offset}))"
