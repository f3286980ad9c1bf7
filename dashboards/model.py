"""The values that panels are described with: small, frozen, free of the SDK.

Nothing here checks itself; `DashboardBuilder.build` does, where an error can name the dashboard and the
panel.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NotRequired, TypedDict
from urllib.parse import quote

from dashboards import palette
from observability.names import uids


class Transformation(TypedDict):
    """One step from a query's answer to what is drawn, as Grafana stores it; see `dashboards.transform`."""

    id: str
    options: Mapping[str, object]
    disabled: NotRequired[bool]
    ref_id: NotRequired[str]
    """The query whose answer is transformed; all answers without it."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL or LogQL query.

    Args:
        expr: PromQL for a Prometheus data source, LogQL for a Loki one.
        legend: name of the series, `{{label}}` inserts a label; "" leaves it to Grafana.
        datasource_uid: one of `observability.names.uids.DATASOURCE_*`, or "$variable" together with `datasource_type`.
        instant: only the value at the end of the time range, one sample a series.
        exemplar: also fetch exemplars (Prometheus only).
        format: shape of the answer (Prometheus only).
        ref_id: name within the panel; "" takes the next of A, B, C...
        color: colour of its series, from `dashboards.palette`; "" leaves it to the panel.
        interval: lower limit of the step, such as "1m"; "" for none.
        hide: run it, for transformations and expressions, but do not show it.
        max_lines: most log lines to fetch (Loki only); None for the data source's own limit.
        datasource_type: plugin of a data source whose uid is not one of ours, such as "prometheus".

    """

    expr: str
    legend: str = ""
    datasource_uid: str = uids.DATASOURCE_PROMETHEUS
    instant: bool = False
    exemplar: bool = False
    format: Literal["time_series", "table", "heatmap"] = "time_series"
    ref_id: str = ""
    color: str = ""
    interval: str = ""
    hide: bool = False
    max_lines: int | None = None
    datasource_type: str = ""


@dataclass(frozen=True, slots=True)
class JaegerQuery:
    """One query to Jaeger; use `trace`, `search` or `dependencies` to make it.

    Args:
        kind: one trace, a list of traces (a table), or the graph of services.
        trace_id: for a trace; may be a variable, "$trace_id".
        service: for a search.
        operation: for a search; "" for all.
        tags: for a search, in logfmt: `error=true http.status_code=500`.
        min_duration: for a search, such as "300ms"; "" for any.
        max_duration: likewise.
        limit: for a search, most traces to list.
        datasource_uid: the data source.
        ref_id: name within the panel; "" takes the next of A, B, C...

    """

    kind: Literal["trace", "search", "dependencies"]
    trace_id: str = ""
    service: str = ""
    operation: str = ""
    tags: str = ""
    min_duration: str = ""
    max_duration: str = ""
    limit: int = 20
    datasource_uid: str = uids.DATASOURCE_JAEGER
    ref_id: str = ""

    @classmethod
    def trace(cls, trace_id: str) -> "JaegerQuery":
        """One whole trace, for a traces or node graph panel."""
        return cls("trace", trace_id=trace_id)

    @classmethod
    def search(  # noqa: PLR0913 - keyword-only, one for each field of Jaeger's search form
        cls,
        service: str,
        *,
        operation: str = "",
        tags: str = "",
        min_duration: str = "",
        max_duration: str = "",
        limit: int = 20,
    ) -> "JaegerQuery":
        """Traces that match, one a row, for a table panel."""
        return cls(
            "search",
            service=service,
            operation=operation,
            tags=tags,
            min_duration=min_duration,
            max_duration=max_duration,
            limit=limit,
        )

    @classmethod
    def dependencies(cls) -> "JaegerQuery":
        """Which service calls which, for a node graph panel."""
        return cls("dependencies")


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """The answers of another panel of the same dashboard: queried once, shown twice.

    Args:
        key: the other panel's key.
        ref_id: name within the panel; "" takes the next of A, B, C...

    """

    key: str
    ref_id: str = ""


