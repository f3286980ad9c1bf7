"""Logs: how many lines, which errors, which lines are most frequent, and a free search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards import palette, queries, style, transform
from dashboards.model import Override, Query
from observability.names import uids

if TYPE_CHECKING:
    from dashboards.builder import DashboardBuilder
    from observability.settings import Settings


def lines_of(variable: str) -> str:
    """Return the selector of the lines of the services that a variable holds, by the name that their lines carry.

    The history of alerts is in Loki too, and has a word for trouble in every line.
    """
    return f'{{service_name=~{queries.chosen(variable)}, from!="state-history"}}'


CHOSEN: Final = lines_of(queries.SERVICE_VARIABLE)
"""Lines of the chosen services."""
FOUND: Final = f"{CHOSEN} |~ `(?i)$search`"
"""Lines of the chosen services that match the search; an empty search matches all."""
BAD: Final = 'detected_level=~"error|critical|fatal"'
LEVELS: Final = {
    "critical": palette.PURPLE,
    "fatal": palette.PURPLE,
    "error": palette.VERMILLION,
    "warn": palette.ORANGE,
    "info": palette.BLUE,
    "debug": palette.SKY_BLUE,
    "trace": palette.VIOLET,
    "unknown": palette.GREY,
}
"""The levels as Loki detects them, each in its colour."""
LEVELED: Final = 'label_format detected_level=`{{ or .detected_level "unknown" }}`'
"""Gives a level to lines that have none: else Grafana calls them *Value*."""
PATTERNS: Final = 15
_NUMBERS: Final = r"[0-9a-fA-F-]{8,}|[0-9]+"
_SHORT: Final = 160
_HEAD, _HEAD_LINES, _TAIL, _TAIL_LINES = 1_000, 15, 400, 5
"""What is shown of a long line: so many characters of its beginning and of its end, in so many rows."""
_LONG: Final = f'or (gt (len __line__) {_HEAD + _TAIL}) (gt (count "\\n" __line__) {_HEAD_LINES + _TAIL_LINES})'
_BEGINNING: Final = (
    rf'regexReplaceAll "(?s)^((?:[^\n]*\n){{{_HEAD_LINES - 1}}}[^\n]*)\n.*" __line__ "$1" | trunc {_HEAD}'
)
_END: Final = rf'regexReplaceAll "(?s)^.*\n((?:[^\n]*\n){{{_TAIL_LINES - 1}}}[^\n]*)$" __line__ "$1" | trunc -{_TAIL}'
_CUT: Final = r'{{ "\n" }}… {{ len __line__ }} bytes, all of them in Explore without line_format …{{ "\n" }}'
SHOWN: Final = (
    f"line_format `{{{{ if {_LONG} }}}}{{{{ {_BEGINNING} }}}}{_CUT}{{{{ {_END} }}}}"
    "{{ else }}{{ __line__ }}{{ end }}`"
)
"""The stage that cuts a line to what leaves room for others: its beginning and its end, and how long it is."""
NO_LINES: Final = (
    "No line matches in this time range. Widen it, empty the search, or check that the output reaches the stack."
)


def leveled() -> list[Override]:
    """Return the overrides that give each level its colour."""
    return [Override(name=level, color=color) for level, color in LEVELS.items()]


def build(settings: Settings) -> DashboardBuilder:
    """Return the dashboard."""
    db = style.dashboard(
        uids.LOGS,
        settings,
        description="How many lines are logged, which errors, which lines are most frequent; a free search.",
    )
    db.add_query_variable(
        queries.SERVICE_VARIABLE,
        "Service",
        "label_values(service_name)",
        datasource_uid=uids.DATASOURCE_LOKI,
        multi=True,
        include_all=True,
        all_value=style.ANY,
    )
    db.add_textbox_variable("search", "Search")
    style.add_service_link(db, settings)
    _volume(db)
    _errors(db)
    _all(db)
    return db


def _volume(db: DashboardBuilder) -> None:
    db.add_timeseries_panel(
        title="Lines by level",
        query=Query(
            f"sum by (detected_level) (count_over_time({FOUND} | {LEVELED} [$__auto]))",
            legend="{{detected_level}}",
            datasource_uid=uids.DATASOURCE_LOKI,
        ),
        **style.COUNT,
        min_val=0,
        stacking="normal",
        draw_style="bars",
        fill_opacity=80,
        overrides=leveled(),
        no_value=NO_LINES,
        description=style.describe(
            "Log lines that match the search, per bar; the level is the line's own, or detected in its text.",
            "click a colour that is new or grows in the legend, and read those lines below.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="levels",
    )
    db.add_bar_gauge_panel(
        title=f"Lines by service, {style.LINES} most",
        # Over the whole range: LogQL ranks anew at each point of a graph, which would show more services than these.
        query=Query(
            f"topk({style.LINES}, sum by (service_name) (count_over_time({FOUND} [$__range])))",
            legend="{{service_name}}",
            datasource_uid=uids.DATASOURCE_LOKI,
            instant=True,
        ),
        **style.COUNT,
        min_val=0,
        title_size=style.BAR_TITLE,
        transformations=[
            # Loki answers with one table, of which Grafana would draw the last row alone.
            transform.rename("^Value.*", "Lines"),
            transform.organize(exclude=["Time"]),
            transform.rows_to_fields(name="service_name", value="Lines"),
        ],
        no_value=NO_LINES,
        description=style.describe(
            f"Log lines that match the search, of the {style.LINES} services with most of them in this time range.",
            "choose the service above that has far more than usual, and read its lines below.",
        ),
        width=style.HALF,
        height=style.GRAPH_HEIGHT,
        key="services",
    )


def _errors(db: DashboardBuilder) -> None:
    db.add_logs_panel(
        title="Errors, newest first",
        query=Query(f"{FOUND} | {BAD} | {SHOWN}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=200),
        no_value="No error matches in this time range.",
        description=style.describe(
            "Lines at error or worse that match the search; an opened line links to its trace and its request.",
            "open the first line of the newest kind, and follow its link to the trace.",
        ),
        width=style.HALF,
        height=12,
        key="errors",
    )
    same = f'label_format same=`{{{{ regexReplaceAll "{_NUMBERS}" __line__ "#" | trunc {_SHORT} }}}}`'
    db.add_table_panel(
        title=f"Most frequent lines, {PATTERNS} of them",
        query=Query(
            f"topk({PATTERNS}, sum by (service_name, same) (count_over_time({FOUND} | {same} [$__range])))",
            datasource_uid=uids.DATASOURCE_LOKI,
            instant=True,
        ),
        **style.COUNT,
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
            transform.rename("^Value.*", "Lines"),
        ],
        overrides=[
            Override(name="Service", width=style.NAME),
            Override(name="Lines", width=style.NUMBER),
        ],
        no_value=NO_LINES,
        description=style.describe(
            "Lines that differ only in numbers and IDs, counted over the whole time range.",
            "search for the words of a line that is new here, and compare its first moment with the last release.",
        ),
        width=style.HALF,
        height=12,
        key="frequent",
    )


def _all(db: DashboardBuilder) -> None:
    db.add_logs_panel(
        title="All lines, newest first",
        query=Query(f"{FOUND} | {SHOWN}", datasource_uid=uids.DATASOURCE_LOKI, max_lines=500),
        no_value=NO_LINES,
        description=style.describe(
            "All lines of the chosen services that match the search, 500 at most.",
            "narrow the time range around the moment in question, and open a line for its trace and its request.",
        ),
        width=24,
        height=16,
        key="lines",
    )
