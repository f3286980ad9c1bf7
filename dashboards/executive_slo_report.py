"""Executive: SLO Report. The last weeks in words and on one printed page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, queries, report_queries, style, tables, transform
from dashboards.model import Legend, Override, Query, Thresholds, ValueText
from observability.names import series, uids
from observability.rules.windows import BUDGET_LOW

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from dashboards.model import Mappings
    from observability.settings import Settings

INCIDENTS: Final = 5
WEEKS: Final = {"Last 7 days": "", "The 7 before": "7d", "2 weeks before": "14d", "3 weeks before": "21d"}
"""How a week is called, and how long ago it ended."""
MONTH: Final = "30d"
PROMISES: Final[Mappings] = {
    series.SLO_AVAILABILITY: "requests succeed",
    series.SLO_LATENCY: "answers come in time",
}
"""What an objective promises, in words; one of another kind is called by its own name."""
SAME: Final = 0.0005
"""A smaller change of a share than this is none."""
NOTHING_YET: Final = "—"


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.EXECUTIVE_SLO_REPORT,
        settings,
        description="Last week and last month against the weeks before, for people who were not there; one page.",
        time_from=f"now-{MONTH}",
        refresh="15m",
    )
    _summary(db)
    _promises(db, settings)
    _budgets(db, settings)
    _incidents(db)
    return db


def _summary(db: DashboardBuilder) -> None:
    db.add_text_panel(
        title="How to read this page",
        content=(
            "We promise how many requests succeed and how many are answered in time. The few that may fail are the "
            "**error budget**: while some of it is left, the promise is **kept** and teams may take risks; when it is "
            "used up, the promise is **missed** and repair comes first."
        ),
        description=style.describe(
            "What the words on this page mean: promise, kept, missed, error budget.",
            "read the worst incidents at the end.",
        ),
        width=24,
        height=3,
        panel_id=1,
    )
    db.add_stat_panel(
        title="Promises today",
        query=[
            Query(report_queries.promises(BUDGET_LOW, None), legend="kept", ref_id="kept", instant=True),
            Query(report_queries.promises(0, BUDGET_LOW), legend="at risk", ref_id="at_risk", instant=True),
            Query(report_queries.promises(None, 0), legend="missed", ref_id="missed", instant=True),
        ],
        unit="none",
        decimals=0,
        sparkline=False,
        text_mode="value_and_name",
        orientation="vertical",
        overrides=[
            Override(name=name, thresholds=Thresholds(((None, palette.MUTED, ""), (1, color, name))))
            for name, color in (("kept", palette.GOOD), ("at risk", palette.WARNING), ("missed", palette.BAD))
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            f"How many promises are kept, at risk (less than {BUDGET_LOW:.0%} of the error budget left) and "
            "missed (none left).",
            "look below which service it is, and plan time for its repair before new work.",
        ),
        width=8,
        height=4,
        panel_id=2,
    )
    for panel_id, title, query, when_bad in (
        (3, "Requests answered", report_queries.answered, "a fall: check with the product's owners what happened."),
        (4, "Requests that failed", report_queries.failed, "a rise: look below which service and which day it was."),
    ):
        db.add_stat_panel(
            title=title,
            query=[
                Query(query("7d"), legend="last 7 days", ref_id="last", instant=True),
                Query(query("7d", "7d"), legend="the 7 before", ref_id="before", instant=True),
            ],
            unit="short",
            decimals=1,
            sparkline=False,
            color_mode="none",
            text_mode="value_and_name",
            orientation="vertical",
            no_value="No data yet: this needs a week of measurements.",
            description=style.describe(f"{title}, of all services together.", when_bad),
            width=8,
            height=4,
            panel_id=panel_id,
        )


def _promises(db: DashboardBuilder, settings: Settings) -> None:
    columns = {
        "Verdict": report_queries.budget_left(),
        "Promised": report_queries.objective(),
        "Within": report_queries.threshold(),
        **{name: report_queries.good("7d", ago) for name, ago in WEEKS.items()},
        "Last 30 days": report_queries.good(MONTH),
    }
    last, before = tuple(WEEKS)[:2]
    asked, steps = tables.joined(
        columns, ("service", "slo"), names={"service": "Service", "slo": "Promise"}, needs=("Promised",), first=()
    )
    db.add_table_panel(
        title="Was every promise kept?",
        query=asked,
        unit="percentunit",
        decimals=2,
        sort_by="Verdict",
        transformations=[*steps, transform.difference(last, before, called="Last week was")],
        overrides=[
            Override(name="Promise", mappings=PROMISES, width=165),
            Override(
                name="Verdict",
                unit="none",
                # Filled, because yellow words cannot be read on paper.
                cell="color-background",
                thresholds=style.BUDGET,
                mappings=VERDICTS,
                width=90,
                custom=style.LEFT,
            ),
            Override(name="Promised", decimals=1, width=90),
            Override(name="Within", unit="s", decimals=0, width=80, custom={"noValue": NOTHING_YET}),
            *(Override(name=name, custom={"noValue": NOTHING_YET}, width=122) for name in (*WEEKS, "Last 30 days")),
            Override(
                name="Last week was",
                unit="none",
                cell="color-text",
                mappings=CHANGES,
                width=120,
                custom=style.LEFT | {"noValue": NOTHING_YET},
            ),
        ],
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "For each promise, the share of requests that kept it, week by week and over the last 30 days. *Verdict* "
            "is about the promise's own time, *Last week was* compares with the week before.",
            "*missed* or *worse*: look below for the incident, and ask its owner when it is repaired. A dash: not "
            "measured at that time.",
        ),
        width=24,
        height=style.table_height(queries.slos(settings)),
        panel_id=5,
    )


VERDICTS: Final[Mappings] = {
    (None, -1e-9): ValueText("missed", palette.BAD),
    (-1e-9, BUDGET_LOW): ValueText("at risk", palette.WARNING),
    (BUDGET_LOW, None): ValueText("kept", palette.GOOD),
}
CHANGES: Final[Mappings] = {
    (None, -SAME): ValueText("worse", palette.BAD),
    (-SAME, SAME): ValueText("the same", palette.MUTED),
    (SAME, None): ValueText("better", palette.GOOD),
}


def _budgets(db: DashboardBuilder, settings: Settings) -> None:
    height = max(style.GRAPH_HEIGHT, round(0.75 * queries.slos(settings)) + 2)
    db.add_bar_gauge_panel(
        title="How much of the error budget is used up?",
        query=Query(report_queries.budget_spent(), legend="{{service}}: {{slo}}", instant=True),
        unit="percentunit",
        decimals=0,
        min_val=0,
        max_val=1,
        thresholds=Thresholds(
            (
                (None, palette.GOOD, "kept"),
                (1 - BUDGET_LOW, palette.WARNING, "at risk"),
                (1, palette.BAD, "missed"),
            ),
        ),
        no_value=style.NO_RULES_YET,
        description=style.describe(
            "Share of the failures that the promise allows in its time that have already happened.",
            "above 100 % the promise is missed: stop risky changes of this service until it is below again.",
        ),
        width=style.HALF,
        height=height,
        panel_id=6,
    )
    db.add_timeseries_panel(
        title="Failed requests, day by day",
        query=Query(report_queries.failed_by_service("1d"), legend="{{service}}", interval="1d"),
        unit="short",
        decimals=0,
        min_val=0,
        stacking="normal",
        draw_style="bars",
        fill_opacity=80,
        line_width=0,
        legend=Legend(mode="list", calcs=()),
        time_from=MONTH,
        overrides=style.colored(style.colors(settings)),
        no_value="No data yet: this needs a day of measurements.",
        description=style.describe(
            "Failed requests of the 24 hours before each bar, which stands at midnight UTC, by service.",
            "a bar that stands out is an incident: find it below. Bars that rise are a decline: plan for it.",
        ),
        width=style.HALF,
        height=height,
        panel_id=7,
    )


def _incidents(db: DashboardBuilder) -> None:
    block = report_queries.BLOCK
    asked, steps = tables.joined(
        {
            "Alerts": Query(report_queries.block_alerts(), interval=block, datasource_uid=uids.DATASOURCE_LOKI),
            "Budget it used": Query(report_queries.block_spent(), interval=block),
            "Failed or late": Query(report_queries.block_failed(), interval=block),
            "Worst 5 minutes": Query(report_queries.block_worst(), interval=block),
            "For": Query(report_queries.block_duration(), interval=block),
        },
        ("service", "slo"),
        names={"Time": "In the 6 hours from", "service": "Service", "slo": "Promise"},
        needs=("Budget it used", "Alerts"),
        first=(),
    )
    db.add_table_panel(
        title="Worst incidents of the last 30 days",
        query=asked,
        unit="short",
        decimals=0,
        time_from=MONTH,
        transformations=[*steps, transform.sort_by("Budget it used", descending=True), transform.limit(INCIDENTS)],
        overrides=[
            Override(name="In the 6 hours from", unit="dateTimeAsIso", width=200),
            Override(name="Promise", mappings=PROMISES, width=180),
            Override(name="Alerts", width=90, custom={"noValue": "nobody told"}),
            Override(name="Budget it used", unit="percentunit", decimals=0),
            Override(name="Worst 5 minutes", unit="percentunit", decimals=0),
            Override(name="For", unit="s", decimals=0),
        ],
        no_value=f"No alert, and nothing used {report_queries.WORTH_TELLING:.0%} of an error budget within 6 hours.",
        description=style.describe(
            f"The {INCIDENTS} worst of the parts of a day in which an alert on a promise began, or that used "
            f"{report_queries.WORTH_TELLING:.0%} of an error budget: how many alerts the history has, how many "
            "requests failed or came late, the share of them in the worst five minutes, and for how long more "
            "failed than is promised. *Nobody told*: the budget went, and no alert began.",
            "read the report of each, and check that what it promised to repair is repaired.",
        ),
        width=24,
        height=style.table_height(INCIDENTS),
        panel_id=8,
    )
