"""What our dashboards have in common: frame, links, sizes, thresholds and wording."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal

from dashboards import palette, queries
from dashboards.builder import DashboardBuilder
from dashboards.model import Legend, Link, Override, Query, Thresholds, ValueText
from observability import topology
from observability.names import uids
from observability.rules.windows import BUDGET_LOW, BURN_ALERTS, BurnAlert
from observability.settings import SERVICES, milliseconds
from observability.watched import STACK, watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dashboards.model import Mappings
    from observability.settings import Settings

TITLES: Final = {
    uids.HOME: "Home",
    uids.SLO_OVERVIEW: "SLO Overview",
    uids.APPLICATION_PERFORMANCE: "Application Performance",
    uids.SERVICE_DETAIL: "Service",
    uids.LOGS: "Logs",
    uids.INCIDENT: "Incident",
    uids.INFRASTRUCTURE_HEALTH: "Infrastructure Health",
    uids.STACK_HEALTH: "Stack Health",
    uids.EXECUTIVE_SLO_REPORT: "Executive: SLO Report",
}

HALF: Final = 12
THIRD: Final = 8
GRAPH_HEIGHT: Final = 8
TALLEST: Final = 40
"""No panel is higher, however much it has to show: then it scrolls."""
_CELL: Final = 38
"""Pixels of one row of the grid, gap included."""
_HEADS: Final = 104
"""Pixels that a panel's and a table's headings take together."""
_LINES: Final = {"sm": 36, "md": 42, "legend": 27}
"""Pixels of one line of a table, by its cell height, and of a legend."""

TIMES: Final = "suffix:×"  # noqa: RUF001 - the sign people know from "2 times as fast"

ANY: Final = ".+"
"""What All stands for: short, however many there are."""
ANY_OR_NONE: Final = ".*"
"""Likewise for a label that some services do not have."""

LEFT: Final = {"custom.align": "left"}
"""Words in a column of numbers that stand for them."""
LIST_BELOW: Final = Legend(mode="list", calcs=("lastNotNull",))
TABLE_RIGHT: Final = Legend(placement="right", calcs=("lastNotNull", "mean", "max"))
NAMES_RIGHT: Final = Legend(placement="right", calcs=("max",))
"""For long names."""
SHORT_RIGHT: Final = Legend(placement="right", calcs=("lastNotNull", "max"))
"""A table below may take a third of its panel only and scrolls; one at the side has the whole height."""

NO_RULES_YET: Final = "No data: the recording rules have not run yet, or nothing chosen is being scraped."
NOT_RUNNING: Final = "No data: the container does not run, or Prometheus cannot scrape it."
NO_TRAFFIC: Final = "No data: no requests in this time range, or the service is not being scraped."


def table_height(lines: int, cell: Literal["sm", "md", "legend"] = "sm") -> int:
    """Return the height at which a table, or a legend at the side, shows this many lines without scrolling."""
    return min(TALLEST, math.ceil((_HEADS + _LINES[cell] * max(lines, 1)) / _CELL))


def graph_height(lines: int, least: int = GRAPH_HEIGHT) -> int:
    """Return the height of a graph whose legend at the side shows this many series."""
    return max(least, table_height(lines, "legend"))


def dashboard(
    uid: str, settings: Settings, *, description: str, time_from: str = "now-6h", refresh: str = "30s"
) -> DashboardBuilder:
    """Return an empty dashboard with the frame that all of ours have."""
    db = DashboardBuilder(
        title=TITLES[uid],
        uid=uid,
        description=description,
        tags=("observability",),
        editable=settings.dashboards_editable,
        refresh=refresh,
        time_from=time_from,
    )
    for other, title in TITLES.items():
        if other != uid:
            db.add_dashboard_link(title, other)
    db.add_marks("Deployments", uids.DEPLOYMENT_TAG, color=palette.PURPLE)
    db.add_annotation(
        "Model versions",
        queries.new_versions(),
        color=palette.SKY_BLUE,
        title="Model version",
        text="{{service}}: {{model}} {{version}} answers",
        tags=("service",),
    )
    return db


def to_application(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the application's dashboard for the service that was clicked."""
    return Link.to_dashboard("Requests of this service", uids.APPLICATION_PERFORMANCE, {"service": service})


