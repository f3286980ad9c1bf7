"""Service: one service on one page, its objectives, signals, containers, traces, errors, alerts and neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import logs, objective_columns, palette, queries, style, tables, transform
from dashboards.model import JaegerQuery, Link, Override, PanelQuery, Query, Thresholds
from dashboards.objective_columns import BURN_RATE
from dashboards.targets import MISSING
from observability.names import series, uids
from observability.rules import containers
from observability.watched import watched

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

TRACES: Final = 20
NO_CONTAINER: Final = (
    "No container on this Docker host has the service's name. Name its compose service or container after it."
)
COLUMNS: Final = {"traceID": "Trace ID", "traceName": "Trace name", "startTime": "Start time", "duration": "Duration"}
"""Heads of the columns of a search as Jaeger's data source sets them; a transformation loses them."""
NO_TRACE: Final = "No trace of this service arrived in this time range. Widen it, or check that it sends spans."
TELEMETRY_VARIABLE: Final = "telemetry"
"""The name that the chosen service's lines and traces carry, where a service has `serviceName`."""


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.SERVICE_DETAIL,
        settings,
        description="One service on one page: its objectives, signals, containers, traces and errors.",
    )
    db.add_custom_variable(queries.SERVICE_VARIABLE, "Service", style.service_names(settings))
    carried = _add_telemetry_name(db, settings)
    _objectives(db, settings)
    if any(slo.each for service in watched(settings) for slo in service.slo_by_name.values()):
        _values(db, settings)
    _signals(db, settings, carried)
    _evidence(db, carried)
    _containers(db, settings)
    _neighbours(db, settings, carried)
    return db


def _add_telemetry_name(db: DashboardBuilder, settings: Settings) -> str:
    """Return the variable with the name that the service's lines and traces carry; added where one has another."""
    others = {s.name: s.telemetry_name for s in watched(settings) if s.telemetry_name != s.name}
    if not others:
        return queries.SERVICE_VARIABLE
    db.add_query_variable(
        TELEMETRY_VARIABLE, query=queries.telemetry_name(others), regex='/carried="([^"]*)"/', hidden=True
    )
    return TELEMETRY_VARIABLE


def _objectives(db: DashboardBuilder, settings: Settings) -> None:
    most = max((len(service.slo_by_name) for service in watched(settings)), default=0)
    height = max(6, style.table_height(most))
    columns = {
        "State": queries.state(settings),
        "Budget left": queries.of_slo(series.BUDGET_REMAINING),
        BURN_RATE: queries.of_slo(series.burn_rate(queries.BURN_NOW)),
    }
    db.add_table_panel(
        title="Objectives",
        query=tables.columns(columns)[0],
        **style.BUDGET_SHARE,
        transformations=tables.joined(
            columns,
            ("service", "slo"),
            show=("slo", "State", "Budget left", BURN_RATE),
            order="State",
            then="Budget left",
        ),
        overrides=[
            Override(name="SLO", links=[style.to_slo("$service")]),
            *objective_columns.overrides(settings),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The state of each objective, the error budget left of its window, and its burn rate.",
            "click the objective to see since when, then look below for what changed at that moment.",
        ),
        width=24 - style.ALERTS,
        height=height,
        key="objectives",
    )
    db.add_alert_list_panel(
        title="Alerts",
        instances="{service=${service:json}}",
        no_value="No alert fires for this service.",
        description=style.describe(
            "Alerts of this service that fire, or are about to.",
            "open the alert: it links to its numbers, logs, traces and runbook.",
        ),
        width=style.ALERTS,
        height=height,
        key="alerts",
    )


