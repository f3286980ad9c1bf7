"""Service: one service on one page, its promises, signals, containers, traces, errors, alerts and neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import logs, queries, style, transform
from dashboards.model import JaegerQuery, Legend, Link, Override, Query
from dashboards.targets import MISSING
from observability.names import series, uids
from observability.rules import containers

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

TRACES: Final = 20
NO_CONTAINER: Final = (
    "No data: no container on this Docker host carries the service's name as its compose service or container name."
)
COLUMNS: Final = {"traceID": "Trace ID", "traceName": "Trace name", "startTime": "Start time", "duration": "Duration"}
"""What Jaeger's data source calls the columns of a search, by names that a transformation loses."""
NO_TRACE: Final = "No trace of this service came in within this time range."


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.SERVICE_DETAIL,
        settings,
        description="One service on one page: its promises, its signals, its containers, its traces, its errors.",
        time_from="now-1h",
    )
    db.add_query_variable("service", "Service", queries.SERVICES)
    _promises(db)
    _signals(db, settings)
    _containers(db, settings)
    _evidence(db)
    _neighbours(db)
    return db


def _promises(db: DashboardBuilder) -> None:
    db.add_row("Does it keep its promises?", panel_id=101)
    db.add_stat_panel(
        title="Error budget left",
        query=Query(queries.of_slo(series.BUDGET_REMAINING), legend="{{slo}}", instant=True),
        unit="percentunit",
        decimals=1,
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        thresholds=style.BUDGET,
        data_links=[style.to_slo("$service")],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "What is left of each objective's error budget; below 0 the objective is missed.",
            "open *Objectives of this service* for since when, then look below for what changed at that moment.",
        ),
        width=6,
        height=8,
        panel_id=1,
    )
    db.add_stat_panel(
        title="Burn rate, 1h",
        query=Query(queries.of_slo(series.burn_rate(queries.BURN_NOW)), legend="{{slo}}", instant=True),
        unit=style.TIMES,
        decimals=1,
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        thresholds=style.burn_thresholds(),
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How many times faster than allowed the budget is spent now, by objective.",
            "act when it is marked: read the alerts beside this, and their runbooks.",
        ),
        width=6,
        height=8,
        panel_id=2,
    )
    db.add_alert_list_panel(
        title="Alerts on it",
        instances="{service=${service:json}}",
        no_value="No alert fires for this service.",
        description=style.describe(
            "What fires for this service, or is about to.",
            "open the alert: its message has numbers, logs, traces and the runbook.",
        ),
        width=style.HALF,
        height=8,
        panel_id=3,
    )


