"""Application Performance: traffic, failures and response times of the services, by endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import queries, style
from dashboards.model import Override, Query
from observability.names import series, uids
from observability.watched import watched

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

ENDPOINTS: Final = 10


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.APPLICATION_PERFORMANCE,
        settings,
        description="Request rate, errors, response time and load of the services, and which endpoints cause them.",
    )
    db.add_query_variable("service", "Service", queries.SERVICES, multi=True, include_all=True, all_value=style.ANY)
    db.add_query_variable(
        "endpoint", "Endpoint", queries.ENDPOINTS, multi=True, include_all=True, all_value=style.ANY_OR_NONE
    )
    _services(db, settings)
    _endpoints(db)
    return db


def _services(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("By service", panel_id=101)
    height = style.graph_height(len(watched(settings)))
    db.add_timeseries_panel(
        title="Request rate",
        query=Query(queries.requests("service"), legend="{{service}}"),
        unit="reqps",
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        data_links=[style.to_slo()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Requests per second of the chosen services and endpoints.",
            "a sudden fall: check what is in front of the service, then whether it runs at all. A sudden rise: find "
            "the endpoint below and who calls it; scale, or limit the caller.",
        ),
        width=style.HALF,
        height=height,
        panel_id=1,
    )
    budgets: dict[float, list[str]] = {}
    for service in watched(settings):
        if service.availability is not None:
            budgets.setdefault(round(1 - style.ratio(service.availability.objective), 9), []).append(service.name)
    db.add_timeseries_panel(
        title="Error rate",
        query=Query(queries.error_share(settings), legend="{{service}}"),
        unit="percentunit",
        decimals=2,
        min_val=0,
        soft_max=max(budgets, default=None),
        thresholds=style.lines(budgets, "error budget"),
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        data_links=[style.to_slo()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Share of requests that fail, by what each service itself calls a failure. Dashed: what the objective "
            "allows on average.",
            "above the dashed line the error budget burns: look which endpoint and status code it is below, read the "
            "service's logs of that time, and roll back the last change.",
        ),
        width=style.HALF,
        height=height,
        panel_id=2,
    )
    db.add_timeseries_panel(
        title="Average response time",
        query=Query(queries.mean_duration(), legend="{{service}}"),
        unit="s",
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        data_links=[style.to_slo()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Mean time to answer, over all requests of the chosen services and endpoints.",
            "rising together with the request rate: look for a lack of CPU or memory on Infrastructure Health and "
            "scale. Rising alone: open a trace of a slow request and look for the slow dependency.",
        ),
        links=[style.TO_INFRASTRUCTURE],
        width=style.HALF,
        height=height,
        panel_id=3,
    )
    db.add_timeseries_panel(
        title="Active requests",
        query=Query(queries.of_service(series.IN_PROGRESS), legend="{{service}}"),
        unit="short",
        decimals=0,
        min_val=0,
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        data_links=[style.to_slo()],
        no_value="No data: the chosen services do not say how many requests they are working on.",
        description=style.describe(
            "Requests that have come in and are not answered yet, by service; not filtered by endpoint, and missing "
            "for a service that does not count them.",
            "growing without end means requests wait for something: check connection pools and dependencies, and "
            "restart the service only after you have looked at a trace.",
        ),
        links=[style.TO_INFRASTRUCTURE],
        width=style.HALF,
        height=height,
        panel_id=4,
    )


def _endpoints(db: DashboardBuilder) -> None:
    db.add_row("By endpoint and status code", panel_id=102)
    db.add_timeseries_panel(
        title="Request rate by endpoint",
        query=Query(queries.busiest_endpoints(ENDPOINTS), legend="{{service}} {{endpoint}}"),
        unit="reqps",
        decimals=2,
        min_val=0,
        stacking="normal",
        fill_opacity=40,
        line_width=1,
        legend=style.NAMES_RIGHT,
        data_links=[style.to_slo()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            f"Requests per second of the {ENDPOINTS} endpoints that have most of them in this time range, stacked.",
            "one endpoint swelling: find its caller, limit it or cache the answer. One vanishing: check its route and "
            "its callers. Choose it under Endpoint above to see its errors and times alone.",
        ),
        width=style.HALF,
        height=style.graph_height(ENDPOINTS),
        panel_id=5,
    )
    db.add_timeseries_panel(
        title="5xx by status code",
        query=Query(queries.requests("service", "status", status="5.."), legend="{{service}} {{status}}"),
        unit="reqps",
        decimals=2,
        min_val=0,
        stacking="normal",
        draw_style="bars",
        fill_opacity=70,
        line_width=0,
        legend=style.NAMES_RIGHT,
        overrides=[
            Override(name=f"/ {status}$/", by="regexp", color=color) for status, color in style.OF_STATUS.items()
        ],
        data_links=[style.to_slo()],
        no_value="No 5xx in this time range: nothing failed on the server's side.",
        description=style.describe(
            "Answers per second with a status code of 500 to 599, stacked by service and code.",
            "500: read the service's logs for the exception. 502, 503, 504: check whether the service behind it runs "
            "and answers in time. 507 and the like: check disk space.",
        ),
        width=style.HALF,
        height=style.graph_height(ENDPOINTS),
        panel_id=6,
    )
