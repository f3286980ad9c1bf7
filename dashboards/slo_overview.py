"""SLO Overview: is every target met, which budget burns, since when, and where the failures come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, TypeVar, Unpack

from dashboards import objective_columns, palette, queries, style, tables
from dashboards.model import Override, PanelQuery, Query, Thresholds, ValueText
from dashboards.objective_columns import BURN_RATE
from dashboards.state import add_states
from observability.names import series, uids
from observability.rules.windows import AVAILABILITY_WINDOW, BURN_ALERTS, BURN_WINDOWS, CONSUMED_WINDOWS, LATENCY_WINDOW
from observability.settings import AvailabilitySlo, LatencySlo, ratio, seconds
from observability.watched import watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

DIALS: Final = 3
"""More in one panel cannot be read; the table above has them all."""
BARS: Final = 8
BARS_WIDTH: Final = 7
"""Columns of a panel of bars: its title fits on a small laptop."""
DIAL_TITLE: Final = 12
"""Pixels: a service's name fits below its dial."""
ENDPOINTS: Final = 10
SLO_LABELS: Final = ("service", "slo", "objective")


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.SLO_OVERVIEW,
        settings,
        description="Objectives, error budgets and how fast they burn. Start at the table, worst first.",
    )
    style.add_service_picker(db, settings)
    db.add_annotation(
        "Alerts",
        queries.alert_changes(),
        datasource_uid=uids.DATASOURCE_LOKI,
        color=palette.ORANGE,
        tags=("labels_severity", "labels_service"),
    )
    add_states(db, settings, queries.states(settings), key="states")
    _objectives(db, settings)
    _burning(db, settings)
    _over_time(db, settings)
    _causes(db, settings)
    _dials(db, settings)
    return db


def _columns(settings: Settings) -> Mapping[str, str]:
    """Return the query of each column of the two tables of objectives: one evaluation for both."""
    return {
        "State": queries.named_state(settings),
        "SLI": queries.of_slo(series.GOOD_PERIOD),
        "Budget left": queries.of_slo(series.BUDGET_REMAINING),
        BURN_RATE: queries.of_slo(series.burn_rate(queries.BURN_NOW)),
        "Target": queries.of_slo(series.OBJECTIVE),
        "Window": queries.days(series.WINDOW),
        "With data": queries.of_slo(series.COVERAGE),
    }


def _objectives(db: DashboardBuilder, settings: Settings) -> None:
    columns, count = _columns(settings), queries.slos(settings)
    shares = style.sli(settings)
    objective = Override(
        name="Objective",
        links=[
            style.to_detail("${__data.fields.Service}"),
            style.to_application("${__data.fields.Service}"),
        ],
        custom=style.SEARCH,
    )
    service = Override(name="Service", custom=style.HIDDEN)
    db.add_table_panel(
        title="Objectives, worst first",
        query=tables.columns(columns)[0],
        **shares,
        paged=style.paged(count),
        transformations=tables.joined(
            columns,
            SLO_LABELS,
            show=("objective", "State", "Budget left", BURN_RATE, "service"),
            order="State",
            then="Budget left",
        ),
        overrides=[
            objective,
            service,
            *objective_columns.overrides(settings),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Every objective of the chosen services: its state, the error budget left of its window, and how many "
            "times too fast the last hour spent it.",
            "click the first name to open the service.",
        ),
        width=12,
        height=style.table_height(count),
        key="objectives",
    )
    db.add_table_panel(
        title="Targets and SLIs",
        query=PanelQuery("objectives"),
        **shares,
        paged=style.paged(count),
        transformations=tables.joined(
            columns,
            SLO_LABELS,
            show=("objective", "Target", "SLI", "Window", "With data", "service"),
            order="State",
            then="Budget left",
        ),
        overrides=[
            objective,
            service,
            Override(name="Target", **style.target(settings), width=style.target_width(settings)),
            Override(name="SLI", width=style.sli_width(settings)),
            Override(name="Window", **style.DAYS, width=style.NUMBER - 6),
            Override(name="With data", **style.SHARE, width=style.NARROWEST),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The target of each objective, the share of good requests in its window (SLI), and how much of the window "
            "has data.",
            "look at the Service page for what was missed, and check the scraping where little of the window has data.",
        ),
        width=12,
        height=style.table_height(count),
        key="targets",
    )


