"""What our dashboards have in common: frame, links, sizes, scales, thresholds and wording."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

from dashboards import palette, queries
from dashboards.builder import DashboardBuilder
from dashboards.model import Link, Override, Query, Thresholds, ValueText
from observability import topology
from observability.names import series, uids
from observability.rules.windows import BURN_ALERTS, BurnAlert
from observability.settings import SERVICES, milliseconds, ratio
from observability.watched import STACK, watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    uids.HOSTS: "Hosts",
    uids.PROBES: "Probes",
    uids.EXECUTIVE_SLO_REPORT: "Executive: SLO Report",
}

HALF: Final = 12
THIRD: Final = 8
ALERTS: Final = 15
"""Columns of a list of alerts: their names are long, and Grafana cuts off what does not fit."""
LAST_HOUR: Final = "now-1h"
GRAPH_HEIGHT: Final = 10
LINES: Final = 6
"""Lines in a graph by service or container; of more, the highest are drawn: a legend of two rows leaves room."""
ROWS: Final = 10
"""Rows of a table without paging; of more, the table shows how many there are, worst first, and filters by name."""
_CELL: Final = 38
"""Pixels of one row of the grid, gap included."""
_HEADS: Final = 112
"""Pixels that a panel's and a table's headings take together."""
_PAGER: Final = 40
"""Pixels of the line that counts and pages the rows."""
_LINE: Final = 36
"""Pixels of one row of a table."""

BAR_TITLE: Final = 12
"""Pixels of the name above a bar."""
NAME: Final = 96
"""Pixels of a narrow column of names, which take a second line where they are longer."""
STATE: Final = 79
"""Pixels of a column of states."""
NUMBER: Final = 68
"""Pixels of a column of numbers."""
NARROWEST: Final = 50
"""Pixels: Grafana makes no column narrower, whatever is asked for, and the table would be wider than its panel."""

ANY: Final = ".+"
"""The value of All: short, however many there are."""
ANY_OR_NONE: Final = ".*"
"""Likewise for a label that some services do not have."""
MENU_TAG: Final = "observability-page"
"""On every dashboard in the menu at the top. The page of one service is not: it takes no list of services."""

LEFT: Final = {"custom.align": "left"}
"""For texts in a column of numbers that stand for them."""
HIDDEN: Final = {"custom.hideFrom.viz": True}
"""For a column that is there for links only."""
SEARCH: Final = {"custom.filterable": True}
"""For a column with a filter, which has a search, in its head."""

NO_RULES_YET: Final = "No data yet: the first numbers come two minutes after a service is scraped. Check Targets down."
NOT_RUNNING: Final = "No data: the container is not running or not scraped. Check Targets down on Stack Health."
NO_PROMETHEUS: Final = "No data: Prometheus has just started or does not run. Check its log with `docker logs`."
NO_HOST: Final = "No data: the collector measures the disk and is not running. Check its log with `docker logs`."
NO_TRAFFIC: Final = "No requests in this time range. Widen it, or check that the service is scraped."


class Scale(TypedDict):
    """Unit and digits of a quantity, the same on every page."""

    unit: str
    decimals: NotRequired[int]


TIMES: Final = "×"  # noqa: RUF001 - the sign people know from "2 times"
BURN_RATE: Final[Scale] = {"unit": f"suffix:{TIMES}", "decimals": 1}
BUDGET_SHARE: Final[Scale] = {"unit": "percentunit", "decimals": 0}
ERROR_RATE: Final[Scale] = {"unit": "percentunit", "decimals": 2}
REQUEST_RATE: Final[Scale] = {"unit": "reqps", "decimals": 1}
LATENCY: Final[Scale] = {"unit": "s"}
"""Grafana turns to milliseconds, and chooses the digits."""
COUNT: Final[Scale] = {"unit": "locale", "decimals": 0}
SHARE: Final[Scale] = {"unit": "percentunit", "decimals": 0}
CORES: Final[Scale] = {"unit": "suffix:cores", "decimals": 2}
BYTES: Final[Scale] = {"unit": "bytes", "decimals": 0}
DAYS: Final[Scale] = {"unit": "suffix:d", "decimals": 0}


def on_axis(scale: Scale) -> Scale:
    """Return a scale for a graph: Grafana then chooses digits that tell the labels of the axis apart.

    With fixed digits small values get an axis of equal labels. Counts stay whole.
    """
    return scale if scale == COUNT else {"unit": scale["unit"]}


def target(settings: Settings) -> Scale:
    """Return the scale of objectives: the digits that the finest of them has."""
    digits = [
        -int(Decimal(str(slo.objective)).normalize().as_tuple().exponent)
        for service in watched(settings)
        for slo in service.slo_by_name.values()
    ]
    return {"unit": "percentunit", "decimals": min(max([*digits, 0]), 4)}


def sli(settings: Settings) -> Scale:
    """Return the scale of SLIs: fine enough to tell a missed target from a met one, by two digits more than it has.

    99.98 % and an objective of 99.99 % need more digits than 97 % and one of 95 %.
    """
    scale = target(settings)
    return {"unit": scale["unit"], "decimals": scale["decimals"] + 2}


def sli_width(settings: Settings) -> int:
    """Return the pixels of a column of SLIs: 100 %, with the digits of its scale."""
    return max(76, _text_width("100.%", sli(settings)))


def target_width(settings: Settings) -> int:
    """Return the pixels of a column of targets: none is 100 %."""
    return max(60, _text_width("99.%", target(settings)))


def _text_width(text: str, scale: Scale) -> int:
    return 12 + math.ceil(7.75 * (len(text) + scale["decimals"]))


def table_height(lines: int) -> int:
    """Return the height of a table of this many lines: ROWS of them at most, and a line that counts the rest."""
    pager = _PAGER if lines > ROWS else 0
    return math.ceil((_HEADS + pager + _LINE * min(max(lines, 1), ROWS)) / _CELL)


def paged(lines: int) -> bool:
    """Return whether a table of this many lines pages them."""
    return lines > ROWS


def limited(settings: Settings, *, lowest: bool = False) -> str:
    """Return what the title of a graph by service says about services that it leaves out; "" when it shows all."""
    return f", {LINES} {'lowest' if lowest else 'highest'}" if len(watched(settings)) > LINES else ""


def by_service(settings: Settings, metric: str, *matchers: str, lowest: bool = False) -> str:
    """Return a recorded series by service: of all of them, or of the LINES highest or lowest where there are more."""
    return most_extreme(settings, queries.of_service(metric, *matchers), metric, *matchers, lowest=lowest)


def most_extreme(settings: Settings, expr: str, metric: str, *matchers: str, lowest: bool = False) -> str:
    """Return `expr` of all services, or of the LINES that are highest or lowest in `metric` where there are more."""
    if len(watched(settings)) <= LINES:
        return expr
    return f"({expr}) and on (service) {queries.extremes(LINES, metric, *matchers, lowest=lowest)}"


def most_failed(settings: Settings, expr: str) -> str:
    """Return `expr` of all services, or of the LINES with most failed requests at the end of the time range."""
    metric, matchers = series.SLO_ERRORS_SLOT, queries.AVAILABILITY
    if len(watched(settings)) <= LINES:
        return expr
    ranked = f"sum by (service) (sum_over_time({queries.select(metric, matchers)}[$__range] @ end()))"
    return f"({expr}) and on (service) topk({LINES}, {ranked})"


def least_budget(settings: Settings) -> str:
    """Return the error budget left of availability objectives by service and SLO: of all, or of the LINES lowest."""
    left = f"max by (service, slo) ({queries.select(series.BUDGET_REMAINING, queries.SERVICE, queries.AVAILABILITY)})"
    return most_extreme(settings, left, series.BUDGET_REMAINING, queries.AVAILABILITY, lowest=True)


def dashboard(
    uid: str, settings: Settings, *, description: str, time_from: str = LAST_HOUR, refresh: str = "30s"
) -> DashboardBuilder:
    """Return an empty dashboard with the frame that all of ours have.

    With the usual time range, graphs of a stack in its first hour begin with its data.
    """
    young = time_from == LAST_HOUR
    db = DashboardBuilder(
        title=TITLES[uid],
        uid=uid,
        description=description,
        tags=("observability",) if uid == uids.SERVICE_DETAIL else ("observability", MENU_TAG),
        editable=settings.dashboards_editable,
        refresh=refresh,
        time_from=time_from,
        graphs_from="${age}m" if young else "",
    )
    if young:
        db.add_query_variable("age", query=queries.AGE, regex=queries.AGE_VALUE, hidden=True)
    db.add_dashboard_menu("Dashboards", MENU_TAG)
    db.add_tagged_annotations("Deployments", uids.DEPLOYMENT_TAG, color=palette.PURPLE)
    db.add_annotation(
        "Model versions",
        queries.new_versions(),
        color=palette.SKY_BLUE,
        title="Model version",
        text="{{service}}: {{model}} {{version}} serves",
        tags=("service",),
    )
    if settings.exclusions:
        db.add_annotation(
            "Exclusions",
            queries.excluded(settings),
            color=palette.NEUTRAL,
            title="Counts for no objective: {{excluded}}",
            text="{{reason}}",
            tags=("excluded",),
        )
    return db


def service_names(settings: Settings) -> list[str]:
    """Return the services of pickers, known before any of them has sent data; the stack's own where none is watched."""
    return [service.name for service in watched(settings)] or list(SERVICES)


