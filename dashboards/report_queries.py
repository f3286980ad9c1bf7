"""PromQL of the report: whole weeks and the month, from what the rules count once in 5 minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards.queries import AVAILABILITY, everywhere, of_slo, select
from observability.names import series
from observability.rules import exclusions
from observability.rules.windows import BASE_WINDOW
from observability.settings import ratio, seconds

if TYPE_CHECKING:
    from observability.settings import Settings

BLOCK: Final = "6h"
"""What the report counts as one incident: all that went wrong within one such part of a day."""


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


# Incidents. Each point stands for the block that begins at it, so that the newest one reaches up to now.


def block_spent(settings: Settings) -> str:
    """Return the share of the budget that a block spent, where it is worth telling."""
    allowed = f"({_at_end(series.BUDGET)} * {_at_end(series.REQUESTS_PERIOD)} > 0)"
    return f"{block_failed(settings)} / {allowed} > {ratio(settings.thresholds.incident_percent):g}"


def block_failed(settings: Settings) -> str:
    """Return how many requests of a block were bad."""
    bad = f"sum by (service, slo) (sum_over_time({series.SLO_ERRORS_SLOT}[{BLOCK}] offset -{BLOCK}))"
    return _counting(settings, bad, series.SLO_ERRORS_TOTAL, BLOCK, -seconds(BLOCK))


def block_worst() -> str:
    """Return the highest share of bad requests in any 5 minutes of a block."""
    return f"max by (service, slo) (max_over_time({series.error_ratio(BASE_WINDOW)}{_block()}))"


def block_duration() -> str:
    """Return for how many seconds of a block more failed than the objective allows."""
    return f"max by (service, slo) (sum_over_time({series.FAILING_SECONDS}{_block()})) > 0"


def block_alerts() -> str:
    """Return, in LogQL, how many alerts on its SLOs began in a block: Grafana keeps their history in Loki."""
    began = 'current=~"Alerting.*" | previous!~"Alerting.*"'
    lines = f'{{from="state-history"}} | json | labels_slo!="" | labels_severity=~"page|ticket" | {began}'
    named = 'label_format service=labels_service, slo=labels_slo, objective="{{.labels_service}} {{.labels_slo}}"'
    return f"sum by (service, slo, objective) (count_over_time({lines} | {named} [{BLOCK}] offset -{BLOCK}))"


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


def _block() -> str:
    return f"[{BLOCK}] offset -{BLOCK}"


def _at_end(metric: str) -> str:
    return f"max by (service, slo) ({metric} @ end())"


def _sum(metric: str, window: str, ago: str, *matchers: str) -> str:
    selector = select(metric, *matchers) if matchers else metric
    offset = f" offset {ago}" if ago else ""
    return f"sum by (service, slo) (sum_over_time({selector}[{window}]{offset}))"