def _signals(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Its golden signals", panel_id=102)
    shown = (
        (
            4,
            "Requests by status",
            queries.by_status(),
            "{{status}}",
            "reqps",
            "Traffic: requests per second, by the status that was answered.",
        ),
        (
            5,
            "Share that fails",
            queries.share_failing(settings),
            "failing",
            "percentunit",
            "Errors: the share of requests that fail, by what the service calls a failure.",
        ),
        (
            6,
            "Response time",
            queries.median_and_worst(),
            "{{quantile}}",
            "s",
            "Latency: half of the requests, and 99 of 100, were answered within this time. Dots are single requests.",
        ),
        (
            7,
            "Requests in progress",
            queries.in_progress(),
            "in progress",
            "short",
            "Saturation: requests that wait for an answer now.",
        ),
    )
    for panel_id, title, expr, legend, unit, shows in shown:
        db.add_timeseries_panel(
            title=title,
            query=[Query(expr, legend=legend), *(style.exemplars(settings) if unit == "s" else [])],
            unit=unit,
            min_val=0,
            soft_max=0.01 if unit == "percentunit" else None,
            legend=Legend(mode="list", calcs=("lastNotNull", "max")),
            overrides=[Override(name=code, color=color) for code, color in style.OF_STATUS.items()],
            data_links=[style.to_application("$service")],
            no_value=style.NO_TRAFFIC,
            description=style.describe(
                shows,
                "find the moment at which it left its usual course, then compare the other three signals, the "
                "containers and the first error lines at that moment.",
            ),
            width=style.HALF,
            height=style.GRAPH_HEIGHT,
            panel_id=panel_id,
        )


def _containers(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Its containers", panel_id=103)
    for panel_id, title, used, limit, unit, when_bad in (
        (
            8,
            "CPU",
            containers.CPU,
            containers.CPU_LIMIT,
            "suffix: cores",
            "it is slowed down: give it more, or less to do",
        ),
        (9, "Memory", containers.MEMORY, containers.MEMORY_LIMIT, "bytes", "it is about to be killed: raise its limit"),
    ):
        db.add_timeseries_panel(
            title=f"{title}, and its limit",
            query=[
                Query(queries.of_containers(used), legend="{{container}}", ref_id="used"),
                Query(queries.of_containers(limit), legend="{{container}} limit", ref_id="limit"),
            ],
            unit=unit,
            min_val=0,
            legend=Legend(mode="list", calcs=("lastNotNull", "max")),
            overrides=[*style.colored(style.colors(settings)), style.dashed("limit")],
            data_links=[style.TO_INFRASTRUCTURE],
            no_value=NO_CONTAINER,
            description=style.describe(
                f"{title} of the service's containers, as the Docker engine counts it. Dashed: the limit.",
                f"close to its limit {when_bad}. Climbing without end is a leak: restart it and look for its cause.",
            ),
            width=style.HALF,
            height=style.GRAPH_HEIGHT,
            panel_id=panel_id,
        )


def _evidence(db: DashboardBuilder) -> None:
    db.add_row("What exactly happened?", panel_id=104)
    db.add_table_panel(
        title="Its slowest traces",
        query=[
            JaegerQuery.search("$service", limit=TRACES),
            Query(queries.no_trace("traceName", NO_TRACE), instant=True, format="table", ref_id=MISSING),
        ],
        transformations=[transform.merge(), transform.organize(rename=COLUMNS, exclude=["Time", "Value"])],
        unit="µs",
        sort_by="Duration",
        descending=True,
        overrides=[Override(name="Start time", unit="dateTimeAsIso", width=180)],
        no_value=NO_TRACE,
        description=style.describe(
            f"The last {TRACES} traces that the service took part in, slowest on top.",
            "open the slowest (its ID is a link): the longest span is where the time went.",
        ),
        width=style.HALF,
        height=12,
        panel_id=10,
    )
    db.add_logs_panel(
        title="Its errors, newest first",
        query=Query(f"{logs.CHOSEN} | {logs.BAD}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=100),
        links=[Link.to_dashboard("All lines of this service", uids.LOGS, {"service": "$service"})],
        no_value="No error was written in this time range.",
        description=style.describe(
            "Lines of the service at error or worse.",
            "open the oldest line of the newest kind, and follow its link to the trace.",
        ),
        width=style.HALF,
        height=12,
        panel_id=11,
    )


def _neighbours(db: DashboardBuilder) -> None:
    db.add_row("Who calls whom?", panel_id=105)
    db.add_node_graph_panel(
        title="Service map",
        query=[
            Query(queries.callers_and_called(), instant=True, format="table", ref_id="nodes"),
            Query(queries.calls(), instant=True, format="table", ref_id="edges"),
        ],
        overrides=[
            Override(name="/^Value/", by="regexp", unit="reqps", decimals=2),
            Override(
                name="title",
                links=[Link.to_dashboard("This service's page", uids.SERVICE_DETAIL, {"service": "${__value.raw}"})],
            ),
        ],
        no_value="No data: no trace with two services in it came in within this time range.",
        description=style.describe(
            "Every service that takes part in traces, and how often one calls another, per second. In orange, and "
            f"marked so: more than {queries.MANY_FAIL:.0%} of the calls fail. Click a service for its page.",
            "look one step further along the arrows: what this service calls may be what is slow or fails.",
        ),
        width=style.HALF,
        height=14,
        panel_id=12,
    )
    db.add_logs_panel(
        title="Its alerts: what changed",
        query=queries.alert_changes(),
        no_value="No alert of this service began or ended in this time range.",
        description=style.describe(
            "Every alert of the service that began or ended in this time range, newest first.",
            "open the first line that began, read its runbook, and check whether what happened then fits a release.",
        ),
        width=style.HALF,
        height=14,
        panel_id=13,
    )
