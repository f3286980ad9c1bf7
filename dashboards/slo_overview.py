"""SLO Overview: is every promise kept, which budget burns, and where the failures come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, queries, style, tables
from dashboards.model import Legend, Override, Query, Thresholds, ValueText
from observability.names import series, uids
from observability.rules.windows import AVAILABILITY_WINDOW, BURN_ALERTS, BURN_WINDOWS, CONSUMED_WINDOWS, LATENCY_WINDOW
from observability.settings import AvailabilitySlo, LatencySlo, seconds
from observability.watched import watched

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

DIALS: Final = 3
"""More in one panel cannot be read; the table above has them all."""
BARS: Final = 8
DIAL_TITLE: Final = 14
"""Pixels: a service's name and its target fit below its dial."""
BAR_TITLE: Final = 12
ENDPOINTS: Final = 10


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.SLO_OVERVIEW,
        settings,
        description="Objectives, error budgets and how fast they burn. Start at the table, worst first.",
    )
    db.add_query_variable("service", "Service", queries.SLO_SERVICES, multi=True, include_all=True, all_value=style.ANY)
    db.add_annotation(
        "Alerts",
        queries.alert_changes(),
        datasource_uid=uids.DATASOURCE_LOKI,
        color=palette.WARNING,
        tags=("labels_severity", "labels_service"),
    )
    _promises(db, settings)
    _budgets(db, settings)
    _over_time(db, settings)
    _causes(db, settings)
    return db


def _promises(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Is every promise kept?", panel_id=101)
    _all_objectives(db, settings)
    availability = [(s.name, s.availability.objective) for s in watched(settings) if s.availability is not None]
    usual = AvailabilitySlo().objective
    db.add_gauge_panel(
        title=f"Availability, {AVAILABILITY_WINDOW} (target {_range_of([p for _, p in availability] or [usual])})",
        query=Query(queries.worst_availability(DIALS), legend="{{service}}", instant=True),
        unit="percent",
        decimals=2,
        min_val=_floor(usual),
        max_val=100,
        title_size=DIAL_TITLE,
        thresholds=style.availability_thresholds(usual),
        overrides=[
            Override(
                name=name,
                display_name=f"{name}: target {style.percent(objective)}",
                min_val=_floor(objective),
                thresholds=style.availability_thresholds(objective),
            )
            for name, objective in availability
        ],
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"Share of requests that did not fail in the last {AVAILABILITY_WINDOW}, every request counting once; "
            f"the {DIALS} services with the least error budget left.",
            "look at *Burn rate* whether it still goes on. If so, find the endpoint below and roll back what changed; "
            "if not, stop risky releases until the budget has recovered.",
        ),
        width=style.HALF,
        height=7,
        panel_id=2,
    )
    latency = [(s.name, s.latency.threshold) for s in watched(settings) if s.latency is not None]
    slowest = seconds(LatencySlo().threshold)
    targets = sorted({threshold for _, threshold in latency} or {LatencySlo().threshold}, key=seconds)
    db.add_gauge_panel(
        title=f"Latency P99, {LATENCY_WINDOW} (target {_between([style.duration(t) for t in targets])})",
        query=Query(queries.worst_latency(DIALS), legend="{{service}}", instant=True),
        unit="s",
        min_val=0,
        max_val=2 * slowest,
        title_size=DIAL_TITLE,
        thresholds=style.latency_thresholds(slowest),
        overrides=[
            Override(
                name=name,
                display_name=f"{name}: target {style.duration(threshold)}",
                max_val=2 * seconds(threshold),
                thresholds=style.latency_thresholds(seconds(threshold)),
            )
            for name, threshold in latency
        ],
        data_links=[style.to_application()],
        no_value="No data: nothing was timed in the last days, or the service has no histogram.",
        description=style.describe(
            f"99 of 100 requests of the last {LATENCY_WINDOW} were answered within this time; the {DIALS} services "
            "that are slowest by their own targets.",
            "compare with *Latency* over time to see since when, then open the slowest endpoint's service and a "
            "trace of a slow request (the dots on the graph).",
        ),
        width=style.HALF,
        height=7,
        panel_id=3,
    )