def _burning(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("How fast is the error budget going?", panel_id=102)
    count = queries.slos(settings)
    page = max(alert.factor for alert in BURN_ALERTS)
    height = style.table_height(min(count, BARS))
    db.add_bar_gauge_panel(
        title=f"Budget left{_of_most(count)}",
        query=Query(queries.least_budget(BARS), legend="{{service}} {{slo}}", instant=True),
        **style.BUDGET_SHARE,
        min_val=0,
        max_val=1,
        title_size=style.BAR_TITLE,
        thresholds=style.budget_thresholds(settings),
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The share of the failures that the objective allows in its window and that has not happened yet; below 0 "
            "the target is missed.",
            "stop risky changes of the service until it has recovered.",
        ),
        width=BARS_WIDTH,
        height=height,
        key="budget-left",
    )
    db.add_bar_gauge_panel(
        title=f"{BURN_RATE}{_of_most(count)}",
        query=Query(queries.most_burning(BARS), legend="{{service}} {{slo}}", instant=True),
        **style.BURN_RATE,
        min_val=0,
        max_val=page,
        title_size=style.BAR_TITLE,
        thresholds=style.burn_thresholds(),
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How many times faster than allowed the last hour spent the budget: 1 spends it exactly in the window, "
            f"{page:g} pages the owner.",
            "click the bar, find the endpoint and the status code, and roll back the last change.",
        ),
        width=BARS_WIDTH,
        height=height,
        key="burn-rate-now",
    )
    consumed = {
        f"Last {window}": queries.judged(settings, queries.of_slo(series.budget_consumed(window)))
        for window in CONSUMED_WINDOWS
    }
    first, exhausted = f"Last {CONSUMED_WINDOWS[0]}", "Exhausted in"
    consumed[exhausted] = f'label_join({queries.time_to_exhaustion()}, "objective", " ", "service", "slo")'
    db.add_table_panel(
        title="Error budget spent",
        query=tables.columns(consumed)[0],
        **style.BUDGET_SHARE,
        paged=style.paged(count),
        transformations=tables.joined(
            consumed, SLO_LABELS, show=("objective", *consumed, "service"), needs=(exhausted,), order=first
        ),
        overrides=[
            Override(name="Objective", links=[style.to_application("${__data.fields.Service}")], custom=style.SEARCH),
            Override(name="Service", custom=style.HIDDEN),
            *(
                Override(
                    name=f"Last {window}",
                    cell="color-background",
                    width=style.NUMBER - 12,
                    thresholds=_consumed_thresholds(window),
                )
                for window in CONSUMED_WINDOWS
            ),
            Override(
                name=exhausted,
                unit="s",
                decimals=0,
                mappings={"0": ValueText("spent", palette.BAD), (queries.NEVER, None): "never"},
                width=style.NUMBER + 12,
            ),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The share of the window's error budget that the last hour, 6 hours and 3 days spent (a dash: too early), "
            "and when the rest will be spent at the rate of the last hour.",
            "act first on what is exhausted soonest; when only the last 3 days spent much, it is over or slow, so look "
            "for when it was.",
        ),
        width=24 - 2 * BARS_WIDTH,
        height=height,
        key="budget-spent",
    )


def _of_most(count: int) -> str:
    return f", {BARS} worst" if count > BARS else ""


