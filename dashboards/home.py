"""Home: what is burning now, whether the stack itself is well, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dashboards import palette, queries, stack_queries, style, tables
from dashboards.limits import add_share_of_limit
from dashboards.model import Override, Query, Thresholds, ValueText
from observability.names import series, uids
from observability.rules import containers
from observability.rules.windows import BASE_WINDOW
from observability.watched import watched

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

QUESTIONS: Final = {
    uids.SLO_OVERVIEW: "Is every promise kept, which error budget burns, and since when?",
    uids.APPLICATION_PERFORMANCE: "Which service, endpoint or status code is it?",
    uids.SERVICE_DETAIL: "One service on one page: signals, containers, traces, errors, neighbours.",
    uids.INCIDENT: "What happened when: alerts, deployments, versions, budget, errors and logs on one time axis.",
    uids.LOGS: "What was written, at which level, how often, and by whom?",
    uids.INFRASTRUCTURE_HEALTH: "Does a container lack CPU, memory or network?",
    uids.STACK_HEALTH: "Can these numbers be trusted: is the stack itself well, and how long does its space last?",
    uids.RUNBOOKS: "What does this alert mean, how is it confirmed, and what is to be done?",
    uids.EXECUTIVE_SLO_REPORT: "How were the last weeks, for people who were not there? One page to print.",
}
"""What each dashboard answers."""
DISK_LOW: Final = (0.8, 0.9)
"""From where the disk is marked, and bad."""


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.HOME, settings, description="What is burning now, whether the stack itself is well, and where to look."
    )
    _burning(db, settings)
    _stack(db, settings)
    _elsewhere(db, settings)
    return db


def _burning(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("What is burning now?", panel_id=101)
    db.add_stat_panel(
        title="Objectives, by state",
        query=[
            Query(queries.in_state(level), legend=name, ref_id=name.lower().replace(" ", "_"), instant=True)
            for name, level, _ in STATES
        ],
        unit="none",
        decimals=0,
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        overrides=[
            Override(name=name, thresholds=Thresholds(((None, palette.MUTED, ""), (1, color, name))))
            for name, _, color in STATES
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How many objectives of all services are in which state, by the very conditions that the alerts have. "
            "Grey: none.",
            "*Burning fast* and *Budget spent*: act now, the table below has them on top. *Burning*: within the day. "
            "*No data*: check that Prometheus reaches the service.",
        ),
        width=24,
        height=4,
        panel_id=1,
    )
    height = max(style.GRAPH_HEIGHT, style.table_height(len(watched(settings)), "md"))
    asked, steps = tables.joined(
        {
            "State": queries.worst_state(),
            "Budget left": queries.everywhere(f"min by (service) ({queries.of_slo(series.BUDGET_REMAINING)})"),
            "Burn rate, 1h": queries.everywhere(
                f"max by (service) ({queries.of_slo(series.burn_rate(queries.BURN_NOW))})"
            ),
            "Failing, 5m": queries.everywhere(
                queries.of_service(series.error_ratio(BASE_WINDOW), queries.AVAILABILITY)
            ),
            "P99, 5m": queries.everywhere(queries.of_service(series.DURATION_P99)),
            "Requests": queries.everywhere(queries.slo_requests()),
        },
        ("service",),
    )
    db.add_table_panel(
        title="Services, most urgent first",
        query=asked,
        unit="percentunit",
        decimals=1,
        sort_by="State",
        descending=True,
        cell_height="md",
        transformations=steps,
        overrides=[
            Override(
                name="Service",
                links=[style.to_slo("${__value.text}"), style.to_application("${__value.text}")],
            ),
            Override(
                name="State",
                unit="none",
                decimals=0,
                cell="color-text",
                mappings=tables.STATES,
                width=160,
                custom=style.LEFT,
            ),
            Override(name="Budget left", cell="color-text", thresholds=style.BUDGET, width=110),
            Override(
                name="Burn rate, 1h", unit=style.TIMES, cell="color-text", thresholds=style.burn_thresholds(), width=115
            ),
            Override(name="Failing, 5m", decimals=2, width=110),
            Override(name="P99, 5m", unit="s", decimals=0, width=100),
            Override(name="Requests", unit="reqps", decimals=1, width=110),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Every service by its most urgent objective: the least budget left, the highest burn rate of the last "
            "hour, and its traffic of the last five minutes.",
            "open the name on top: it leads to the service's objectives (what, since when) and to its requests (which "
            "endpoint, which status code).",
        ),
        width=15,
        height=height,
        panel_id=2,
    )
    db.add_alert_list_panel(
        title="Alerts",
        # The watchdog fires always: its silence is what is noticed.
        instances='{severity!="watchdog"}',
        description=style.describe(
            "Alerts that fire, are about to, or have no data.",
            "open the alert on top: it says what it means, and links to its panel, its logs and its runbook.",
        ),
        width=9,
        height=height,
        panel_id=3,
    )


STATES: Final = (
    ("Burning fast", queries.PAGE, palette.BAD),
    ("Budget spent", queries.SPENT, palette.BAD),
    ("Burning", queries.TICKET, palette.WARNING),
    ("No data", queries.NO_DATA, palette.PURPLE),
    ("Fine so far", queries.YOUNG, palette.NEUTRAL),
    ("Fine", queries.FINE, palette.GOOD),
)


def _stack(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Is the stack itself well?", panel_id=102)
    db.add_stat_panel(
        title="The five services",
        query=Query(stack_queries.up(), legend="{{job}}", instant=True),
        unit="none",
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        thresholds=style.UP,
        mappings=style.UP_OR_DOWN,
        links=[style.TO_STACK],
        no_value="No data: Prometheus itself does not run, or has just started.",
        description=style.describe(
            "Whether Prometheus reaches each of the five.",
            "*Down*: look at the container's log (`docker logs`), then at Stack Health for what came before.",
        ),
        width=10,
        height=4,
        panel_id=4,
    )
    _nothing_is_good(
        db,
        "Targets that do not answer",
        stack_queries.silent_targets(),
        "All answer",
        style.describe(
            "How many of all targets, services and stack, Prometheus cannot scrape now.",
            "open Stack Health to see which; check whether they run, and their address in the configuration.",
        ),
        panel_id=5,
        width=5,
    )
    _nothing_is_good(
        db,
        "Rule evaluations that failed",
        stack_queries.failed_evaluations(),
        "None",
        style.describe(
            "Evaluations that failed or were left out in this time range. Every number above comes from these rules.",
            "open Stack Health for when; read Prometheus's log for the rule and the reason.",
        ),
        panel_id=6,
        width=5,
    )
    db.add_stat_panel(
        title="Host disk used",
        query=Query(stack_queries.disk_used(), legend="in use", instant=True),
        unit="percentunit",
        decimals=0,
        sparkline=False,
        thresholds=Thresholds.high_is_bad(*DISK_LOW),
        links=[style.TO_STACK],
        no_value="No data: Loki says it, and Loki does not answer.",
        description=style.describe(
            "How full the file system is on which all volumes lie.",
            "find what grows on Stack Health, shorten its retention, or give the host more disk before it is full: "
            "Prometheus and Loki lose data on a full disk.",
        ),
        width=4,
        height=4,
        panel_id=7,
    )
    db.add_timeseries_panel(
        title="Burn rate, 1h, by service",
        query=Query(
            queries.everywhere(f"max by (service) ({queries.of_slo(series.burn_rate(queries.BURN_NOW))})"),
            legend="{{service}}",
        ),
        unit=style.TIMES,
        decimals=1,
        min_val=0,
        soft_max=2,
        fill_opacity=0,
        thresholds=style.burn_thresholds(),
        legend=style.SHORT_RIGHT,
        overrides=style.colored(style.colors(settings)),
        data_links=[style.to_slo(), style.to_application()],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "How many times faster than allowed each service spends the error budget of its worst objective. Dashed: "
            "where alerts begin.",
            "click the line to open that service's objectives, and note when it left the ground.",
        ),
        width=style.HALF,
        height=style.graph_height(len(watched(settings))),
        panel_id=8,
    )
    add_share_of_limit(
        db,
        settings,
        title="Memory of the containers, of their limit",
        used=containers.MEMORY,
        limit=containers.MEMORY_LIMIT,
        link=style.TO_STACK,
        description=style.describe(
            "Resident memory as a share of what the container may use; at 100 % the engine kills it.",
            "raise `limits` of the service in the stack's configuration, or lower its load. Climbing without end is a "
            "leak: restart it and report it.",
        ),
        height=style.graph_height(max(len(watched(settings)), len(settings.containers))),
        panel_id=9,
    )


def _nothing_is_good(  # noqa: PLR0913 - keyword-only where it matters
    db: DashboardBuilder, title: str, query: str, none: str, description: str, *, panel_id: int, width: int
) -> None:
    db.add_stat_panel(
        title=title,
        query=Query(query, legend=title, instant=True),
        unit="none",
        decimals=0,
        sparkline=False,
        thresholds=style.NONE_IS_GOOD,
        mappings={"0": ValueText(none, palette.GOOD)},
        links=[style.TO_STACK],
        no_value=style.NO_RULES_YET,
        description=description,
        width=width,
        height=4,
        panel_id=panel_id,
    )


def _elsewhere(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("Where to look", panel_id=103)
    # Markdown is not Grafana's own link: under a path of its own it has to be told.
    root = urlsplit(settings.root_url).path.rstrip("/")
    rows = [
        f"| [{style.TITLES.get(uid, uid.capitalize())}]({root}/d/{uid}) | {question} |"
        for uid, question in QUESTIONS.items()
    ]
    rows += [
        f"| [Explore]({root}/explore) | Ask anything of metrics, logs and traces. |",
        f"| [Alert rules]({root}/alerting/list) | What is watched, what fires, what is silenced. |",
    ]
    db.add_text_panel(
        title="Every dashboard, by the question it answers",
        content="\n".join(["| Open | It answers |", "| --- | --- |", *rows]),
        description=style.describe(
            "Links to everything else, by the question that it answers.",
            "begin at SLO Overview when users complain, at Stack Health when the numbers look wrong.",
        ),
        width=24,
        height=12,
        panel_id=10,
    )
