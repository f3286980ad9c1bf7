"""Executive: SLO Report. The last weeks in words and on one printed page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import objective_columns, palette, queries, report_queries, style, tables, transform
from dashboards.model import Override, PanelQuery, Query, Thresholds, ValueText
from observability.names import series, uids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboards.builder import DashboardBuilder
    from dashboards.model import Mappings
    from observability.settings import Settings

INCIDENTS: Final = 5
WEEKS: Final = {"Last 7 days": "", "7 before": "7d"}
"""The column of each week, and how long ago the week ended."""
WEEK: Final = "7d"
MONTH: Final = "30d"
SAME: Final = 0.0005
"""A smaller change of a share than this is none."""
SLO_LABELS: Final = ("service", "slo", "objective")

VERDICTS: Final = {
    queries.MISSED: ("Missed", palette.BAD),
    queries.BUDGET_LOW: ("At risk", palette.WARNING),
    queries.MET: ("Met", palette.GOOD),
    queries.TOO_EARLY: ("Too early", palette.NEUTRAL),
    queries.NO_DATA: ("No data", palette.MUTED),
}
CHANGES: Final[Mappings] = {
    (None, -SAME): ValueText("worse", palette.BAD),
    (-SAME, SAME): ValueText("same", palette.TRANSPARENT),
    (SAME, None): ValueText("better", palette.GOOD),
    # Grafana subtracts a missing week as NaN.
    "null+nan": ValueText("—", palette.TRANSPARENT),
}


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.EXECUTIVE_SLO_REPORT,
        settings,
        description="Last week and last month against the weeks before, for people who were not there; one page.",
        time_from=f"now-{MONTH}",
        refresh="15m",
    )
    # Its 30 days are no range for the page of one service.
    style.add_worst_service_link(db, settings, keep_time=False)
    _summary(db, settings)
    _objectives(db, settings)
    _failures(db, settings)
    _incidents(db, settings)
    _excluded(db, settings)
    return db


def _summary(db: DashboardBuilder, settings: Settings) -> None:
    limits = settings.thresholds
    db.add_stat_panel(
        title="Targets",
        query=Query(queries.everywhere(queries.verdicts(settings)), instant=True, format="table", ref_id="verdicts"),
        **style.COUNT,
        sparkline=False,
        color_mode="background_solid",
        thresholds=Thresholds.plain(palette.TRANSPARENT),
        text_mode="value_and_name",
        transformations=[
            transform.sort_by("state", descending=True),
            transform.rows_to_fields(name="state", value="Value"),
        ],
        overrides=[
            Override(
                name=str(number),
                display_name=text,
                thresholds=Thresholds(((None, palette.TRANSPARENT, ""), (1, palette.filled(color), text))),
            )
            for number, (text, color) in VERDICTS.items()
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How many objectives met their target, are at risk (less than {limits.budget_low_percent:g}% of the error "
            f"budget left), missed it, or have data for less than {limits.coverage_percent:g}% of their window.",
            "look below which service it is, and plan time for its repair before new work.",
        ),
        width=12,
        height=4,
        key="verdicts",
    )
    for key, title, query, when_bad in (
        ("requests", "Requests", report_queries.answered, "check with the product's owners what happened at a fall."),
        ("failed", "Failed requests", report_queries.failed, "look below which service and which day it was."),
    ):
        db.add_stat_panel(
            title=title,
            query=[
                Query(f"round({query(WEEK)})", legend="last 7 days", ref_id="last", instant=True),
                Query(f"round({query(WEEK, WEEK)})", legend="7 before", ref_id="before", instant=True),
            ],
            **style.COUNT,
            sparkline=False,
            color_mode="none",
            text_mode="value_and_name",
            no_value="No data yet: this takes five minutes of measurements. Look again later.",
            description=style.describe(f"{title} of all services together, in whole numbers.", when_bad),
            width=6,
            height=4,
            key=key,
        )


def _columns(settings: Settings) -> Mapping[str, str]:
    """Return the query of each column about an objective's own window, all from the same recorded counts."""
    return {
        "Verdict": queries.everywhere(f'label_join({queries.verdict(settings)}, "objective", " ", "service", "slo")'),
        "Target": report_queries.objective(),
        "SLI": queries.everywhere(queries.of_slo(series.GOOD_PERIOD)),
        "Budget left": report_queries.budget_left(),
        "Requests": f"round({queries.everywhere(queries.of_slo(series.REQUESTS_PERIOD))})",
        "Bad requests": f"round({queries.everywhere(queries.of_slo(series.ERRORS_PERIOD))})",
    }