def _values(db: DashboardBuilder, settings: Settings) -> None:
    """Add the SLOs of single values of a label, where any service has them."""
    left = queries.of_value(series.VALUE_BUDGET_REMAINING)
    columns = {
        "Budget left": f'label_join({left}, "objective", " ", "slo", "by", "value")',
        "Page": queries.of_value(series.VALUE_PAGE_RATIO),
        "Requests": f"round({queries.of_value(series.VALUE_REQUESTS_PERIOD)})",
        "Bad requests": f"round({queries.of_value(series.VALUE_ERRORS_PERIOD)})",
        "Left out": f"0 * {left} + on (service, slo) group_left () {queries.of_slo(series.VALUES_LEFT_OUT)}",
    }
    labels = ("service", "slo", "by", "value", "objective")
    for key, title, query, shown, shows in (
        (
            "values",
            "Objectives of single values",
            tables.columns(columns)[0],
            ("Budget left", "Page"),
            "The SLO of each value of a label, worst first: the error budget left, and how near its page is.",
        ),
        (
            "value-counts",
            "Requests of single values",
            PanelQuery("values"),
            ("Bad requests", "Requests", "Left out"),
            "What each counts in the SLO's window, and how many values have no SLO, as there are more than `atMost`.",
        ),
    ):
        db.add_table_panel(
            title=title,
            query=query,
            **style.COUNT,
            transformations=tables.joined(columns, labels, show=("objective", *shown), then="Budget left"),
            overrides=[
                objective_columns.budget_left(settings),
                Override(
                    name="Page",
                    **style.SHARE,
                    cell="color-background",
                    thresholds=Thresholds(((None, palette.GOOD, "far from a page"), (1, palette.BAD, "pages"))),
                    width=style.NUMBER,
                ),
                Override(name="Requests", width=style.NUMBER + 28),
                Override(name="Bad requests", width=style.NUMBER + 4),
                Override(name="Left out", width=style.NUMBER - 12),
            ],
            no_value="No value of the label was counted yet, or this service's SLOs are not divided by one.",
            description=style.describe(
                shows,
                "find the endpoint, tenant or cluster at the top in Logs and Traces; the whole can be well without it.",
            ),
            width=style.HALF,
            height=8,
            key=key,
        )


def _signals(db: DashboardBuilder, settings: Settings, carried: str) -> None:
    for key, title, expr, legend, scale, shows in (
        (
            "requests",
            "Requests by status",
            queries.by_status(),
            "{{status}}",
            style.REQUEST_RATE,
            "Traffic: requests per second, by the status of the response.",
        ),
        (
            "error-rate",
            "Error rate",
            queries.error_rate(settings),
            "failing",
            style.ERROR_RATE,
            "Errors: the share of requests that fail, by what the service calls a failure.",
        ),
        (
            "latency",
            "Latency P50, P99",
            queries.median_and_worst(),
            "{{quantile}}",
            style.LATENCY,
            "Latency: half, and 99 of 100, of the requests were answered within this time; dots are single requests.",
        ),
        (
            "in-progress",
            "Requests in progress",
            queries.in_progress(),
            "in progress",
            style.COUNT,
            "Saturation: requests that have come in and are not answered yet.",
        ),
    ):
        db.add_timeseries_panel(
            title=title,
            query=[Query(expr, legend=legend), *(style.exemplars(settings, carried) if key == "latency" else [])],
            **style.on_axis(scale),
            min_val=0,
            soft_max=0.01 if key == "error-rate" else None,
            overrides=[Override(name=code, color=color) for code, color in style.OF_STATUS.items()],
            data_links=[style.to_application("$service")],
            no_value=style.NO_TRAFFIC,
            description=style.describe(
                shows,
                "find the moment at which it left its usual course, and compare the other signals and the first error "
                "lines at that moment.",
            ),
            width=style.HALF,
            height=style.GRAPH_HEIGHT - 1,
            key=key,
        )