AnyQuery = Query | JaegerQuery | PanelQuery
QueryInput = str | AnyQuery | Sequence[str | AnyQuery]

Step = tuple[float | None, str, str]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a value changes its colour, and what each colour means.

    Args:
        steps: (from this value on, colour, meaning), rising; the first value is None, minus infinity.
        percent: the values are percent of the range min..max instead of the panel's unit.
        show_text: show the meaning in place of the number.

    The meanings are added to the panel's description, so that colour is never the only carrier.

    """

    steps: tuple[Step, ...]
    percent: bool = False
    show_text: bool = False

    @classmethod
    def high_is_bad(cls, warning: float, bad: float) -> "Thresholds":
        """For latency, errors, usage: good, then warning, then bad."""
        return cls(
            ((None, palette.GOOD, "good"), (warning, palette.WARNING, "warning"), (bad, palette.BAD, "bad")),
        )

    @classmethod
    def low_is_bad(cls, warning: float, good: float) -> "Thresholds":
        """For availability, budget: bad, then warning, then good."""
        return cls(
            ((None, palette.BAD, "bad"), (warning, palette.WARNING, "warning"), (good, palette.GOOD, "good")),
        )

    def filled(self) -> "Thresholds":
        """Return them for cells and panels that are filled: with shades for words, and no colour where all is well."""
        return replace(
            self,
            steps=tuple(
                (value, palette.TRANSPARENT if color == palette.GOOD else palette.filled(color), meaning)
                for value, color, meaning in self.steps
            ),
        )

    def lines(self) -> "Thresholds":
        """Return them for lines in a graph: yellow ones cannot be seen on white."""
        return replace(
            self,
            steps=tuple(
                (value, palette.ORANGE if color == palette.WARNING else color, meaning)
                for value, color, meaning in self.steps
            ),
        )

    @classmethod
    def plain(cls, color: str = palette.NEUTRAL) -> "Thresholds":
        """One colour, whatever the value: what a panel without thresholds gets."""
        return cls(((None, color, ""),))


@dataclass(frozen=True, slots=True)
class ValueText:
    """What is shown in place of a value; color "" keeps the panel's."""

    text: str
    color: str = ""


MappingKey = str | tuple[float | None, float | None]
"""An exact value as text ("1"), a regular expression in slashes whose groups the shown text may insert,
a range (from, to) with None for open, or "null", "nan", "null+nan", "empty", "true", "false"."""

Mappings = Mapping[MappingKey, str | ValueText]


@dataclass(frozen=True, slots=True)
class Link:
    """A link on a panel or on its values; `url` may hold Grafana's variables."""

    title: str
    url: str
    new_tab: bool = False

    @classmethod
    def to_dashboard(cls, title: str, uid: str, variables: Mapping[str, str] | None = None) -> "Link":
        """Link to one of our dashboards that keeps the time range.

        `variables` maps its variables to values, which may be Grafana's: `{"service":
        "${__field.labels.service}"}`. Grafana encodes those, so that `&` in a name does not end it.
        """
        chosen = {
            name: re.sub(r"^\$(\w+)$|^\$\{([\w.]+)\}$", r"${\1\2:percentencode}", value)
            for name, value in (variables or {}).items()
        }
        query = "".join(f"&var-{name}={quote(value, safe='${}._-:')}" for name, value in chosen.items())
        return cls(title, f"/d/{uid}?${{__url_time_range}}{query}")