def _all_objectives(db: DashboardBuilder, settings: Settings) -> None:
    columns = {
        "State": queries.state(),
        "Objective": queries.of_slo(series.OBJECTIVE),
        "Now": queries.of_slo(series.GOOD_PERIOD),
        "Budget left": queries.of_slo(series.BUDGET_REMAINING),
        f"Burn rate, {queries.BURN_NOW}": queries.of_slo(series.burn_rate(queries.BURN_NOW)),
        "Budget gone in": queries.time_to_exhaustion(),
        "Window": queries.days(series.WINDOW),
        "Coverage": queries.of_slo(series.COVERAGE),
    }
    asked, steps = tables.joined(columns, ("service", "slo"))
    db.add_table_panel(
        title="All objectives",
        query=asked,
        unit="percentunit",
        decimals=2,
        sort_by="State",
        descending=True,
        cell_height="md",
        transformations=steps,
        overrides=[
            Override(name="Service", links=[style.to_application("${__value.text}")], width=190),
            Override(name="Objective of", width=130),
            Override(
                name="State",
                unit="none",
                decimals=0,
                cell="color-text",
                mappings=tables.STATES,
                width=190,
                custom=style.LEFT,
            ),
            Override(name="Objective", decimals=3),
            Override(name="Now", decimals=3),
            Override(name="Budget left", cell="color-text", thresholds=style.BUDGET, decimals=1),
            Override(
                name=f"Burn rate, {queries.BURN_NOW}",
                unit=style.TIMES,
                cell="color-text",
                thresholds=style.burn_thresholds(),
            ),
            Override(
                name="Budget gone in",
                unit="s",
                decimals=1,
                mappings={"0": ValueText("gone", palette.BAD), (queries.NEVER, None): "not burning"},
            ),
            Override(name="Window", unit="suffix: d", decimals=0, width=110),
            Override(name="Coverage", cell="gauge", min_val=0, max_val=1, decimals=0),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Every objective of the chosen services, most urgent first. *Now* is the share of good requests in the "
            "objective's own window, *Burn rate* how many times too fast the budget goes, *Budget gone in* when it is "
            "spent if that goes on, *Coverage* how much of the window has data: the less, the less the numbers say.",
            "open the service that is on top (its name is a link). *Budget spent* or *page*: act now. *Ticket*: within "
            "the day. *No data*: check that Prometheus reaches the service.",
        ),
        height=style.table_height(queries.slos(settings), "md"),
        panel_id=1,
    )


def _budgets(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("How fast is the error budget going?", panel_id=102)
    height = max(style.GRAPH_HEIGHT, style.table_height(queries.slos(settings)))
    page = max(alert.factor for alert in BURN_ALERTS)
    db.add_bar_gauge_panel(
        title="Error budget remaining",
        query=Query(queries.least_budget(BARS), legend="{{service}} {{slo}}", instant=True),
        unit="percentunit",
        decimals=1,
        min_val=0,
        max_val=1,
        title_size=BAR_TITLE,
        thresholds=style.BUDGET,
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How much of the failures that the objective allows in its window are still unspent; the {BARS} lowest. "
            "Below zero the objective is missed.",
            "no risky changes for this service until it has recovered; spend the time on what spent the budget "
            "(*Endpoints that fail most*).",
        ),
        width=style.THIRD,
        height=height,
        key="budget-left",
    )
    db.add_bar_gauge_panel(
        title=f"Burn rate, {queries.BURN_NOW}",
        query=Query(queries.most_burning(BARS), legend="{{service}} {{slo}}", instant=True),
        unit=style.TIMES,
        decimals=1,
        min_val=0,
        max_val=page,
        title_size=BAR_TITLE,
        thresholds=style.burn_thresholds(),
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How many times faster than allowed the last hour spent the budget; 1 spends it exactly in the window, "
            f"at {page:g} somebody is paged. The {BARS} highest.",
            "click the bar to open the service's requests, find the endpoint and the status code, and roll back the "
            "last change if it began with one.",
        ),
        width=style.THIRD,
        height=height,
        panel_id=5,
    )
    consumed = {f"Last {window}": queries.of_slo(series.budget_consumed(window)) for window in CONSUMED_WINDOWS}
    asked, steps = tables.joined(consumed, ("service", "slo"))
    db.add_table_panel(
        title=f"Error budget consumption, {', '.join(CONSUMED_WINDOWS)}",
        query=asked,
        unit="percentunit",
        decimals=1,
        sort_by=f"Last {CONSUMED_WINDOWS[0]}",
        descending=True,
        transformations=steps,
        overrides=[
            Override(name="Service", links=[style.to_application("${__value.text}")]),
            Override(name="Objective of", width=105),
            # Numbers, not bars: three of them and two names have to fit a third of the page.
            *(
                Override(name=f"Last {window}", cell="color-text", width=80, thresholds=_consumed_thresholds(window))
                for window in CONSUMED_WINDOWS
            ),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Share of the whole window's error budget that was spent in the last 1 hour, 6 hours and 3 days. Marked "
            "from where an alert is due for a 30-day objective.",
            "a high first column means an incident that goes on: act now. High only to the right means it is over or "
            "slow: read the graphs for when, and plan the repair.",
        ),
        width=style.THIRD,
        height=height,
        panel_id=6,
    )


