"""Application Performance: traffic, failures and response times of the services, by endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import queries, style
from dashboards.model import Override, Query
from observability.names import series, uids
from observability.rules.windows import BASE_WINDOW
from observability.settings import ratio
from observability.watched import watched

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

ENDPOINTS: Final = 6


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.APPLICATION_PERFORMANCE,
        settings,
        description="Request rate, errors, response time and load of the services, and which endpoints cause them.",
    )
    style.add_service_picker(db, settings)
    db.add_query_variable(
        "endpoint",
        "Endpoint",
        queries.ENDPOINTS,
        regex=queries.ENDPOINT_VALUES,
        multi=True,
        include_all=True,
        all_value=style.ANY_OR_NONE,
    )
    _services(db, settings)
    _endpoints(db)
    return db


def _services(db: DashboardBuilder, settings: Settings) -> None:
    budgets: dict[float, list[str]] = {}
    for service in watched(settings):
        if service.availability is not None:
            budgets.setdefault(round(1 - ratio(service.availability.objective), 9), []).append(service.name)
    limited = style.limited(settings)
    db.add_timeseries_panel(
        title=f"Requests{limited}",
        query=Query(
            style.most_extreme(settings, queries.requests("service"), series.SLO_REQUESTS, queries.AVAILABILITY),
            legend="{{service}}",
        ),
        **style.on_axis(style.REQUEST_RATE),
        min_val=0,
        fill_opacity=0,
        overrides=style.colored(settings),
        data_links=[style.to_slo(), style.to_detail()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Requests per second of the chosen services and endpoints.",
            "check what is in front of the service after a sudden fall, and find the caller, and limit it, after a "
            "sudden rise.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="requests",
    )
    db.add_timeseries_panel(
        title=f"Error rate{limited}",
        query=Query(
            style.most_extreme(
                settings, queries.error_share(settings), series.error_ratio(BASE_WINDOW), queries.AVAILABILITY
            ),
            legend="{{service}}",
        ),
        **style.on_axis(style.ERROR_RATE),
        min_val=0,
        soft_max=max(budgets, default=None),
        fill_opacity=0,
        thresholds=style.lines(budgets, "error budget"),
        overrides=style.colored(settings),
        data_links=[style.to_slo(), style.to_detail()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "The share of requests that fail, by what each service calls a failure; dashed is what the objective "
            "allows on average.",
            "find the endpoint and status code below, read the logs of that time, and roll back the last change.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="error-rate",
    )
    db.add_timeseries_panel(
        title=f"Mean response time{limited}",
        query=Query(style.most_extreme(settings, queries.mean_duration(), series.DURATION_MEAN), legend="{{service}}"),
        **style.LATENCY,
        min_val=0,
        fill_opacity=0,
        overrides=style.colored(settings),
        data_links=[style.to_slo(), style.to_detail()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            "Mean time to answer, over all requests of the chosen services and endpoints.",
            "look for a lack of CPU or memory when it rises together with the requests, and open a trace of a slow "
            "request when it rises alone.",
        ),
        links=style.to_infrastructure(settings),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="response-time",
    )
    db.add_timeseries_panel(
        title=f"Requests in progress{limited}",
        query=Query(style.by_service(settings, series.IN_PROGRESS), legend="{{service}}"),
        **style.COUNT,
        min_val=0,
        fill_opacity=0,
        overrides=style.colored(settings),
        data_links=[style.to_slo(), style.to_detail()],
        no_value="The chosen services do not count requests in progress. Set `metrics.inProgress` if they can.",
        description=style.describe(
            "Requests that have come in and are not answered yet, of all endpoints.",
            "check connection pools and dependencies when it grows without end, and restart the service only after you "
            "have looked at a trace.",
        ),
        links=style.to_infrastructure(settings),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="in-progress",
    )


def _endpoints(db: DashboardBuilder) -> None:
    db.add_row("By endpoint and status code", panel_id=102)
    db.add_timeseries_panel(
        title=f"Requests by endpoint, {ENDPOINTS} busiest",
        query=Query(queries.busiest_endpoints(ENDPOINTS), legend="{{service}} {{endpoint}}"),
        **style.on_axis(style.REQUEST_RATE),
        min_val=0,
        stacking="normal",
        fill_opacity=40,
        line_width=1,
        data_links=[style.to_slo(), style.to_detail()],
        no_value=style.NO_TRAFFIC,
        description=style.describe(
            f"Requests per second of the {ENDPOINTS} endpoints that have most of them in this time range, stacked.",
            "find the caller of an endpoint that swells, check the route of one that vanishes, and choose it above to "
            "see it alone.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT + 1,
        key="endpoints",
    )
    db.add_timeseries_panel(
        title=f"Server errors by status, {ENDPOINTS} highest",
        query=Query(queries.most_frequent_errors(ENDPOINTS), legend="{{service}} {{status}}"),
        **style.on_axis(style.REQUEST_RATE),
        min_val=0,
        stacking="normal",
        draw_style="bars",
        fill_opacity=70,
        line_width=0,
        overrides=[
            Override(name=f"/ {status}$/", by="regexp", color=color) for status, color in style.OF_STATUS.items()
        ],
        data_links=[style.to_slo(), style.to_detail()],
        no_value="No request was answered with 500 to 599 in this time range.",
        description=style.describe(
            f"Responses per second with a status code of 500 to 599, by service: the {ENDPOINTS} most frequent.",
            "read the logs for the exception behind a 500, and check the service behind a 502, 503 or 504.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT + 1,
        key="status-codes",
    )
