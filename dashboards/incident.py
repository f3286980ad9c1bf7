"""Incident: alerts, deployments, model versions, budget, errors and logs of a service on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboards import logs, queries, style
from dashboards.model import Override, Query
from observability.names import series, uids
from observability.rules.windows import BASE_WINDOW

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

HEIGHT: Final = 8
WIDTH: Final = 24
_SAME_AXIS: Final = Override(name=".*", by="regexp", custom={"custom.axisWidth": 72})
"""Graphs whose time axes begin at the same place, one below the other."""


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.INCIDENT,
        settings,
        description="What happened when: alerts, deployments, model versions, budget, errors and logs.",
    )
    style.add_service_picker(db, settings)
    _axis(db, settings)
    _texts(db)
    return db


def _axis(db: DashboardBuilder, settings: Settings) -> None:
    limited, colors = style.limited(settings), {"alerts": [], "log-errors": logs.leveled()}
    lines: dict[str, Any] = {"fill_opacity": 0}
    bars = {"draw_style": "bars", "stacking": "normal", "fill_opacity": 80, "min_val": 0}
    for key, title, query, scale, options, shows, when_bad, missing in (
        (
            "alerts", "Alerts started", Query(queries.alerts_started(), legend="{{ruleTitle}}",
                                              datasource_uid=uids.DATASOURCE_LOKI),
            style.COUNT, bars,
            "When alerts of the chosen services started; lines across all graphs are deployments and model versions.",
            "look for a line just before the first bar, and read what it changed.",
            "No alert of the chosen services started in this time range.",
        ),
        (
            "error-rate", f"Error rate, 5 minutes{limited}",
            Query(style.by_service(settings, series.error_ratio(BASE_WINDOW), queries.AVAILABILITY),
                  legend="{{service}}"),
            style.ERROR_RATE, lines | {"min_val": 0, "soft_max": 0.01},
            "The share of requests that fail, over the last 5 minutes.",
            "compare its first step with the deployments; a slope rather than a step is something that fills up.",
            style.NO_TRAFFIC,
        ),
        (
            "latency", f"Latency P99{limited}",
            Query(style.by_service(settings, series.DURATION_P99), legend="{{service}}"),
            style.LATENCY, lines | {"min_val": 0},
            "The time within which 99 of 100 requests were answered.",
            "open the service's page for its containers where it climbs before errors do: something saturates.",
            style.NO_TRAFFIC,
        ),
        (
            "log-errors", "Error lines",
            Query(f"sum by (detected_level) (count_over_time({logs.CHOSEN} | {logs.BAD} [$__auto]))",
                  legend="{{detected_level}}", datasource_uid=uids.DATASOURCE_LOKI),
            style.COUNT, bars,
            "Log lines of the chosen services at error or worse, by level.",
            "zoom into the first bar, then read the lines below.",
            "No error was logged in this time range.",
        ),
        (
            "budget-left", f"Budget left{style.limited(settings, lowest=True)}",
            Query(style.least_budget(settings), legend="{{service}}"),
            style.BUDGET_SHARE, lines | {"soft_max": 1.0},
            "What is left of each availability objective's error budget.",
            "find the moment from which it falls: that is when the incident began, whatever the alerts say.",
            style.NO_RULES_YET,
        ),
        (
            "model-versions", "Model versions that serve",
            Query(queries.model_versions(), legend="{{service}}: {{model}} {{version}}"),
            style.COUNT, {"min_val": 0, "max_val": 1},
            "1 while a version of a model serves requests, by service and model.",
            "roll back to the version before when one begins where errors do.",
            "No service reports model versions (`inference_model_info`). Nothing is wrong if none serves a model.",
        ),
    ):  # fmt: skip
        db.add_timeseries_panel(
            title=title,
            query=query,
            **style.on_axis(scale),
            overrides=[_SAME_AXIS, *colors.get(key, style.colored(settings))],
            data_links=[style.to_detail()] if key in {"error-rate", "latency", "budget-left"} else [],
            no_value=missing,
            description=style.describe(shows, when_bad),
            width=WIDTH,
            height=HEIGHT,
            key=key,
            **options,
        )


def _texts(db: DashboardBuilder) -> None:
    db.add_row("What was logged?", panel_id=102)
    db.add_logs_panel(
        title="Alert history",
        query=queries.alert_changes(),
        no_value="No alert of the chosen services started or ended in this time range.",
        description=style.describe(
            "Every alert of the chosen services that started or ended, newest first.",
            "open the oldest that started, and follow its runbook.",
        ),
        width=style.HALF,
        height=12,
        key="alert-history",
    )
    db.add_logs_panel(
        title="Errors, newest first",
        query=Query(f"{logs.CHOSEN} | {logs.BAD} | {logs.SHOWN}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=100),
        no_value="No error was logged in this time range.",
        description=style.describe(
            "Log lines of the chosen services at error or worse.",
            "open the oldest line of the newest kind, and follow its link to the trace.",
        ),
        width=style.HALF,
        height=12,
        key="errors",
    )