Cell = Literal["auto", "color-text", "color-background", "gauge", "sparkline", "data-links", "json-view", "pill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Settings for some of the panel's fields (series or columns) only.

    Args:
        name: which; read according to `by`.
        by: the field's whole name, a regular expression on it, or the query's ref_id.
        unit: as for panels; "" keeps the panel's. So with all that follow.
        color: from `dashboards.palette`.
        display_name: shown instead of the name.
        decimals: digits after the point.
        min_val: lower end of the scale.
        max_val: upper end of the scale.
        links: links on the values.
        cell: how a table draws it.
        width: of the table's column, in pixels.
        hidden: fetched but not shown.
        thresholds: where its values change colour.
        mappings: value to text.
        custom: anything else, by Grafana's property id: `{"custom.lineStyle": {"fill": "dash"}}`.

    """

    name: str
    by: Literal["name", "regexp", "query"] = "name"
    unit: str = ""
    color: str = ""
    display_name: str = ""
    decimals: int | None = None
    min_val: float | None = None
    max_val: float | None = None
    links: Sequence[Link] = ()
    cell: Cell | None = None
    width: int | None = None
    hidden: bool = False
    thresholds: Thresholds | None = None
    mappings: Mappings = field(default_factory=dict)
    custom: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Legend:
    """Legend of a graph; `calcs` are Grafana's reducers, shown next to each series' name."""

    mode: Literal["table", "list", "hidden"] = "table"
    placement: Literal["bottom", "right"] = "bottom"
    calcs: Sequence[str] = ("lastNotNull", "max")


class PanelOptions(TypedDict, total=False):
    """Keywords that every `add_*_panel` takes; `PanelSpec` says what they mean."""

    description: str
    width: int | None
    height: int | None
    panel_id: int | None
    key: str
    thresholds: Thresholds | None
    decimals: int | None
    min_val: float | None
    max_val: float | None
    mappings: Mappings
    links: Sequence[Link]
    data_links: Sequence[Link]
    overrides: Sequence[Override]
    no_value: str
    transformations: Sequence[Transformation]
    time_from: str
    interval: str
    max_data_points: int | None
    repeat: str
    repeat_direction: Literal["h", "v"]
    transparent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSpec:
    """What all panel types have in common.

    Args:
        title: required.
        query: a PromQL string (LogQL on logs panels, a trace id on traces and node graph panels), a `Query`, a
            `JaegerQuery`, a `PanelQuery`, or several of these.
        unit: Grafana's unit id ("percent", "s", "reqps", "none"), "suffix:..." or "prefix:...".
        description: shown behind the panel's (i).
        width: in columns of 24; None for the type's own.
        height: in rows of about 30 pixels; None for the type's own.
        panel_id: fixed id, 1 or more; None numbers by order.
        key: name within the dashboard, in lower case with hyphens: the panel's id follows from it, so that links to
            the panel outlive every other change (`observability.names.panel_ids`).
        thresholds: where values change colour; None for one neutral colour.
        decimals: digits after the point, 0 to 20; None for automatic.
        min_val: lower end of the scale, in the unit; None for automatic.
        max_val: upper end of the scale, in the unit; None for automatic.
        mappings: value to text.
        links: on the panel's title.
        data_links: on its values.
        overrides: settings for single series or columns.
        no_value: shown when there is no data: what is missing, why that may be, and what to do.
        transformations: steps from the answers to what is drawn, see `dashboards.transform`.
        time_from: own time range that ends now, such as "30d", which the title should tell; "" for the dashboard's.
        interval: lower limit of the step, such as "1m"; "" for none.
        max_data_points: most points a series; None for the panel's width in pixels.
        repeat: name of a variable; one panel for each of its values.
        repeat_direction: side by side or below one another.
        transparent: without a frame.

    """

    title: str = ""
    query: QueryInput = ()
    unit: str = ""
    description: str = ""
    width: int | None = None
    height: int | None = None
    panel_id: int | None = None
    key: str = ""
    thresholds: Thresholds | None = None
    decimals: int | None = None
    min_val: float | None = None
    max_val: float | None = None
    mappings: Mappings = field(default_factory=dict)
    links: Sequence[Link] = ()
    data_links: Sequence[Link] = ()
    overrides: Sequence[Override] = ()
    no_value: str = ""
    transformations: Sequence[Transformation] = ()
    time_from: str = ""
    interval: str = ""
    max_data_points: int | None = None
    repeat: str = ""
    repeat_direction: Literal["h", "v"] = "h"
    transparent: bool = False