def _evidence(db: DashboardBuilder, carried: str) -> None:
    db.add_row("What exactly happened?", panel_id=104)
    db.add_logs_panel(
        title="Errors, newest first",
        query=Query(
            f"{logs.lines_of(carried)} | {logs.BAD} | {logs.SHOWN}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=100
        ),
        links=[Link.to_dashboard("All lines of this service", uids.LOGS, {"service": f"${carried}"})],
        no_value="No error was logged in this time range.",
        description=style.describe(
            "Log lines of the service at error or worse.",
            "open the oldest line of the newest kind, and follow its link to the trace.",
        ),
        width=style.HALF,
        height=12,
        key="errors",
    )
    db.add_table_panel(
        title="Slowest traces",
        query=[
            JaegerQuery.search(f"${carried}", limit=TRACES),
            Query(queries.no_trace("traceName", NO_TRACE), instant=True, format="table", ref_id=MISSING),
        ],
        transformations=[
            transform.merge(),
            transform.organize(
                rename=COLUMNS,
                exclude=["Time", "Value"],
                order=["traceID", "traceName", "duration", "startTime"],
            ),
        ],
        unit="none",
        sort_by="Duration",
        descending=True,
        overrides=[
            # The link carries the whole ID; eight digits tell one trace from the next.
            Override(
                name="Trace ID",
                unit="string",
                mappings={"/^(.{8}).*$/": "$1"},
                width=style.NUMBER + 12,
                custom=style.LEFT,
            ),
            Override(name="Duration", unit="µs", width=style.NUMBER + 24),
            Override(name="Start time", unit="time: HH:mm:ss", width=style.NUMBER + 12),
        ],
        no_value=NO_TRACE,
        description=style.describe(
            f"The last {TRACES} traces that the service took part in, slowest first.",
            "open the slowest (its ID is a link): the longest span is where the time went.",
        ),
        width=style.HALF,
        height=12,
        key="traces",
    )


def _containers(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Do its containers lack anything?", panel_id=103)
    for key, title, used, limit, scale, when_bad in (
        (
            "cpu",
            "CPU, and its limit",
            containers.CPU,
            containers.CPU_LIMIT,
            style.CORES,
            "give it more cores, or less to do, when it is close to its limit.",
        ),
        (
            "memory",
            "Memory, and its limit",
            containers.MEMORY,
            containers.MEMORY_LIMIT,
            style.BYTES,
            "raise its limit when it is close to it, and restart it and look for a leak when it climbs without end.",
        ),
    ):
        db.add_timeseries_panel(
            title=title,
            query=[
                Query(queries.of_containers(used), legend="{{container}}", ref_id="used"),
                Query(queries.of_containers(limit), legend="{{container}} limit", ref_id="limit"),
            ],
            **style.on_axis(scale),
            min_val=0,
            overrides=[*style.colored(settings), style.dashed("limit")],
            data_links=style.to_infrastructure(settings),
            no_value=NO_CONTAINER,
            description=style.describe(
                f"{title.partition(',')[0]} of the service's containers, as the Docker engine counts it; dashed is the "
                "limit.",
                when_bad,
            ),
            width=style.HALF,
            height=style.GRAPH_HEIGHT - 1,
            key=key,
        )


def _neighbours(db: DashboardBuilder, settings: Settings, carried: str) -> None:
    db.add_row("Who calls whom?", panel_id=105)
    db.add_node_graph_panel(
        title="Service map",
        query=[
            Query(queries.callers_and_called(settings, carried), instant=True, format="table", ref_id="nodes"),
            Query(queries.calls(settings, carried), instant=True, format="table", ref_id="edges"),
        ],
        stat_unit=style.REQUEST_RATE["unit"],
        # The legend has the names of the columns, and no setting for others.
        transformations=[
            transform.organize(
                rename={f"Value #{name}": "requests per second" for name in ("nodes", "edges")}
                | {"color": "orange: many calls fail"}
            )
        ],
        overrides=[
            Override(
                name="title",
                links=[
                    Link.to_dashboard(
                        "Everything about this service", uids.SERVICE_DETAIL, {"service": "${__value.raw}"}
                    )
                ],
            ),
        ],
        no_value="No trace with two services in it arrived in this time range. Check that both send spans.",
        description=style.describe(
            "The service, who calls it and what it calls, with the calls per second between them; orange is a service "
            f"of which more than {settings.thresholds.calls_failing_percent:g}% of these calls fail.",
            "click an orange service that this one calls: it may be what is slow or fails.",
        ),
        width=style.HALF,
        height=14,
        key="map",
    )
    db.add_logs_panel(
        title="Alert history",
        query=queries.alert_changes(),
        no_value="No alert of this service started or ended in this time range.",
        description=style.describe(
            "Every alert of the service that started or ended in this time range, newest first.",
            "read the runbook of the first that started, and compare its time with your releases.",
        ),
        width=style.HALF,
        height=14,
        key="alert-history",
    )