def add_service_picker(db: DashboardBuilder, settings: Settings) -> None:
    """Add the picker of one, several or all services, and the link to the page of the one that needs attention most."""
    db.add_custom_variable(
        queries.SERVICE_VARIABLE, "Service", service_names(settings), multi=True, include_all=True, all_value=ANY
    )
    add_service_link(db, settings)


def add_service_link(db: DashboardBuilder, settings: Settings) -> None:
    """Add the link to the page of the chosen service that needs attention most: that page shows one, never all."""
    _add_service_link(db, queries.focus(settings, service_names(settings)[0]))


def add_worst_service_link(db: DashboardBuilder, settings: Settings, *, keep_time: bool = True) -> None:
    """Add the same link to a page without a picker of services: to the one that needs attention most of all."""
    _add_service_link(db, queries.everywhere(queries.focus(settings, service_names(settings)[0])), keep_time=keep_time)


def _add_service_link(db: DashboardBuilder, focus: str, *, keep_time: bool = True) -> None:
    db.add_query_variable("focus", query=focus, regex=queries.SERVICE_VALUES, hidden=True)
    db.add_dashboard_link(
        "Service",
        uids.SERVICE_DETAIL,
        keep_time=keep_time,
        keep_variables=False,
        chosen={"service": "${focus:percentencode}"},
    )