def _objectives(db: DashboardBuilder, settings: Settings) -> None:
    columns, count = _columns(settings), queries.slos(settings)
    height = style.table_height(count)
    name = Override(name="Objective", links=[style.to_detail("${__data.fields.Service}")], custom=style.SEARCH)
    service = Override(name="Service", custom=style.HIDDEN)
    db.add_table_panel(
        title="Was every target met?",
        query=tables.columns(columns)[0],
        **style.sli(settings),
        paged=style.paged(count),
        transformations=tables.joined(
            columns,
            SLO_LABELS,
            show=("objective", "Verdict", "Target", "SLI", "service"),
            order="Verdict",
            then="Budget left",
        ),
        overrides=[
            name,
            service,
            Override(
                name="Verdict",
                unit="none",
                decimals=0,
                # Filled, because yellow words cannot be read on paper.
                cell="color-background",
                mappings={str(number): ValueText(*text) for number, text in VERDICTS.items()},
                width=style.STATE,
                custom=style.LEFT,
            ),
            Override(name="Target", **style.target(settings), width=style.target_width(settings)),
            Override(name="SLI", width=style.sli_width(settings)),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Each objective in its own window, which SLO Overview names: the target, and the share of good requests "
            "(SLI).",
            "look below for the incident, and ask its owner when it is repaired.",
        ),
        width=style.HALF,
        height=height,
        key="objectives",
    )
    db.add_table_panel(
        title="How much error budget is left?",
        query=PanelQuery("objectives"),
        **style.COUNT,
        paged=style.paged(count),
        transformations=tables.joined(
            columns,
            SLO_LABELS,
            show=("objective", "Budget left", "Bad requests", "Requests", "service"),
            order="Verdict",
            then="Budget left",
        ),
        overrides=[
            name,
            service,
            objective_columns.budget_left(settings),
            Override(name="Bad requests", width=style.NUMBER + 4),
            Override(name="Requests", width=style.NUMBER + 28),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The share of the allowed failures (the error budget) that each objective has left in its window, below 0 "
            "with a missed target, and the requests that it counts.",
            "compare the count with what users reported, and plan time for its repair.",
        ),
        width=style.HALF,
        height=height,
        key="counts",
    )


def _failures(db: DashboardBuilder, settings: Settings) -> None:
    count = queries.slos(settings)
    height = style.table_height(count)
    columns = {
        column: queries.enough(settings, report_queries.good(settings, WEEK, ago), WEEK, ago)
        for column, ago in WEEKS.items()
    }
    last, before = tuple(WEEKS)[:2]
    columns["SLO"] = queries.everywhere(
        f'label_join({queries.of_slo(series.OBJECTIVE)}, "objective", " ", "service", "slo")'
    )
    db.add_table_panel(
        title="Week by week",
        query=tables.columns(columns)[0],
        **style.sli(settings),
        paged=style.paged(count),
        transformations=tables.joined(
            columns,
            SLO_LABELS,
            show=("objective", "Change", *WEEKS, "service"),
            needs=("SLO",),
            extra=[transform.difference(last, before, name="Change")],
        ),
        overrides=[
            Override(name="Objective", links=[style.to_detail("${__data.fields.Service}")], custom=style.SEARCH),
            Override(name="Service", custom=style.HIDDEN),
            Override(
                name="Change",
                unit="none",
                cell="color-background",
                mappings=CHANGES,
                width=style.NUMBER - 4,
                custom=style.LEFT,
            ),
            *(Override(name=week, width=style.sli_width(settings)) for week in WEEKS),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "The share of good requests in the last week and in the one before; a dash is a week with too little data.",
            "ask the owner of what became worse, and look below for the day.",
        ),
        width=style.HALF,
        height=height,
        key="weeks",
    )
    db.add_timeseries_panel(
        title=f"Failed requests, 30 days{style.limited(settings)}",
        query=Query(
            f"round({style.most_failed(settings, report_queries.failed_by_service('1d'))})",
            legend="{{service}}",
            interval="1d",
        ),
        **style.COUNT,
        min_val=0,
        stacking="normal",
        draw_style="bars",
        fill_opacity=80,
        line_width=0,
        time_from=MONTH,
        overrides=style.colored(settings),
        no_value="No data yet: this takes a day of measurements. Look again tomorrow.",
        description=style.describe(
            "Failed requests of the 24 hours before each bar, which stands at midnight UTC, by service.",
            "find the bar that stands out among the incidents below, and plan for bars that rise.",
        ),
        width=style.HALF,
        height=height,
        key="days",
    )