def to_slo(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the objectives of the service that was clicked."""
    return Link.to_dashboard("Objectives of this service", uids.SLO_OVERVIEW, {"service": service})


def to_detail(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the page of the service that was clicked."""
    return Link.to_dashboard("This service's page", uids.SERVICE_DETAIL, {"service": service})


TO_INFRASTRUCTURE: Final = Link.to_dashboard("CPU, memory and network", uids.INFRASTRUCTURE_HEALTH)
TO_STACK: Final = Link.to_dashboard("Stack Health", uids.STACK_HEALTH)


def describe(shows: str, when_bad: str) -> str:
    """Return a panel's description: what it shows and what to do about it."""
    return f"{shows}\n\n**When it is bad:** {when_bad}"


def exemplars(settings: Settings) -> list[Query]:
    """Return what puts the dots of single requests on a graph of response times; nothing when nothing is watched."""
    raw = queries.exemplars(settings)
    return [Query(raw, legend="exemplars", ref_id="exemplars", exemplar=True)] if raw else []


def dashed(query: str, *, color: str = "") -> Override:
    """Return the override that draws a query as a thin dashed line: something to compare with."""
    custom = {"custom.lineStyle": {"fill": "dash", "dash": [8, 8]}, "custom.lineWidth": 1, "custom.fillOpacity": 0}
    return Override(name=query, by="query", color=color, custom=custom)


# Colours that belong to a name

_OF_STACK: Final = {part.name: palette.NAMED[part.color] for part in topology.PARTS if part.color}
_OF_OTHERS: Final = tuple(color for color in palette.SERIES if color not in _OF_STACK.values())
OF_STATUS: Final = {"500": palette.BAD, "502": palette.ORANGE, "503": palette.YELLOW, "504": palette.PURPLE}
"""Of the status codes that are seen most."""


def colors(settings: Settings) -> dict[str, str]:
    """Return the colour of each service and container, the same on every panel of every dashboard.

    The stack's own keep theirs whatever else is watched; those of the configured services follow their order.
    """
    own = {service.name for service in STACK} | set(SERVICES)
    others = [service.name for service in watched(settings) if service.name not in own]
    return _OF_STACK | {name: _OF_OTHERS[index % len(_OF_OTHERS)] for index, name in enumerate(others)}


def colored(colors: Mapping[str, str]) -> list[Override]:
    """Return the overrides that give every series its name's colour; more words may follow the name."""
    return [Override(name=f"/^{re.escape(name)}( .*)?$/", by="regexp", color=color) for name, color in colors.items()]


# Thresholds, from the constants that the rules and alerts have

BUDGET: Final = Thresholds(
    (
        (None, palette.BAD, "spent, the objective is missed"),
        (0, palette.WARNING, "little left"),
        (BUDGET_LOW, palette.GOOD, "enough left"),
    ),
)


UP: Final = Thresholds(((None, palette.BAD, "down"), (1, palette.GOOD, "up")))
UP_OR_DOWN: Final[Mappings] = {"1": ValueText("Up", palette.GOOD), "0": ValueText("Down", palette.BAD)}
NONE_IS_GOOD: Final = Thresholds(((None, palette.GOOD, "none"), (1, palette.BAD, "some")))
USAGE: Final = Thresholds.high_is_bad(0.75, 0.9)
"""Of a limit."""


def burn_thresholds() -> Thresholds:
    """Return a step for each burn rate that alerts."""

    def step(alert: BurnAlert) -> tuple[float, str, str]:
        color = palette.BAD if alert.severity == "page" else palette.WARNING
        return alert.factor, color, f"{alert.severity} when held over {alert.long} and {alert.short}"

    rising = sorted(BURN_ALERTS, key=lambda alert: alert.factor)
    return Thresholds(((None, palette.GOOD, "the budget lasts"), *map(step, rising)))


def availability_thresholds(objective: float) -> Thresholds:
    """Return bad below the objective, and marked while little of the budget is left; all in percent."""
    return Thresholds(
        (
            (None, palette.BAD, "objective missed"),
            (objective, palette.WARNING, "met, little budget left"),
            (round(objective + BUDGET_LOW * (100 - objective), 7), palette.GOOD, "objective met"),
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
