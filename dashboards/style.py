"""What our dashboards have in common: frame, links, sizes, thresholds and wording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, uids
from dashboards.builder import DashboardBuilder
from dashboards.model import Legend, Link, Override, Thresholds
from rules.windows import BURN_ALERTS, BurnAlert
from settings import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from settings import Settings

TITLES: Final = {
    uids.SLO_OVERVIEW: "SLO Overview",
    uids.APPLICATION_PERFORMANCE: "Application Performance",
    uids.INFRASTRUCTURE_HEALTH: "Infrastructure Health",
}

HALF: Final = 12
THIRD: Final = 8
GRAPH_HEIGHT: Final = 8

TIMES: Final = "suffix:×"  # noqa: RUF001 - the sign people know from "2 times as fast"

ANY: Final = ".+"
"""What All stands for: short, however many there are."""
ANY_OR_NONE: Final = ".*"
"""Likewise for a label that some services do not have."""

LIST_BELOW: Final = Legend(mode="list", calcs=("lastNotNull",))
TABLE_RIGHT: Final = Legend(placement="right", calcs=("lastNotNull", "mean", "max"))

NO_RULES_YET: Final = "No data: the recording rules have not run yet, or nothing chosen is being scraped."
NO_TRAFFIC: Final = "No data: no requests in this time range, or the service is not being scraped."

BUDGET_LOW: Final = 0.25
"""A budget with less than this left is marked."""


def dashboard(uid: str, settings: Settings, *, description: str, time_from: str = "now-6h") -> DashboardBuilder:
    """Return an empty dashboard with the frame that all of ours have."""
    db = DashboardBuilder(
        title=TITLES[uid],
        uid=uid,
        description=description,
        tags=("observability",),
        editable=settings.dashboards_editable,
        refresh="30s",
        time_from=time_from,
    )
    for other, title in TITLES.items():
        if other != uid:
            db.add_dashboard_link(title, other)
    return db


def to_application(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the application's dashboard for the service that was clicked."""
    return Link.to_dashboard("Requests of this service", uids.APPLICATION_PERFORMANCE, {"service": service})


def to_slo(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the objectives of the service that was clicked."""
    return Link.to_dashboard("Objectives of this service", uids.SLO_OVERVIEW, {"service": service})


TO_INFRASTRUCTURE: Final = Link.to_dashboard("CPU, memory and network", uids.INFRASTRUCTURE_HEALTH)


def describe(shows: str, when_bad: str) -> str:
    """Return a panel's description: what it shows and what to do about it."""
    return f"{shows}\n\n**When it is bad:** {when_bad}"


def dashed(query: str, *, color: str = "") -> Override:
    """Return the override that draws a query as a thin dashed line: something to compare with."""
    custom = {"custom.lineStyle": {"fill": "dash", "dash": [8, 8]}, "custom.lineWidth": 1, "custom.fillOpacity": 0}
    return Override(name=query, by="query", color=color, custom=custom)


# Thresholds, from the constants that the rules and alerts have

BUDGET: Final = Thresholds(
    (
        (None, palette.BAD, "spent, the objective is missed"),
        (0, palette.WARNING, "little left"),
        (BUDGET_LOW, palette.GOOD, "enough left"),
    ),
)


def burn_thresholds() -> Thresholds:
    """Return a step for each burn rate that alerts."""

    def step(alert: BurnAlert) -> tuple[float, str, str]:
        color = palette.BAD if alert.severity == "page" else palette.WARNING
        return alert.factor, color, f"{alert.severity} when held over {alert.long} and {alert.short}"

    rising = sorted(BURN_ALERTS, key=lambda alert: alert.factor)
    return Thresholds(((None, palette.GOOD, "the budget lasts"), *map(step, rising)))


def availability_thresholds(objective: float) -> Thresholds:
    """Return bad below the objective, and marked while little of the budget is left; `objective` in percent."""
    target = ratio(objective)
    return Thresholds(
        (
            (None, palette.BAD, "objective missed"),
            (target, palette.WARNING, "met, little budget left"),
            (round(target + BUDGET_LOW * (1 - target), 9), palette.GOOD, "objective met"),
        ),
    )


def latency_thresholds(target: float) -> Thresholds:
    """Return bad above the target, and marked close below it; in seconds."""
    return Thresholds(
        (
            (None, palette.GOOD, "target met"),
            (round(target * (1 - BUDGET_LOW), 9), palette.WARNING, "met, close to the target"),
            (target, palette.BAD, "target missed"),
        ),
    )


def lines(values: Mapping[float, Iterable[str]], what: str) -> Thresholds | None:
    """Return grey lines to compare with, each named after the services it is for; None without any."""
    steps = [(value, palette.MUTED, f"{what} of {_names(sorted(values[value]))}") for value in sorted(values)]
    return Thresholds(((None, palette.TRANSPARENT, ""), *steps)) if steps else None


# Words


def ratio(percent: float) -> float:
    """Return a percentage as a ratio, without the dust of floating point."""
    return round(percent / 100, 9)


def percent(value: float) -> str:
    """Return a percentage as people write it."""
    return f"{value:g} %"


def duration(value: str) -> str:
    """Return a Prometheus duration as people write a latency: below a second in milliseconds."""
    size = milliseconds(value)
    return f"{size} ms" if size < milliseconds("1s") else f"{size / 1000:g} s"


def _names(names: list[str], shown: int = 3) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