def _over_time(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Since when?", panel_id=103)
    height = style.graph_height(max(len(watched(settings)), len(BURN_WINDOWS)))
    objectives: dict[float, list[str]] = {}
    for service in watched(settings):
        if service.availability is not None:
            objectives.setdefault(style.ratio(service.availability.objective), []).append(service.name)
    db.add_timeseries_panel(
        title="Availability, 5 minutes rolling",
        query=Query(queries.of_service(series.AVAILABILITY_5M), legend="{{service}}"),
        unit="percentunit",
        decimals=2,
        soft_min=min(objectives, default=style.ratio(AvailabilitySlo().objective)),
        max_val=1,
        thresholds=style.lines(objectives, "objective"),
        fill_opacity=0,
        legend=Legend(placement="right", calcs=("lastNotNull", "min")),
        overrides=style.colored(style.colors(settings)),
        data_links=[style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Share of requests that did not fail, over the 5 minutes before each point. No requests count as no "
            "failures. Dashed: the objectives.",
            "note when it began and compare with your releases; click the line to open that service's requests in "
            "the same time range.",
        ),
        width=style.HALF,
        height=height,
        panel_id=7,
    )
    db.add_timeseries_panel(
        title="Burn rate, every window (worst of the chosen services)",
        query=[Query(queries.highest_burn(window), legend=window) for window in BURN_WINDOWS],
        unit=style.TIMES,
        decimals=2,
        min_val=0,
        soft_max=max(alert.factor for alert in BURN_ALERTS),
        thresholds=style.burn_thresholds(),
        fill_opacity=0,
        legend=style.SHORT_RIGHT,
        links=[style.TO_INFRASTRUCTURE],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The highest burn rate of the chosen services, one line for each window. Dashed: the factors at which an "
            "alert fires when the long and the short window of its pair are both above.",
            "choose one service above to see only its own. Short windows high and long ones low: it has just begun. "
            "The other way round: it is over. All high: act now, and check the containers' health.",
        ),
        width=style.HALF,
        height=height,
        key="burn-rate",
    )
    _latency(db, settings)


