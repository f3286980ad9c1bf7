"""Incident: alerts, deployments, model versions, budget, errors and logs of a service on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import logs, queries, style
from dashboards.model import Override, Query
from observability.names import series, uids

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

HEIGHT: Final = 7
"""Of each graph: five of them fit on a screen, one under another."""
WIDTH: Final = 24
_SAME_AXIS: Final = Override(name=".*", by="regexp", custom={"custom.axisWidth": 72})
"""Graphs that begin at the same place, one under another."""


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.INCIDENT,
        settings,
        description="What happened when: alerts, deployments, model versions, budget, errors and logs.",
        time_from="now-3h",
    )
    db.add_query_variable("service", "Service", queries.SLO_SERVICES, multi=True, include_all=True, all_value=style.ANY)
    _axis(db, settings)
    _words(db)
    return db


def _axis(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("When did it begin, and what changed just before?", panel_id=101)
    for panel_id, title, query, unit, options, shows, when_bad, missing in (
        (
            1, "Alerts that began", Query(queries.alerts_begun(), legend="{{labels_service}}: {{ruleTitle}}",
                                          datasource_uid=uids.DATASOURCE_LOKI),
            "short", {"draw_style": "bars", "stacking": "normal", "fill_opacity": 80, "min_val": 0, "decimals": 0},
            "When alerts of the chosen services began. Lines across all graphs: deployments and model versions.",
            "look for a line just before the first bar, and read what it changed.",
            "No alert of the chosen services began in this time range.",
        ),
        (
            2, "Error budget left", Query(queries.of_slo(series.BUDGET_REMAINING), legend="{{service}} {{slo}}"),
            "percentunit", {"soft_max": 1.0},
            "What is left of each objective's error budget.",
            "find the moment from which it falls: that is when the incident began, whatever the alerts say.",
            style.NO_RULES_YET,
        ),
        (
            3, "Share that fails, 5m",
            Query(queries.of_service(series.error_ratio("5m"), queries.AVAILABILITY), legend="{{service}}"),
            "percentunit", {"min_val": 0, "soft_max": 0.01},
            "The share of requests that fail, over the last 5 minutes.",
            "compare its first step with the deployments; a slope rather than a step is something that fills up.",
            style.NO_TRAFFIC,
        ),
        (
            4, "Response time, P99", Query(queries.of_service(series.DURATION_P99), legend="{{service}}"),
            "s", {"min_val": 0},
            "The time within which 99 of 100 requests were answered.",
            "where it climbs before errors do, something saturates: open the service's page for its containers.",
            style.NO_TRAFFIC,
        ),
        (
            5, "Lines at error or worse",
            Query(f"sum by (service_name) (count_over_time({logs.CHOSEN} | {logs.BAD} [$__auto]))",
                  legend="{{service_name}}", datasource_uid=uids.DATASOURCE_LOKI),
            "short", {"draw_style": "bars", "stacking": "normal", "fill_opacity": 80, "min_val": 0, "decimals": 0},
            "Log lines at error or worse, by service.",
            "zoom into the first bar, then read the lines below.",
            "No error was written in this time range.",
        ),
    ):  # fmt: skip
        db.add_timeseries_panel(
            title=title,
            query=query,
            unit=unit,
            legend=style.LIST_BELOW,
            overrides=[_SAME_AXIS, *(() if panel_id == 1 else style.colored(style.colors(settings)))],
            data_links=[style.to_detail()] if panel_id in {3, 4} else [],
            no_value=missing,
            description=style.describe(shows, when_bad),
            width=WIDTH,
            height=HEIGHT,
            panel_id=panel_id,
            **options,
        )
    db.add_timeseries_panel(
        title="Model versions that answer",
        query=Query(queries.model_versions(), legend="{{service}}: {{model}} {{version}}"),
        unit="none",
        decimals=0,
        min_val=0,
        max_val=1,
        overrides=[_SAME_AXIS],
        legend=style.LIST_BELOW,
        no_value="No service says which version of a model answers (`inference_model_info`).",
        description=style.describe(
            "1 for the version of each model that answers.",
            "a version that begins where errors do is the first suspect: roll back to the one before.",
        ),
        width=WIDTH,
        height=HEIGHT,
        panel_id=6,
    )


def _words(db: DashboardBuilder) -> None:
    db.add_row("In words", panel_id=102)
    db.add_logs_panel(
        title="Alerts: what changed",
        query=queries.alert_changes(),
        no_value="No alert of the chosen services began or ended in this time range.",
        description=style.describe(
            "Every alert of the chosen services that began or ended, newest first.",
            "open the oldest that began, and follow its runbook.",
        ),
        width=style.HALF,
        height=12,
        panel_id=7,
    )
    db.add_logs_panel(
        title="Errors, newest first",
        query=Query(f"{logs.CHOSEN} | {logs.BAD}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=100),
        no_value="No error was written in this time range.",
        description=style.describe(
            "Lines of the chosen services at error or worse.",
            "open the oldest line of the newest kind, and follow its link to the trace.",
        ),
        width=style.HALF,
        height=12,
        panel_id=8,
    )