def _over_time(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Since when?", panel_id=103)
    objectives: dict[float, list[str]] = {}
    for service in watched(settings):
        if service.availability is not None:
            objectives.setdefault(ratio(service.availability.objective), []).append(service.name)
    db.add_timeseries_panel(
        title="Highest burn rate, by window",
        query=[Query(queries.highest(series.burn_rate(window)), legend=window) for window in BURN_WINDOWS],
        **style.on_axis(style.BURN_RATE),
        min_val=0,
        soft_max=max(alert.factor for alert in BURN_ALERTS),
        thresholds=style.burn_thresholds(),
        fill_opacity=0,
        links=style.to_infrastructure(settings),
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The highest burn rate of the chosen services, one line a window; an alert fires when the long and the "
            "short window of its pair are both above the dashed limit.",
            "act now when all are high; when only short windows are it has just begun, when only long ones are it is "
            "over.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="burn-rate",
    )
    db.add_timeseries_panel(
        title=f"Availability, 5 minutes{style.limited(settings, lowest=True)}",
        query=Query(style.by_service(settings, series.AVAILABILITY_5M, lowest=True), legend="{{service}}"),
        **style.sli(settings),
        soft_min=min(objectives, default=ratio(AvailabilitySlo().objective)),
        max_val=1,
        thresholds=style.lines(objectives, "objective"),
        fill_opacity=0,
        overrides=style.colored(settings),
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The share of requests that did not fail in the 5 minutes before each point; dashed are the objectives.",
            "note when it fell, compare with your releases, and click the line to open the service's requests.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="availability-now",
    )
    _latency(db, settings)


def _latency(db: DashboardBuilder, settings: Settings) -> None:
    thresholds: dict[float, list[str]] = {}
    for service in watched(settings):
        if service.latency is not None:
            thresholds.setdefault(seconds(service.latency.threshold), []).append(service.name)
    percentiles = {"P50": series.DURATION_P50, "P95": series.DURATION_P95, "P99": series.DURATION_P99}
    db.add_timeseries_panel(
        title="Highest latency P50, P95, P99",
        query=[
            *(Query(queries.highest(metric), legend=name, ref_id=name) for name, metric in percentiles.items()),
            *style.exemplars(settings),
        ],
        **style.LATENCY,
        min_val=0,
        fill_opacity=0,
        thresholds=style.lines(thresholds, "threshold"),
        data_links=[style.to_application("$service")],
        no_value="No request was timed in this time range. Widen it, or check that the service has a histogram.",
        description=style.describe(
            "Half, 95 and 99 of 100 requests of the slowest chosen service were answered within this time; dashed are "
            "the objectives' thresholds, dots are single requests.",
            "choose one service above to see its own lines, and click a dot above the others to open its trace.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="latency",
    )


def _causes(db: DashboardBuilder, settings: Settings) -> None:
    db.add_timeseries_panel(
        title=f"Requests{style.limited(settings)}",
        query=Query(style.by_service(settings, series.SLO_REQUESTS, queries.AVAILABILITY), legend="{{service}}"),
        **style.on_axis(style.REQUEST_RATE),
        min_val=0,
        fill_opacity=0,
        overrides=style.colored(settings),
        data_links=[style.to_application()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Requests per second that the availability objectives count.",
            "look for overload when errors rise with it, and for a change or a broken dependency when they rise alone.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="requests",
    )
    db.add_row("Where do the failures come from?", panel_id=104)
    columns = {
        "Failed requests": queries.failed_requests(settings, ENDPOINTS),
        "Error rate": queries.failed_share(settings),
    }
    db.add_table_panel(
        title="Endpoints with most failed requests",
        query=tables.columns(columns)[0],
        **style.COUNT,
        transformations=tables.joined(
            columns,
            ("service", "endpoint"),
            show=("service", "endpoint", "Failed requests", "Error rate"),
            needs=("Failed requests",),
            order="Failed requests",
        ),
        overrides=[
            Override(name="Service", links=[style.to_application("${__value.text}")]),
            Override(name="Failed requests", width=style.NUMBER + 8),
            Override(name="Error rate", **style.ERROR_RATE, width=style.NUMBER),
        ],
        no_value=queries.NOTHING_FAILED,
        description=style.describe(
            f"The {ENDPOINTS} endpoints with most failed requests in this time range.",
            "click the first service, see which status code it is, and read the logs of that time.",
        ),
        width=style.HALF,
        height=style.table_height(ENDPOINTS),
        key="endpoints",
    )
    db.add_logs_panel(
        title="Alert history",
        query=queries.alert_changes(),
        no_value="No alert of the chosen services started or ended in this time range.",
        description=style.describe(
            "Every alert of the chosen services that started or ended, newest first.",
            "read the runbook of the first that started, and compare its time with your releases.",
        ),
        width=style.HALF,
        height=style.table_height(ENDPOINTS),
        key="alert-history",
    )


def _dials(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("How far is it from the targets?", panel_id=105)
    availability = [(s.name, s.availability.objective) for s in watched(settings) if s.availability is not None]
    usual = AvailabilitySlo().objective
    targets = _range([style.percent(p) for p in sorted({p for _, p in availability} or {usual})])
    db.add_gauge_panel(
        title=f"Availability {AVAILABILITY_WINDOW}, target {targets}",
        query=Query(queries.worst_availability(DIALS), legend="{{service}}", instant=True),
        unit="percent",
        decimals=style.sli(settings)["decimals"],
        min_val=_floor(usual),
        max_val=100,
        title_size=DIAL_TITLE,
        thresholds=style.availability_thresholds(settings, usual),
        overrides=[
            _of_services(
                names, min_val=_floor(objective), thresholds=style.availability_thresholds(settings, objective)
            )
            for objective, names in _by_target(availability).items()
        ],
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"The share of requests of the last {AVAILABILITY_WINDOW} that did not fail, for the {DIALS} services with "
            "the least error budget left.",
            "look at *Burn rate* to see whether it goes on, and stop risky releases until the budget has recovered.",
        ),
        width=style.HALF,
        height=8,
        key="availability",
    )
    latency = [(s.name, s.latency.threshold) for s in watched(settings) if s.latency is not None]
    slowest = seconds(LatencySlo().threshold)
    thresholds = sorted({threshold for _, threshold in latency} or {LatencySlo().threshold}, key=seconds)
    db.add_gauge_panel(
        title=f"Latency P99 {LATENCY_WINDOW}, target {_range([style.duration(t) for t in thresholds])}",
        query=Query(queries.worst_latency(DIALS), legend="{{service}}", instant=True),
        **style.LATENCY,
        min_val=0,
        max_val=2 * slowest,
        title_size=DIAL_TITLE,
        thresholds=style.latency_thresholds(settings, slowest),
        overrides=[
            _of_services(
                names, max_val=2 * seconds(threshold), thresholds=style.latency_thresholds(settings, seconds(threshold))
            )
            for threshold, names in _by_target(latency).items()
        ],
        data_links=[style.to_application()],
        no_value="No request was timed in the last days. Check that the service has a histogram.",
        description=style.describe(
            f"99 of 100 requests of the last {LATENCY_WINDOW} were answered within this time, for the {DIALS} services "
            "that are slowest by their own targets.",
            "open the service, and a trace of a slow request.",
        ),
        width=style.HALF,
        height=8,
        key="latency-week",
    )


Target = TypeVar("Target", float, str)


def _by_target(targets: list[tuple[str, Target]]) -> dict[Target, list[str]]:
    """Return the services that have each target: one override for all of them."""
    found: dict[Target, list[str]] = {}
    for name, target in targets:
        found.setdefault(target, []).append(name)
    return found


def _of_services(names: list[str], **look: Unpack[_Dial]) -> Override:
    return Override(name=style.named(names), by="regexp", **look)


class _Dial(TypedDict, total=False):
    """What dials of services with different targets differ in."""

    min_val: float
    max_val: float
    thresholds: Thresholds


def _floor(objective: float) -> float:
    """Return where an availability dial begins: as far below the objective as that is below 100 %; percent."""
    return max(0.0, round(2 * objective - 100, 7))


def _consumed_thresholds(window: str) -> Thresholds:
    """Return when the pair of alerts with this long window would fire for a 30-day objective, and half the budget."""
    factors = [alert.factor for alert in BURN_ALERTS if alert.long == window]
    due = min(factors, default=1.0) * seconds(window) / seconds(AVAILABILITY_WINDOW)
    return Thresholds.high_is_bad(warning=round(due, 9), bad=0.5)


def _range(values: list[str]) -> str:
    if len(values) == 1:
        return values[0]
    (low, unit), last = values[0].split(), values[-1]
    return f"{low if last.endswith(f' {unit}') else values[0]} to {last}"