def _latency(db: DashboardBuilder, settings: Settings) -> None:
    percentiles = {
        "P50": (series.DURATION_P50, {"fill": "dot", "dash": [0, 8]}),
        "P95": (series.DURATION_P95, {"fill": "dash", "dash": [12, 6]}),
        "P99": (series.DURATION_P99, {"fill": "solid"}),
    }
    asked = [
        Query(queries.of_service(metric), legend=f"{{{{service}}}} {name}", ref_id=name)
        for name, (metric, _) in percentiles.items()
    ]
    asked += style.exemplars(settings)
    thresholds: dict[float, list[str]] = {}
    for service in watched(settings):
        if service.latency is not None:
            thresholds.setdefault(seconds(service.latency.threshold), []).append(service.name)
    db.add_timeseries_panel(
        title="Latency: P50, P95, P99",
        query=asked,
        unit="s",
        min_val=0,
        thresholds=style.lines(thresholds, "target"),
        fill_opacity=0,
        legend=style.TABLE_RIGHT,
        overrides=[
            *style.colored(style.colors(settings)),
            *(
                Override(name=name, by="query", custom={"custom.lineStyle": line})
                for name, (_, line) in percentiles.items()
            ),
        ],
        data_links=[style.to_application()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Half, 95 and 99 of 100 requests were answered within this time: dotted, dashed, solid. Dots are single "
            "requests that were traced. Grey lines: the targets for P99.",
            "click a dot that lies high to open its trace and see which part was slow. P99 alone rising points to one "
            "endpoint or dependency, all three to load or a lack of CPU.",
        ),
        width=24,
        height=style.graph_height(len(percentiles) * len(watched(settings)), least=9),
        panel_id=9,
    )


def _causes(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Where does it come from?", panel_id=104)
    db.add_timeseries_panel(
        title="Requests and failing requests",
        query=[
            Query(queries.slo_requests(), legend="{{service}}", ref_id="requests"),
            Query(queries.slo_errors(), legend="{{service}} failing", ref_id="failing"),
        ],
        unit="reqps",
        decimals=2,
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=[*style.colored(style.colors(settings)), style.dashed("failing")],
        data_links=[style.to_application()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Requests per second that the availability objectives count, and dashed those of them that failed.",
            "failing rises with the requests: look for overload and scale or shed. It rises alone: look for a change "
            "or a broken dependency. Requests fall to nothing: check what is in front of the service.",
        ),
        width=24,
        height=style.graph_height(2 * len(watched(settings)), least=9),
        key="requests",
    )
    asked, steps = tables.joined(
        {
            "Failed requests": queries.failed_requests(settings, ENDPOINTS),
            "Share failing": queries.failed_share(settings),
        },
        ("service", "endpoint"),
        needs=("Failed requests",),
    )
    db.add_table_panel(
        title="Endpoints that fail most",
        query=asked,
        unit="short",
        decimals=0,
        sort_by="Failed requests",
        descending=True,
        transformations=steps,
        overrides=[
            Override(name="Service", links=[style.to_application("${__value.text}")], width=180),
            Override(name="Failed requests", width=150),
            Override(name="Share failing", unit="percentunit", decimals=2, width=140),
        ],
        no_value=queries.NOTHING_FAILED,
        description=style.describe(
            f"The {ENDPOINTS} endpoints with most failed requests in the dashboard's time range.",
            "begin with the first line: open its service (the name is a link), see which status code it is, and read "
            "its logs for that time.",
        ),
        width=style.HALF,
        height=style.table_height(ENDPOINTS),
        panel_id=11,
    )
    db.add_logs_panel(
        title="Alerts: what changed",
        query=queries.alert_changes(),
        no_value="No alert began or ended in this time range.",
        description=style.describe(
            "Every alert of the chosen services that began or ended in the dashboard's time range, newest first. The "
            "graphs above have a mark at the same moments.",
            "open the first line that began, read its runbook, and check whether what happened then fits a release.",
        ),
        width=style.HALF,
        height=style.table_height(ENDPOINTS),
        panel_id=12,
    )


def _floor(objective: float) -> float:
    """Return where an availability dial begins: as far below the objective as that is below 100 %; percent."""
    return max(0.0, round(2 * objective - 100, 7))


def _consumed_thresholds(window: str) -> Thresholds:
    """Return when the pair of alerts with this long window would fire for a 30-day objective, and half the budget."""
    factors = [alert.factor for alert in BURN_ALERTS if alert.long == window]
    due = min(factors, default=1.0) * seconds(window) / seconds(AVAILABILITY_WINDOW)
    return Thresholds.high_is_bad(warning=round(due, 9), bad=0.5)


def _range_of(percents: list[float]) -> str:
    return _between([style.percent(p) for p in sorted(set(percents))])


def _between(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
