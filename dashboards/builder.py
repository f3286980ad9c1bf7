"""`DashboardBuilder`: a Grafana dashboard, written from top to bottom.

    db = DashboardBuilder(title="My Dashboard", uid="my-dash")
    db.add_gauge_panel(title="Availability", query="slo:availability:ratio_rate30d", unit="percent",
                       min_val=99, max_val=100)
    print(db.to_json())

Panels flow from left to right in the order they are added; no position is written. Nothing is checked until
`build` (or `to_dict`, `to_json`), which raises `DashboardError` for the first thing that is wrong.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal, Self, TypeVar, Unpack

from dashboards import palette, panels, sdk, variables
from dashboards.errors import DashboardError, SettingError, refuse
from dashboards.layout import Flow
from dashboards.model import Legend, PanelOptions, PanelSpec, Query, QueryInput
from dashboards.panel import Panel
from observability.names import panel_ids, uids

__all__ = ["DashboardBuilder", "DashboardError", "check_unique"]

SCHEMA_VERSION: Final = 42
"""Dashboard schema of Grafana 12.4; a lower one is migrated at every load."""

UID_RULE: Final = re.compile(r"[a-zA-Z0-9_-]{1,40}")
KEY_RULE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
REFRESH_RULE: Final = re.compile(r"(\d+(ms|[smhd]))?")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """Heading that owns the panels up to the next one."""

    title: str
    collapsed: bool = False
    repeat: str = ""
    panel_id: int | None = None


class DashboardBuilder:
    """A dashboard under construction; every `add_*` returns it.

    Args:
        title: shown in Grafana, required.
        uid: 1 to 40 of `a-z A-Z 0-9 _ -`, unique in Grafana, part of the dashboard's URL.
        description: one or two sentences for the list of dashboards.
        tags: to find it by.
        editable: whether Grafana offers to edit it; edits would be overwritten by the next deployment.
        refresh: how often it is loaded again, such as "30s"; "" for never.
        time_from: start of the time range shown first.
        time_to: its end.
        graphs_from: start of the graphs that have no `time_from` of their own, such as "${variable}"; what is no
            duration, as an empty variable, stands for that of the page.
        timezone: "browser", "utc" or an IANA name.

    """

    def __init__(  # noqa: PLR0913 - keyword-only, each optional but two
        self,
        title: str,
        uid: str,
        *,
        description: str = "",
        tags: Sequence[str] = (),
        editable: bool = False,
        refresh: str = "1m",
        time_from: str = "now-6h",
        time_to: str = "now",
        graphs_from: str = "",
        timezone: str = "browser",
    ) -> None:
        self.title = title
        self.uid = uid
        self.description = description
        self.tags = tuple(tags)
        self.editable = editable
        self.refresh = refresh
        self.time_from = time_from
        self.time_to = time_to
        self.graphs_from = graphs_from
        self.timezone = timezone
        self._items: list[Row | Panel] = []
        self._variables: list[tuple[str, Callable[[], variables.Variable]]] = []
        self._annotations: list[tuple[str, Callable[[], sdk.dashboard.AnnotationQuery]]] = []
        self._links: list[tuple[str, Callable[[], sdk.dashboard.DashboardLink]]] = []

    # Panels

    def add(self, panel: Panel) -> Self:
        """Add a panel of any type, such as one made with `dashboards.panel.panel_type`."""
        self._items.append(panel)
        return self

    def add_row(
        self,
        title: str,
        *,
        collapsed: bool = False,
        repeat: str = "",
        panel_id: int | None = None,
    ) -> Self:
        """Start a row: the panels that follow belong to it, up to the next row.

        A collapsed one loads its panels when it is opened. `repeat` names a variable: one row for each of its
        values.
        """
        self._items.append(Row(title, collapsed, repeat, panel_id))
        return self

    def add_stat_panel(  # noqa: PLR0913 - as `panels.stat`
        self,
        title: str = "",
        query: QueryInput = (),
        unit: str = "",
        *,
        calcs: panels.Calcs = panels.LAST,
        sparkline: bool = True,
        color_mode: Literal["value", "background", "background_solid", "none"] = "value",
        text_mode: Literal["auto", "value", "value_and_name", "name", "none"] = "auto",
        orientation: panels.Orientation = "auto",
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add one big number a series, 6 by 4; a string is a range query, for the sparkline."""
        return self.add(
            panels.stat(
                PanelSpec(title=title, query=query, unit=unit, **options),
                calcs=calcs,
                sparkline=sparkline,
                color_mode=color_mode,
                text_mode=text_mode,
                orientation=orientation,
            ),
        )

    def add_gauge_panel(  # noqa: PLR0913 - as `panels.gauge`
        self,
        title: str = "",
        query: QueryInput = (),
        unit: str = "",
        *,
        calcs: panels.Calcs = panels.LAST,
        orientation: panels.Orientation = "auto",
        title_size: int | None = None,
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add a dial from `min_val` to `max_val`, 6 by 7; a string is an instant query."""
        return self.add(
            panels.gauge(
                PanelSpec(title=title, query=query, unit=unit, **options),
                calcs=calcs,
                orientation=orientation,
                title_size=title_size,
            ),
        )

    def add_bar_gauge_panel(  # noqa: PLR0913 - as `panels.bar_gauge`
        self,
        title: str = "",
        query: QueryInput = (),
        unit: str = "",
        *,
        calcs: panels.Calcs = panels.LAST,
        display_mode: Literal["basic", "lcd", "gradient"] = "basic",
        orientation: panels.Orientation = "horizontal",
        title_size: int | None = None,
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add one bar a series, 12 by 8; a string is an instant query."""
        return self.add(
            panels.bar_gauge(
                PanelSpec(title=title, query=query, unit=unit, **options),
                calcs=calcs,
                display_mode=display_mode,
                orientation=orientation,
                title_size=title_size,
            ),
        )

    def add_timeseries_panel(  # noqa: PLR0913 - as `panels.timeseries`
        self,
        title: str = "",
        query: QueryInput = (),
        unit: str = "",
        *,
        legend: Legend = panels.LIST_LEGEND,
        series: Sequence[str] = (),
        stacking: Literal["none", "normal", "percent"] = "none",
        fill_opacity: int = 10,
        line_width: int = 2,
        span_nulls: bool | int = False,
        axis_label: str = "",
        soft_min: float | None = None,
        soft_max: float | None = None,
        log_scale: bool = False,
        draw_style: Literal["line", "bars", "points"] = "line",
        threshold_style: Literal["off", "line", "dashed", "area", "line+area", "dashed+area"] = "dashed",
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add lines over time, 12 by 8; a string is a range query."""
        options.setdefault("time_from", self.graphs_from)
        return self.add(
            panels.timeseries(
                PanelSpec(title=title, query=query, unit=unit, **options),
                legend=legend,
                series=series,
                stacking=stacking,
                fill_opacity=fill_opacity,
                line_width=line_width,
                span_nulls=span_nulls,
                axis_label=axis_label,
                soft_min=soft_min,
                soft_max=soft_max,
                log_scale=log_scale,
                draw_style=draw_style,
                threshold_style=threshold_style,
            ),
        )

    def add_table_panel(  # noqa: PLR0913 - as `panels.table`
        self,
        title: str = "",
        query: QueryInput = (),
        unit: str = "",
        *,
        sort_by: str = "",
        descending: bool = False,
        filterable: bool = False,
        paged: bool = False,
        cell_height: Literal["sm", "md", "lg"] = "sm",
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add rows and columns, 24 by 8; a string is an instant query in table format."""
        return self.add(
            panels.table(
                PanelSpec(title=title, query=query, unit=unit, **options),
                sort_by=sort_by,
                descending=descending,
                filterable=filterable,
                paged=paged,
                cell_height=cell_height,
            ),
        )

    def add_logs_panel(  # noqa: PLR0913 - as `panels.logs`
        self,
        title: str = "",
        query: QueryInput = (),
        *,
        newest_first: bool = True,
        wrap: bool = True,
        show_labels: bool = False,
        prettify_json: bool = False,
        dedup: Literal["none", "exact", "numbers", "signature"] = "none",
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add log lines, 24 by 10; a string is LogQL."""
        return self.add(
            panels.logs(
                PanelSpec(title=title, query=query, **options),
                newest_first=newest_first,
                wrap=wrap,
                show_labels=show_labels,
                prettify_json=prettify_json,
                dedup=dedup,
            ),
        )

    def add_heatmap_panel(  # noqa: PLR0913 - as `panels.heatmap`
        self,
        title: str = "",
        query: QueryInput = (),
        unit: str = "",
        *,
        calculate: bool = False,
        cell_unit: str = "short",
        axis_label: str = "",
        show_legend: bool = True,
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add how often which value over time, 12 by 8; a string is a query for buckets by `le`."""
        return self.add(
            panels.heatmap(
                PanelSpec(title=title, query=query, unit=unit, **options),
                calculate=calculate,
                cell_unit=cell_unit,
                axis_label=axis_label,
                show_legend=show_legend,
            ),
        )

    def add_text_panel(self, title: str = "", content: str = "", **options: Unpack[PanelOptions]) -> Self:
        """Add Markdown, 24 by 4."""
        return self.add(panels.text(PanelSpec(title=title, **options), content))

    def add_alert_list_panel(
        self,
        title: str = "",
        *,
        most: int = 20,
        instances: str = "",
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add the alerts that fire or are about to, 24 by 8; `instances` are matchers: `{severity="page"}`."""
        return self.add(panels.alert_list(PanelSpec(title=title, **options), most=most, instances=instances))

    def add_traces_panel(
        self,
        title: str = "",
        query: QueryInput = (),
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add one trace as a waterfall, 24 by 14; a string is a trace id, usually a variable."""
        return self.add(panels.traces(PanelSpec(title=title, query=query, **options)))

    def add_node_graph_panel(
        self,
        title: str = "",
        query: QueryInput = (),
        *,
        stat_unit: str = "",
        **options: Unpack[PanelOptions],
    ) -> Self:
        """Add a graph of calls, 12 by 12; `JaegerQuery.dependencies()`, or a string that is a trace id."""
        return self.add(panels.node_graph(PanelSpec(title=title, query=query, **options), stat_unit=stat_unit))

    # Variables, links, annotations

    def add_query_variable(  # noqa: PLR0913 - keyword-only, each optional
        self,
        name: str,
        label: str = "",
        query: str = "",
        *,
        datasource_uid: str = uids.DATASOURCE_PROMETHEUS,
        multi: bool = False,
        include_all: bool = False,
        regex: str = "",
        all_value: str = "",
        hidden: bool = False,
    ) -> Self:
        """Add a variable whose values a data source lists: `label_values(up, job)`.

        A hidden one is neither shown nor part of the page's address: it is for links.
        """
        self._variables.append(
            (
                name,
                lambda: variables.query_variable(
                    name,
                    label=label,
                    query=query,
                    datasource_uid=datasource_uid,
                    multi=multi,
                    include_all=include_all,
                    regex=regex,
                    all_value=all_value,
                    hidden=hidden,
                ),
            ),
        )
        return self

    def add_custom_variable(  # noqa: PLR0913 - keyword-only, each optional
        self,
        name: str,
        label: str = "",
        values: Sequence[str] | Mapping[str, str] = (),
        *,
        multi: bool = False,
        include_all: bool = False,
        all_value: str = "",
    ) -> Self:
        """Add a variable with these values, or {shown text: value}."""
        self._variables.append(
            (
                name,
                lambda: variables.custom_variable(
                    name, label=label, values=values, multi=multi, include_all=include_all, all_value=all_value
                ),
            ),
        )
        return self

    def add_textbox_variable(self, name: str, label: str = "", default: str = "") -> Self:
        """Add a variable to type into."""
        self._variables.append(
            (name, lambda: variables.textbox_variable(name, label=label, default=default)),
        )
        return self

    def add_interval_variable(
        self,
        name: str,
        label: str = "",
        values: Sequence[str] = ("1m", "5m", "15m", "1h"),
    ) -> Self:
        """Add a variable with durations."""
        self._variables.append((name, lambda: variables.interval_variable(name, label=label, values=values)))
        return self

    def add_dashboard_link(
        self,
        title: str,
        uid: str,
        *,
        keep_time: bool = True,
        keep_variables: bool = True,
        chosen: Mapping[str, str] | None = None,
    ) -> Self:
        """Add a link to another dashboard, at the top; `chosen` gives its variables values: `{"service": "a"}`."""

        def make() -> sdk.dashboard.DashboardLink:
            if not UID_RULE.fullmatch(uid):
                refuse("uid", uid, "a dashboard's uid")
            return variables.top_link(
                title,
                variables.address(uid, chosen or {}),
                keep_time=keep_time,
                keep_variables=keep_variables,
                new_tab=False,
                icon="dashboard",
            )

        self._links.append((title, make))
        return self

    def add_link(self, title: str, url: str, *, new_tab: bool = True, icon: str = "external link") -> Self:
        """Add a link to anything else, at the top: a runbook, a document."""
        self._links.append(
            (
                title,
                lambda: variables.top_link(
                    title, url, keep_time=False, keep_variables=False, new_tab=new_tab, icon=icon
                ),
            ),
        )
        return self

    def add_dashboard_menu(self, title: str, tag: str) -> Self:
        """Add a menu of all dashboards that carry `tag`, at the top: one line, however many there are."""
        self._links.append((title, lambda: variables.top_menu(title, tag)))
        return self

    def add_annotation(  # noqa: PLR0913 - keyword-only, each optional
        self,
        name: str,
        query: str | Query = "",
        *,
        datasource_uid: str = uids.DATASOURCE_PROMETHEUS,
        color: str = palette.NEUTRAL,
        title: str = "",
        text: str = "",
        tags: Sequence[str] = (),
        enabled: bool = True,
        step: str = "1m",
    ) -> Self:
        """Add annotations to every graph where `query` has a value: `changes(...) > 0`.

        `title` and `text` may insert labels, `{{version}}`; `tags` are labels to show. `step` is their resolution. The
        switch for them is in the dashboard's menu of controls.
        """
        self._annotations.append(
            (
                name,
                lambda: variables.annotation(
                    name,
                    query=query,
                    datasource_uid=datasource_uid,
                    color=color,
                    title=title,
                    text=text,
                    tags=tags,
                    enabled=enabled,
                    step=step,
                ),
            ),
        )
        return self

    def add_tagged_annotations(self, name: str, tag: str, *, color: str = palette.NEUTRAL) -> Self:
        """Add Grafana's own annotations that carry `tag` to every graph."""
        self._annotations.append((name, lambda: variables.tagged_annotations(name, tag=tag, color=color)))
        return self

    # Results

    def build(self) -> sdk.dashboard.Dashboard:
        """Check everything and build the SDK's model, a new one each time.

        Raises:
            DashboardError: something is missing, unknown, twice there, or does not fit.

        """
        self._named("", self._check_dashboard)
        dashboard = (
            sdk.dashboard_builders.Dashboard(self.title)
            .uid(self.uid)
            .tags(list(self.tags))
            .timezone(self.timezone)
            .time(self.time_from, self.time_to)
            .refresh(self.refresh)
            .tooltip(sdk.dashboard.DashboardCursorSync.CROSSHAIR)
            .build()
        )
        dashboard.schema_version = SCHEMA_VERSION
        dashboard.description = self.description or None
        dashboard.editable = self.editable
        made_variables = self._made(self._variables, "variable")
        dashboard.templating = sdk.dashboard.DashboardDashboardTemplating(made_variables)
        dashboard.annotations = sdk.dashboard.AnnotationContainer(self._made(self._annotations, "annotation"))
        dashboard.links = self._made(self._links, "link")
        dashboard.panels = self._placed()
        return dashboard

    def to_dict(self) -> dict[str, Any]:
        """Build it as Grafana stores it: plain dicts and lists, keys sorted, without `id` and `version`.

        Raises:
            DashboardError: as `build`.

        """
        encoded: dict[str, Any] = json.loads(json.dumps(self.build(), cls=sdk.JSONEncoder, sort_keys=True))
        return encoded

    def to_json(self, indent: int | None = 2) -> str:
        """Build it as JSON; the same calls give the same text.

        Raises:
            DashboardError: as `build`.

        """
        separators = (",", ":") if indent is None else None
        return json.dumps(self.to_dict(), indent=indent, separators=separators, sort_keys=True, ensure_ascii=False)

    def _check_dashboard(self) -> None:
        if not isinstance(self.title, str) or not self.title.strip():
            refuse("title", self.title, "text that is not blank")
        if not isinstance(self.uid, str) or not UID_RULE.fullmatch(self.uid):
            refuse("uid", self.uid, "1 to 40 letters, digits, '-' and '_'")
        if not REFRESH_RULE.fullmatch(self.refresh):
            refuse("refresh", self.refresh, "a duration such as 30s or 5m, or '' for never")
        for setting in ("time_from", "time_to", "timezone"):
            if not getattr(self, setting).strip():
                refuse(setting, getattr(self, setting), "text that is not blank")
        seen: set[str] = set()
        for name, _ in self._variables:
            if name in seen:
                refuse("variable", name, "a name that no other variable of the dashboard has")
            seen.add(name)

    def _placed(self) -> list[sdk.dashboard.Panel | sdk.dashboard.RowPanel]:
        """Panels at their places; those of a collapsed row inside it."""
        placed: list[sdk.dashboard.Panel | sdk.dashboard.RowPanel] = []
        ids = self._ids()
        flow = Flow()
        inner: tuple[sdk.dashboard.RowPanel, Flow] | None = None
        for item in self._items:
            if isinstance(item, Row):
                row = self._built_row(item, next(ids), flow)
                placed.append(row)
                # Closed, it takes its heading's height only: its panels have a flow of their own.
                inner = (row, Flow(flow.bottom)) if item.collapsed else None
            elif inner is not None:
                inner[0].panels.append(self._built_panel(item, next(ids), inner[1]))
            else:
                placed.append(self._built_panel(item, next(ids), flow))
        return placed

    def _built_row(self, row: Row, panel_id: int, flow: Flow) -> sdk.dashboard.RowPanel:
        def make() -> sdk.dashboard.RowPanel:
            if not isinstance(row.title, str) or not row.title.strip():
                refuse("title", row.title, "text that is not blank")
            self._check_repeat(row.repeat)
            box = flow.row()
            position = sdk.dashboard.GridPos(h=box.height, w=box.width, x=box.x, y=box.y)
            return sdk.dashboard.RowPanel(
                collapsed=row.collapsed,
                title=row.title,
                grid_pos=position,
                id_val=panel_id,
                repeat=row.repeat or None,
            )

        return self._named(row.title, make)

    def _built_panel(self, panel: Panel, panel_id: int, flow: Flow) -> sdk.dashboard.Panel:
        def make() -> sdk.dashboard.Panel:
            self._check_repeat(panel.spec.repeat)
            return panel.build(flow.place(*panel.size), panel_id, self.uid)

        return self._named(panel.spec.title, make)

    def _check_repeat(self, repeat: str) -> None:
        names = {name for name, _ in self._variables}
        if repeat and repeat not in names:
            accepted = ", ".join(sorted(names)) or "it has none"
            refuse("repeat", repeat, f"a variable of the dashboard: {accepted}")

    def _ids(self) -> Iterator[int]:
        """Yield the ids of all items in order: fixed ones, and for the others the smallest that are free."""
        fixed: dict[int, str] = {}
        for item in self._items:
            panel_id, title = self._fixed_id(item), item.title if isinstance(item, Row) else item.spec.title
            if panel_id is None:
                continue
            if isinstance(panel_id, bool) or not isinstance(panel_id, int) or panel_id < 1:
                raise self._error(title, "panel_id", panel_id, "a whole number, 1 or more")
            if panel_id in fixed:
                accepted = f"an id that {fixed[panel_id]!r} does not have"
                raise self._error(title, "panel_id", panel_id, accepted)
            fixed[panel_id] = title
        free = (number for number in count(1) if number not in fixed)
        for item in self._items:
            panel_id = self._fixed_id(item)
            yield next(free) if panel_id is None else panel_id

    def _fixed_id(self, item: Row | Panel) -> int | None:
        """Return the id that is set, by number or by key; None for one that is numbered by order."""
        if isinstance(item, Row):
            return item.panel_id
        spec = item.spec
        if not spec.key:
            return spec.panel_id
        if spec.panel_id is not None:
            raise self._error(spec.title, "panel_id", spec.panel_id, "nothing: the panel has a key")
        if not KEY_RULE.fullmatch(spec.key):
            raise self._error(spec.title, "key", spec.key, "words in lower case, joined by hyphens")
        return panel_ids.panel_id(self.uid, spec.key)

    def _made(self, makers: Iterable[tuple[str, Callable[[], T]]], what: str) -> list[T]:
        return [self._named(f"{what} {name}", make) for name, make in makers]

    def _named(self, title: str, make: Callable[[], T]) -> T:
        """Call `make`; its errors name the dashboard and the panel."""
        try:
            return make()
        except SettingError as error:
            raise self._error(title, error.setting, error.value, error.accepted) from error

    def _error(self, panel: str, setting: str, value: object, accepted: str) -> DashboardError:
        return DashboardError(dashboard=self.uid, panel=panel, setting=setting, value=value, accepted=accepted)


def check_unique(builders: Iterable[DashboardBuilder]) -> tuple[DashboardBuilder, ...]:
    """Return the dashboards, if no two have the same uid.

    Raises:
        DashboardError: two have; Grafana would let the later one replace the other.

    """
    by_uid: dict[str, DashboardBuilder] = {}
    for builder in builders:
        if builder.uid in by_uid:
            raise DashboardError(
                dashboard=builder.uid,
                panel="",
                setting="uid",
                value=builder.uid,
                accepted=f"one that {by_uid[builder.uid].title!r} does not have already",
            )
        by_uid[builder.uid] = builder
    return tuple(by_uid.values())
