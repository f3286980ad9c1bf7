"""Home: what is burning now, whether the stack itself is well, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dashboards import objective_columns, queries, stack_queries, style, tables
from dashboards.limits import add_share_of_limit
from dashboards.model import Override, PanelQuery, Query
from dashboards.objective_columns import BURN_RATE
from dashboards.state import add_states
from observability.names import series, uids
from observability.rules import containers
from observability.rules.windows import BASE_WINDOW
from observability.watched import watched

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

QUESTIONS: Final = {
    uids.SLO_OVERVIEW: "Is every target met, which error budget burns, and since when?",
    uids.APPLICATION_PERFORMANCE: "Which service, endpoint or status code is it?",
    uids.SERVICE_DETAIL: "What about this one service: signals, containers, traces, errors, alerts?",
    uids.INCIDENT: "What happened when: alerts, deployments, versions, errors on one time axis?",
    uids.LOGS: "Which errors are logged, how often, and by whom?",
    uids.INFRASTRUCTURE_HEALTH: "Does a container lack CPU, memory or network?",
    uids.STACK_HEALTH: "Is the stack itself well, and how long does its space last?",
    uids.HOSTS: "Does the Docker host lack CPU, memory, disk or network?",
    uids.PROBES: "Do our addresses answer from outside, how fast, and when do certificates expire?",
    uids.RUNBOOKS: "What does this alert mean, and what is to be done?",
    uids.EXECUTIVE_SLO_REPORT: "How were the last weeks, on one page to print?",
}
"""What each dashboard answers."""
RATE: Final = "Req/s"
"""The head has the unit: on a phone the names need the room."""


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.HOME, settings, description="What is burning now, whether the stack itself is well, and where to look."
    )
    style.add_worst_service_link(db, settings)
    add_states(db, settings, queries.everywhere(queries.states(settings)), key="states")
    columns, service = _urgent(db, settings)
    if settings.runs_stack:
        _stack(db, settings)
    _over_time(db, settings, columns, service)
    _elsewhere(db, settings)
    return db


def _urgent(db: DashboardBuilder, settings: Settings) -> tuple[dict[str, str], Override]:
    """Add the alerts and the services; return the columns that the table of traffic shares, and its first one."""
    services = len(watched(settings))
    height = style.table_height(services)
    db.add_alert_list_panel(
        title="Alerts",
        # The watchdog fires always: its silence is the message.
        instances='{severity!="watchdog"}',
        description=style.describe(
            "Alerts that fire, are about to, or have no data.",
            "open the first one: it links to its panel, its logs and its runbook.",
        ),
        width=style.ALERTS,
        height=height,
        key="alerts",
    )
    columns = {
        "State": queries.everywhere(queries.worst_state(settings)),
        "Budget left": queries.everywhere(f"min by (service) ({queries.of_slo(series.BUDGET_REMAINING)})"),
        BURN_RATE: queries.everywhere(f"max by (service) ({queries.of_slo(series.burn_rate(queries.BURN_NOW))})"),
        RATE: queries.everywhere(queries.slo_requests()),
        "Error rate": queries.everywhere(queries.of_service(series.error_ratio(BASE_WINDOW), queries.AVAILABILITY)),
        "P99": queries.everywhere(queries.of_service(series.DURATION_P99)),
    }
    service = Override(
        name="Service",
        links=[
            style.to_detail("${__value.text}"),
            style.to_slo("${__value.text}"),
            style.to_application("${__value.text}"),
        ],
        custom=style.SEARCH,
    )
    db.add_table_panel(
        title="Services, worst first",
        query=tables.columns(columns)[0],
        **style.BUDGET_SHARE,
        paged=style.paged(services),
        transformations=tables.joined(
            columns,
            ("service",),
            show=("service", "State", "Budget left", BURN_RATE),
            order="State",
            then="Budget left",
        ),
        overrides=[
            service,
            *objective_columns.overrides(settings),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Every service by the objective that is worst, with the least budget left and the highest burn rate.",
            "click the first name to open the service.",
        ),
        width=24 - style.ALERTS,
        height=height,
        key="services",
    )
    return columns, service


def _stack(db: DashboardBuilder, settings: Settings) -> None:
    db.add_stat_panel(
        title="Observability stack",
        query=Query(stack_queries.up(), legend="{{job}}", instant=True),
        unit="none",
        sparkline=False,
        text_mode="value_and_name",
        thresholds=style.UP,
        mappings=style.UP_OR_DOWN,
        links=[style.TO_STACK],
        no_value=style.NO_PROMETHEUS,
        description=style.describe(
            "Whether Prometheus reaches each of the stack's own services.",
            "look at the log of the container that is down (`docker logs`).",
        ),
        width=9,
        height=6,
        key="stack",
    )
    for key, title, query, shows, when_bad in (
        (
            "targets-down",
            "Targets down",
            stack_queries.silent_targets(),
            "How many targets, services and stack, Prometheus cannot scrape now.",
            "open Stack Health to see which, and check that they run and that their address is right.",
        ),
        (
            "rule-failures",
            "Rules failing",
            stack_queries.failed_evaluations(),
            "Rule evaluations that failed or were skipped in this time range; every number above comes from rules.",
            "open Stack Health for when, and read Prometheus' log for the reason.",
        ),
    ):
        db.add_stat_panel(
            title=title,
            query=Query(query, legend=title, instant=True),
            **style.COUNT,
            sparkline=False,
            thresholds=style.NONE_IS_GOOD,
            data_links=[style.TO_STACK],
            no_value=style.NO_RULES_YET,
            description=style.describe(shows, when_bad),
            width=5,
            height=6,
            key=key,
        )
    db.add_stat_panel(
        title="Disk used",
        query=Query(stack_queries.disk_used(), legend="in use", instant=True),
        **style.SHARE,
        sparkline=False,
        color_mode="background_solid",
        thresholds=style.disk_thresholds(settings).filled(),
        data_links=[style.TO_STACK],
        no_value=style.NO_HOST,
        description=style.describe(
            "How full the disk with the stack's volumes is, as `df` on the Docker host counts it.",
            "find what grows on Stack Health and make room before Prometheus and Loki lose data on a full disk.",
        ),
        width=5,
        height=6,
        key="disk",
    )


def _over_time(db: DashboardBuilder, settings: Settings, columns: dict[str, str], service: Override) -> None:
    height = max(style.GRAPH_HEIGHT, style.table_height(len(watched(settings))))
    db.add_row("Since when?", panel_id=102)
    db.add_timeseries_panel(
        title=f"Burn rate by service, {queries.BURN_NOW}{style.limited(settings)}",
        query=Query(
            queries.everywhere(style.by_service(settings, series.burn_rate(queries.BURN_NOW))),
            legend="{{service}}",
        ),
        **style.on_axis(style.BURN_RATE),
        min_val=0,
        soft_max=2,
        fill_opacity=0,
        thresholds=style.burn_thresholds(),
        overrides=style.colored(settings),
        data_links=[style.to_slo(), style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How many times faster than allowed each service spends the error budget of its worst objective; dashed "
            "lines are the limits of the alerts.",
            "note when the line rose, and click it to open the service's objectives.",
        ),
        width=style.HALF,
        height=height,
        key="burn-rate",
    )
    db.add_table_panel(
        title="Traffic, last 5 minutes",
        query=PanelQuery("services"),
        **style.REQUEST_RATE,
        paged=style.paged(len(watched(settings))),
        transformations=tables.joined(
            columns, ("service",), show=("service", RATE, "Error rate", "P99"), order="State", then="Budget left"
        ),
        overrides=[
            service,
            Override(name=RATE, unit="none", decimals=style.REQUEST_RATE["decimals"], width=style.NUMBER - 8),
            Override(name="Error rate", **style.ERROR_RATE, width=style.NUMBER + 2),
            Override(name="P99", **style.LATENCY, width=style.NUMBER + 11),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Requests per second, the share of them that fails and the latency of the slowest hundredth, in the order "
            "of the table above.",
            "compare with what is usual for the service, then click its name.",
        ),
        width=style.HALF,
        height=height,
        key="traffic",
    )
    if not settings.runs_stack:
        return
    add_share_of_limit(
        db,
        settings,
        title="Memory of the stack, of its limits",
        used=containers.MEMORY,
        limit=containers.MEMORY_LIMIT,
        link=style.TO_STACK,
        description=style.describe(
            "Resident memory of the stack's own containers as a share of their limits.",
            "raise `limits` of the service in the stack's configuration before 100 %, where the engine kills it.",
        ),
        key="memory",
    )


def _elsewhere(db: DashboardBuilder, settings: Settings) -> None:
    # Grafana leaves links in Markdown alone: under a path of its own it has to be in them.
    root = urlsplit(settings.root_url).path.rstrip("/")
    rows = [
        f"- [{style.TITLES.get(uid, uid.capitalize())}]({root}/d/{uid}): {question}"
        for uid, question in QUESTIONS.items()
        if uid not in uids.NEEDS or getattr(settings, uids.NEEDS[uid])
    ]
    rows += [
        f"- [Explore]({root}/explore): query metrics, logs and traces freely.",
        f"- [Alert rules]({root}/alerting/list): what is watched, what fires, what is silenced.",
    ]
    db.add_text_panel(
        title="Dashboards, by question",
        content="\n".join(rows),
        description=style.describe(
            "Links to everything else, by question.",
            "open SLO Overview when users complain, and Stack Health when the numbers look wrong.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT + 2,
        key="directory",
    )
