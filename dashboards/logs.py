"""Logs: how much of what is written, what goes wrong, which lines come again and again, and a free search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, queries, style
from dashboards.model import Legend, Override, Query
from observability.names import uids

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings

CHOSEN: Final = f'{{service_name=~{queries.chosen(queries.SERVICE_VARIABLE)}, from!="state-history"}}'
"""Lines of the chosen services. The history of alerts is in Loki too, and has every word for trouble in every line."""
FOUND: Final = f"{CHOSEN} |~ `(?i)$search`"
"""Everything of the chosen services that the search finds; an empty search finds all."""
BAD: Final = 'detected_level=~"error|critical|fatal"'
LEVELS: Final = {
    "critical": palette.VERMILLION,
    "fatal": palette.VERMILLION,
    "error": palette.ORANGE,
    "warn": palette.YELLOW,
    "info": palette.BLUE,
    "debug": palette.SKY_BLUE,
    "trace": palette.PURPLE,
    "unknown": palette.GREY,
}
"""The levels as Loki finds them, each in its colour."""
PATTERNS: Final = 15
_NUMBERS: Final = r"[0-9a-fA-F-]{8,}|[0-9]+"
_SHORT: Final = 160
NO_LINES: Final = "No data: nothing that fits was written in this time range, or its output does not reach the stack."


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.LOGS,
        settings,
        description="How much of what is written, what goes wrong, which lines come again and again; a free search.",
        time_from="now-1h",
    )
    db.add_query_variable(
        "service",
        "Service",
        "label_values(service_name)",
        datasource_uid=uids.DATASOURCE_LOKI,
        multi=True,
        include_all=True,
        all_value=style.ANY,
    )
    db.add_textbox_variable("search", "Search (regular expression)")
    _volume(db, settings)
    _wrong(db)
    _all(db)
    return db


def _volume(db: DashboardBuilder, settings: Settings) -> None:
    db.add_row("How much is written?", panel_id=101)
    for panel_id, title, label, overrides in (
        (1, "Lines by level", "detected_level", [Override(name=n, color=c) for n, c in LEVELS.items()]),
        (2, "Lines by service", "service_name", style.colored(style.colors(settings))),
    ):
        db.add_timeseries_panel(
            title=title,
            query=Query(
                f"sum by ({label}) (count_over_time({FOUND} [$__auto]))",
                legend=f"{{{{{label}}}}}",
                datasource_uid=uids.DATASOURCE_LOKI,
            ),
            unit="short",
            decimals=0,
            min_val=0,
            stacking="normal",
            draw_style="bars",
            fill_opacity=80,
            legend=Legend(placement="right", calcs=("sum",)),
            overrides=overrides,
            no_value=NO_LINES,
            description=style.describe(
                "Log lines that the search finds, per bar. Where no level is named, Loki looks for it in the line.",
                "a new colour, or one that grows: click it in the legend, and read those lines below. A fall to "
                "nothing: check that the service runs and that its output is sent.",
            ),
            width=style.HALF,
            height=9,
            panel_id=panel_id,
        )


def _wrong(db: DashboardBuilder) -> None:
    db.add_row("What goes wrong?", panel_id=102)
    db.add_logs_panel(
        title="Errors, newest first",
        query=Query(f"{FOUND} | {BAD}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=200),
        no_value="No error was written in this time range, as far as the search finds.",
        description=style.describe(
            "Lines at error or worse. Open a line: its trace and all lines of its request are links.",
            "open the first line of the newest kind, follow *Open the trace* to the part that failed, and look whether "
            "the same line came before.",
        ),
        width=style.HALF,
        height=14,
        panel_id=3,
    )
    same = f'label_format same=`{{{{ regexReplaceAll "{_NUMBERS}" __line__ "#" | trunc {_SHORT} }}}}`'
    db.add_table_panel(
        title=f"Lines that come again and again, {PATTERNS} most frequent",
        query=Query(
            f"topk({PATTERNS}, sum by (service_name, same) (count_over_time({FOUND} | {same} [$__range])))",
            datasource_uid=uids.DATASOURCE_LOKI,
            instant=True,
        ),
        unit="short",
        decimals=0,
        sort_by="Lines",
        descending=True,
        transformations=[
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "renameByName": {"service_name": "Service", "same": "Line, # for numbers"},
                },
            },
            {
                "id": "renameByRegex",
                "options": {"regex": "^Value.*", "renamePattern": "Lines"},
            },
        ],
        overrides=[Override(name="Service", width=150), Override(name="Lines", width=90)],
        no_value=NO_LINES,
        description=style.describe(
            "Lines that differ only in numbers and IDs, counted over the whole time range.",
            "a line that is new on top is what changed: search for its words, and compare its first moment with the "
            "last release. Noise: lower its level at the sender.",
        ),
        width=style.HALF,
        height=14,
        panel_id=4,
    )


def _all(db: DashboardBuilder) -> None:
    db.add_row("Everything that the search finds", panel_id=103)
    db.add_logs_panel(
        title="Lines, newest first",
        query=Query(FOUND, datasource_uid=uids.DATASOURCE_LOKI, max_lines=500),
        no_value=NO_LINES,
        description=style.describe(
            "All lines of the chosen services that the search at the top finds, 500 at most.",
            "narrow the time range around the moment in question, then the search; open a line for its trace and its "
            "request.",
        ),
        width=24,
        height=16,
        panel_id=5,
    )