def to_application(service: str = "${__field.labels.service}") -> Link:
    """Return the link to Application Performance for the service that was clicked."""
    return Link.to_dashboard("Requests of this service", uids.APPLICATION_PERFORMANCE, {"service": service})


def to_slo(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the objectives of the service that was clicked."""
    return Link.to_dashboard("Objectives of this service", uids.SLO_OVERVIEW, {"service": service})


def to_detail(service: str = "${__field.labels.service}") -> Link:
    """Return the link to the page of the service that was clicked."""
    return Link.to_dashboard("Everything about this service", uids.SERVICE_DETAIL, {"service": service})


TO_INFRASTRUCTURE: Final = Link.to_dashboard("CPU, memory and network", uids.INFRASTRUCTURE_HEALTH)
TO_STACK: Final = Link.to_dashboard("Stack Health", uids.STACK_HEALTH)


def to_infrastructure(settings: Settings) -> list[Link]:
    """Return the link to the dashboard of containers; none where this program runs none."""
    return [TO_INFRASTRUCTURE] if settings.runs_stack else []


def describe(shows: str, when_bad: str) -> str:
    """Return a panel's description: a sentence on what it shows, and one on what to do when it is bad."""
    return f"{shows}\n\n**When it is bad:** {when_bad}"


def exemplars(settings: Settings, carried: str = queries.SERVICE_VARIABLE) -> list[Query]:
    """Return the query for exemplars, the dots of single requests on a graph; none when nothing is watched."""
    raw = queries.exemplars(settings, carried)
    return [Query(raw, legend="exemplars", ref_id="exemplars", exemplar=True)] if raw else []


def dashed(query: str, *, color: str = "") -> Override:
    """Return the override that draws a query as a thin dashed line: something to compare with."""
    custom = {"custom.lineStyle": {"fill": "dash", "dash": [8, 8]}, "custom.lineWidth": 1, "custom.fillOpacity": 0}
    return Override(name=query, by="query", color=color, custom=custom)


def without_legend(query: str) -> Override:
    """Return the override that leaves a query out of the legend."""
    return Override(
        name=query, by="query", custom={"custom.hideFrom": {"legend": True, "tooltip": False, "viz": False}}
    )


# Colours that belong to a name

OF_STACK: Final = {part.name: palette.NAMED[part.color] for part in topology.PARTS if part.color}
"""The colour of each of the stack's own services."""
_OF_OTHERS: Final = (
    palette.SKY_BLUE,
    palette.GREEN,
    palette.ORANGE,
    palette.PURPLE,
    palette.VIOLET,
    palette.BLUE,
    palette.VERMILLION,
)
_DASHES: Final = ((), (12, 6), (3, 5))
"""Line styles: the colours begin anew with the next one, so that services look alike only after the 21st."""
OF_STATUS: Final = {"500": palette.BAD, "502": palette.ORANGE, "503": palette.VIOLET, "504": palette.PURPLE}
"""Of the status codes that are seen most."""


def _others(settings: Settings) -> list[str]:
    own = {service.name for service in STACK} | set(SERVICES)
    return [service.name for service in watched(settings) if service.name not in own]


def colors(settings: Settings) -> dict[str, str]:
    """Return the colour of each service and container, the same on every panel of every dashboard.

    The stack's own keep theirs whatever else is watched; those of the configured services follow their order.
    """
    return OF_STACK | {name: _OF_OTHERS[i % len(_OF_OTHERS)] for i, name in enumerate(_others(settings))}


def colored(settings: Settings) -> list[Override]:
    """Return the overrides that give every series its name's colour and line style; more words may follow the name.

    The stack's own services are thin lines: they share colours with configured ones.
    """
    # One override a look, not one a service: a graph's model stays small with hundreds of services.
    looks: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for i, name in enumerate(_others(settings)):
        look = _OF_OTHERS[i % len(_OF_OTHERS)], _DASHES[i // len(_OF_OTHERS) % len(_DASHES)]
        looks.setdefault(look, []).append(name)
    return colored_stack() + [_look(names, color, dash, thin=False) for (color, dash), names in looks.items()]


def colored_stack() -> list[Override]:
    """Return the overrides of the stack's own services, for graphs that draw no others."""
    return [_look([name], color, (), thin=True) for name, color in OF_STACK.items()]


def _look(names: list[str], color: str, dash: tuple[int, ...], *, thin: bool) -> Override:
    custom: dict[str, object] = {"custom.lineStyle": {"fill": "dash", "dash": list(dash)}} if dash else {}
    if thin:
        custom["custom.lineWidth"] = 1
    return Override(name=named(names, more="( .*)?"), by="regexp", color=color, custom=custom)


def named(names: Sequence[str], *, more: str = "") -> str:
    """Return the matcher, a regular expression, of series with one of these names; `more` may follow the name."""
    either = "|".join(re.escape(name) for name in names)
    return f"/^({either}){more}$/" if len(names) > 1 else f"/^{either}{more}$/"


# Thresholds, from what the rules and alerts have

UP: Final = Thresholds(((None, palette.BAD, "down"), (1, palette.GOOD, "up")))
UP_OR_DOWN: Final[Mappings] = {"1": ValueText("Up", palette.GOOD), "0": ValueText("Down", palette.BAD)}
NONE_IS_GOOD: Final = Thresholds(((None, palette.GOOD, "none"), (1, palette.BAD, "some")))


def budget_thresholds(settings: Settings) -> Thresholds:
    """Return bad where an error budget is spent, and a warning while little of it is left."""
    return Thresholds(
        (
            (None, palette.BAD, "spent: target missed"),
            (0, palette.WARNING, "little left"),
            (settings.thresholds.budget_low, palette.GOOD, "enough left"),
        ),
    )


def usage_thresholds(settings: Settings) -> Thresholds:
    """Return when the use of a limit is a warning, and bad."""
    limits = settings.thresholds
    return Thresholds.high_is_bad(ratio(limits.usage_warning_percent), ratio(limits.usage_bad_percent))


def disk_thresholds(settings: Settings) -> Thresholds:
    """Return when the use of the host's disk is a warning, and bad."""
    limits = settings.thresholds
    return Thresholds.high_is_bad(ratio(limits.disk_warning_percent), ratio(limits.disk_bad_percent))


def burn_thresholds() -> Thresholds:
    """Return a step for each burn rate that alerts."""

    def step(alert: BurnAlert) -> tuple[float, str, str]:
        color = palette.BAD if alert.severity == "page" else palette.WARNING
        return alert.factor, color, f"{alert.severity} when held over {alert.long} and {alert.short}"

    rising = sorted(BURN_ALERTS, key=lambda alert: alert.factor)
    return Thresholds(((None, palette.GOOD, "the budget lasts"), *map(step, rising)))


def availability_thresholds(settings: Settings, objective: float) -> Thresholds:
    """Return bad below the objective, and a warning while little of the budget is left; all in percent."""
    return Thresholds(
        (
            (None, palette.BAD, "target missed"),
            (objective, palette.WARNING, "target met, little budget left"),
            (round(objective + settings.thresholds.budget_low * (100 - objective), 7), palette.GOOD, "target met"),
        ),
    )


def latency_thresholds(settings: Settings, target: float) -> Thresholds:
    """Return bad above the target, and a warning close below it; in seconds."""
    return Thresholds(
        (
            (None, palette.GOOD, "target met"),
            (round(target * (1 - settings.thresholds.budget_low), 9), palette.WARNING, "target met, but close"),
            (target, palette.BAD, "target missed"),
        ),
    )


def lines(values: Mapping[float, Iterable[str]], what: str) -> Thresholds | None:
    """Return grey lines to compare with, each named after the services it is for; None without any."""
    steps = [(value, palette.MUTED, f"{what} of {_names(sorted(values[value]))}") for value in sorted(values)]
    return Thresholds(((None, palette.TRANSPARENT, ""), *steps)) if steps else None


# Words


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