def _incidents(db: DashboardBuilder, settings: Settings) -> None:
    block, least = report_queries.BLOCK, settings.thresholds.incident_percent
    columns: dict[str, str | Query] = {
        "Alerts": Query(report_queries.block_alerts(), interval=block, datasource_uid=uids.DATASOURCE_LOKI),
        "Budget spent": Query(
            f'label_join({report_queries.block_spent(settings)}, "objective", " ", "service", "slo")', interval=block
        ),
        "Bad requests": Query(f"round({report_queries.block_failed(settings)})", interval=block),
        "Worst 5 min": Query(report_queries.block_worst(), interval=block),
        "Lasted": Query(report_queries.block_duration(), interval=block),
    }
    labels = ("Time", *SLO_LABELS)
    names = {**tables.NAMES, "Time": "6 hours from"}
    when = Override(name="6 hours from", unit="time:MMM D HH:mm", width=style.NUMBER + 42)
    for key, title, query, show, shows in (
        (
            "incidents",
            f"Worst {INCIDENTS} incidents, 30 days",
            tables.columns(columns)[0],
            ("Time", "objective", "Budget spent", "Alerts"),
            (
                "The parts of a day in which an alert on an objective started, or that used "
                f"{least:g}% of an error budget; no alerts means that no message was sent."
            ),
        ),
        (
            "incident-sizes",
            "How bad were they?",
            PanelQuery("incidents"),
            ("objective", "Bad requests", "Worst 5 min", "Lasted"),
            (
                "Of the same incidents in the same order: the bad requests, their share in the worst five minutes, "
                "and for how long more failed than the objective allows."
            ),
        ),
    ):
        db.add_table_panel(
            title=title,
            query=query,
            **style.COUNT,
            time_from=MONTH,
            transformations=tables.joined(
                columns,
                labels,
                names=names,
                show=show,
                needs=("Budget spent", "Alerts"),
                order="Budget spent",
                most=INCIDENTS,
            ),
            overrides=[
                when,
                Override(name="Alerts", width=style.NUMBER - 8, custom={"noValue": "none"}),
                Override(name="Budget spent", **style.SHARE, width=style.NUMBER),
                Override(name="Bad requests", width=style.NUMBER + 4),
                Override(name="Worst 5 min", **style.SHARE, width=style.NUMBER - 8),
                Override(name="Lasted", unit="s", decimals=0, width=style.NUMBER - 4),
            ],
            no_value=(f"No alert, and nothing used {least:g}% of an error budget within 6 hours."),
            description=style.describe(
                shows, "read the review of each, and check that what it decided to repair is repaired."
            ),
            width=style.HALF,
            height=style.table_height(INCIDENTS) + 2,
            key=key,
        )


def _excluded(db: DashboardBuilder, settings: Settings) -> None:
    """List what counts for no objective, newest first, where there is any."""
    if not settings.exclusions:
        return
    rows = [
        f"| {exclusion} | {exclusion.reason} | {', '.join(exclusion.services) or 'all'} |"
        f" {', '.join(exclusion.slos) or 'all'} |"
        for exclusion in sorted(settings.exclusions, key=lambda x: (x.recurs, x.start), reverse=True)
    ]
    db.add_text_panel(
        title="What does not count?",
        description=style.describe(
            "The times that no objective counts, and why, newest first.",
            "check with the owner of a service that it was planned, and note it where people read these numbers.",
        ),
        content="\n".join(("| when | why | services | objectives |", "|---|---|---|---|", *rows)),
        width=24,
        height=4 + min(len(rows), 10),
        key="excluded",
    )
